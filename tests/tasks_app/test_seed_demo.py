"""The demonstration as a whole: everything a visitor should find, and nothing broken.

It is played once for all tests of this module, in a transaction that is rolled back.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import call_command
from django.db import models
from django.db.models import Count, Max
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import checks, selection
from tasks_app.agreement import Level, krippendorff_alpha
from tasks_app.config import ConfigChange, TreeConfig
from tasks_app.demo.build import Outcome, build
from tasks_app.demo.content import stories
from tasks_app.enums import SkillGroup, TaskType, TreeState
from tasks_app.labels import REPORT_SEVERITY
from tasks_app.models import (
    BulkAction,
    Contribution,
    Draft,
    Message,
    MessageRevision,
    MessageTree,
    ModerationAction,
    Offer,
    Question,
    Ranking,
    Reaction,
    Reliability,
    Report,
    Task,
    TextLabels,
    TreeTransition,
)
from tests import factories
from tests.undoing import undone

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

NOW = timezone.now()
KINDS_BY_DEFAULT = set(TaskType) - {TaskType.RANK_PROMPTER_REPLIES}
CHANCE = random.Random(3)


@pytest.fixture(scope="module", autouse=True)
def demo(django_db_setup: None, django_db_blocker: Any) -> Iterator[Outcome]:
    with django_db_blocker.unblock(), undone():
        yield build(seed=1, now=NOW)


def person(key: str) -> User:
    return User.objects.get(email=f"{key}@example.org")


def test_demo_has_forty_trees_in_six_languages() -> None:
    langs = Counter(MessageTree.objects.values_list("lang", flat=True))

    assert langs.total() == len(stories()) >= 40
    assert len(langs) >= 6


def test_demo_leaves_every_tree_in_the_state_of_its_story() -> None:
    roots = Message.objects.filter(parent=None).select_related("tree")
    states = {root.text: root.tree.state for root in roots}

    assert states == {story.prompt.text: story.state for story in stories()}


@pytest.mark.parametrize("label", ["toxicity", "violence", "quality"])
def test_people_of_the_demo_agree_better_than_chance(label: str) -> None:
    units: dict[Any, list[float]] = {}
    for message, values in TextLabels.objects.filter(kind="task").values_list("message", "values"):
        if label in values:
            units.setdefault(message, []).append(values[label])

    found = krippendorff_alpha(units.values(), Level.ORDINAL)

    assert found is not None
    assert found > 0.3


def test_demo_covers_every_state() -> None:
    resting = set(MessageTree.objects.values_list("state", flat=True))
    passed = set(TreeTransition.objects.values_list("to_state", flat=True))

    assert resting == set(TreeState) - {TreeState.READY_FOR_SCORING}
    assert passed == set(TreeState)


def test_demo_offers_every_kind_of_task_to_a_newcomer_in_english() -> None:
    newcomer = factories.person("Newcomer")
    counts = selection.available_tasks(newcomer, ["en"], now=NOW)

    assert set(counts) == KINDS_BY_DEFAULT
    assert all(count > 0 for count in counts.values())


@pytest.mark.parametrize("kind", sorted(KINDS_BY_DEFAULT))
def test_demo_hands_every_kind_to_alice_in_english(kind: TaskType) -> None:
    task = selection.next_task(person("alice"), kind, now=NOW, rng=CHANCE, langs=["en"])

    assert task.kind == kind


def test_demo_ranks_replies_in_the_order_of_the_content() -> None:
    for story in stories():
        if story.state == TreeState.READY_FOR_EXPORT:
            ranked = Message.objects.filter(tree__messages__text=story.prompt.text, depth=1)
            by_rank = (
                ranked.filter(rank__isnull=False).order_by("rank").values_list("text", flat=True)
            )
            assert list(by_rank) == [r.text for r in story.prompt.replies if r.is_accepted]


def test_demo_has_every_role_in_its_cast() -> None:
    assert person("root").is_admin
    assert person("root").is_superuser
    assert person("mona").is_moderator
    assert not person("mona").is_admin
    assert not person("alice").is_staff
    assert not person("trudy").is_active
    assert User.objects.filter(email__endswith="@example.org").count() >= 15


def test_demo_accounts_have_accepted_the_terms_and_chosen_languages() -> None:
    assert not User.objects.filter(tos_accepted_at=None).exists()
    assert not User.objects.filter(contribution_languages=[]).exists()


def test_demo_gives_moderators_something_to_do() -> None:
    assert Report.objects.waiting().count() >= 3
    assert Report.objects.exclude(state="open").exists()
    assert {"halt_tree", "ban_user", "edit_message", "delete_message"} <= set(
        ModerationAction.objects.values_list("action", flat=True)
    )
    assert MessageRevision.objects.exists()


def test_demo_leaves_reactions_and_a_draft() -> None:
    assert Reaction.objects.values("code").distinct().count() >= 6
    draft = Draft.objects.select_related("task").get()
    assert draft.task.user == person("alice")
    assert draft.body["text"]


def test_demo_has_replies_of_models_only_in_the_backlog() -> None:
    synthetic = Message.objects.filter(synthetic=True)

    assert set(synthetic.values_list("tree__state", flat=True)) == {TreeState.BACKLOG_RANKING}
    assert not synthetic.filter(model_name="").exists()


def test_demo_votes_differ_between_people() -> None:
    disagreeing = TextLabels.objects.values("message").annotate(n=Count("values", distinct=True))
    assert disagreeing.filter(n__gt=1).count() > 50
    assert any(len(group) > 1 for ranking in Ranking.objects.all() for group in ranking.groups)


def test_demo_has_nobody_review_or_rank_own_messages() -> None:
    assert not TextLabels.objects.filter(user=models.F("message__user")).exists()
    for ranking in Ranking.objects.select_related("parent"):
        assert not ranking.parent.children.filter(user=ranking.user).exists()


@pytest.mark.parametrize("model", [Message, TextLabels, Reaction, Report, TreeTransition, Ranking])
def test_demo_happens_in_the_past_and_up_to_the_last_days(model: type[models.Model]) -> None:
    last = model._default_manager.aggregate(last=Max("created_at"))["last"]

    assert last < NOW
    assert last > NOW - timedelta(days=3)


def test_demo_tells_the_journal_in_the_order_of_time() -> None:
    times = list(Contribution.objects.order_by("id").values_list("created_at", flat=True))
    steps = [later - earlier for earlier, later in pairwise(times)]

    assert min(steps) > -timedelta(minutes=20)


def test_demo_holds_no_slot_but_for_the_draft() -> None:
    held = Task.objects.filter(holds_slot=True)

    assert [task.draft.task_id for task in held] == [task.pk for task in held]
    assert Offer.objects.filter(slots__gt=0).count() > 20


def test_demo_breaks_no_invariant() -> None:
    assert list(checks.broken_invariants()) == []


def test_demo_changes_one_setting() -> None:
    change = ConfigChange.objects.get()

    assert (change.name, change.old_value, change.value) == ("adaptive_overlap", False, True)
    assert TreeConfig.current() == replace(TreeConfig.defaults(), adaptive_overlap=True)


def test_demo_leaves_split_reviews_to_moderators() -> None:
    disputed = {line.text for story in stories() for line, _, _ in story.lines() if line.disputed}
    split = Message.objects.split()
    most = TreeConfig.current().adaptive_most_reviews

    assert {message.text for message in split} == disputed
    assert len(disputed) >= 3
    assert {message.review_count for message in split} == {most}
    assert not Offer.objects.filter(message__in=split, slots__gt=0).exists()


def test_demo_has_one_person_whose_reviews_the_fit_doubts() -> None:
    doubtful = Reliability.objects.doubtful().get()

    assert doubtful.user == person("sven")
    assert (doubtful.group, doubtful.lang) == (SkillGroup.ACCEPTANCE, "en")
    assert doubtful.n_votes >= 20


def test_demo_repeated_changes_nothing_and_says_so() -> None:
    before = fingerprint()
    out = StringIO()

    call_command("seed_demo", stdout=out)
    call_command("seed_demo", seed=2, stdout=out)

    assert fingerprint() == before
    assert out.getvalue().count("Nothing to do") == 2


def fingerprint() -> dict[str, int]:
    tables = (Message, MessageTree, Task, TextLabels, Ranking, Reaction, Report, Draft, User)
    return {table.__name__: table._default_manager.count() for table in tables} | {
        "actions": ModerationAction.objects.count(),
        "transitions": TreeTransition.objects.count(),
    }


def test_moderators_find_work_of_every_sort_on_their_desk() -> None:
    waiting = Report.objects.waiting()
    severities = {REPORT_SEVERITY[name] for name in waiting.values_list("category", flat=True)}
    of_alice = Report.objects.filter(user__display_name="Alice").exclude(state="open")

    assert severities == {1, 2, 3, 5}
    assert {"dismissed", "inconclusive"} <= set(of_alice.values_list("state", flat=True))
    assert waiting.filter(claimed_by__display_name="Mona").count() == 1
    assert User.objects.get(display_name="Viktor").muted_until > NOW
    held = Message.objects.held()
    assert {message.user.display_name for message in held} == {"Wanda"}
    asked = Question.objects.order_by("pk").values_list("person__display_name", "answered_at")
    assert [(name, bool(at)) for name, at in asked] == [("Hana", True), ("Alice", False)]
    assert list(BulkAction.objects.values_list("state", flat=True)) == ["undone"]
