"""Parts of the demonstration played alone: same seed, same result; only what is missing."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from oasst.accounts.models import User
from tasks_app.demo import build as staging
from tasks_app.demo.build import build
from tasks_app.demo.content import Line, Story
from tasks_app.enums import TreeState
from tasks_app.models import Message, MessageTree, TextLabels
from tests.factories import NOW, trudy
from tests.undoing import undone

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

STAGE = TreeState.HALTED_BY_MODERATOR


def everything() -> list[Any]:
    rows = Message.objects.order_by("id").values_list(
        "id", "tree__state", "user__email", "role", "text", "review_result"
    )
    votes = TextLabels.objects.order_by("message", "user")
    return [*rows, *votes.values_list("message", "user", "values", "created_at")]


def played(seed: int) -> list[Any]:
    with undone():
        build(seed=seed, now=NOW, stage=STAGE)
        return everything()


def texts(rows: list[Any]) -> list[str]:
    return sorted(row[4] for row in rows if len(row) == 6)


def test_build_twice_with_one_seed_gives_the_same_rows() -> None:
    first = played(seed=5)

    assert first
    assert played(seed=5) == first


def test_build_with_another_seed_gives_other_ids_and_the_same_texts() -> None:
    first, second = played(seed=5), played(seed=6)

    assert {row[0] for row in first}.isdisjoint({row[0] for row in second})
    assert texts(first) == texts(second)


def test_build_of_a_stage_plays_no_other_story() -> None:
    outcome = build(seed=1, now=NOW, stage=STAGE)

    assert set(outcome.added) == {STAGE}
    assert set(MessageTree.objects.values_list("state", flat=True)) == {STAGE}


def test_build_later_adds_only_what_is_missing() -> None:
    build(seed=1, now=NOW, stage=STAGE)
    halted = set(MessageTree.objects.values_list("id", flat=True))

    outcome = build(seed=1, now=NOW, stage=TreeState.ABORTED_LOW_GRADE)
    again = build(seed=1, now=NOW, stage=STAGE)

    assert outcome.added.total() == MessageTree.objects.count() - len(halted) > 0
    assert (again.added.total(), again.already_there) == (0, len(halted))


def test_build_keeps_accounts_that_exist() -> None:
    dana = User.objects.create_user("dana@example.org", display_name="The real Dana")

    build(seed=1, now=NOW, stage=STAGE)

    assert User.objects.get(email="dana@example.org").display_name == "The real Dana"
    assert Message.objects.filter(user=dana).exists()


def test_build_ignores_tunables_of_the_operator(settings: Any) -> None:
    settings.TREE_CONFIG = {"NUM_REVIEWS_INITIAL_PROMPT": "7", "MAX_ACTIVE_TREES": "0"}

    build(seed=1, now=NOW, stage=STAGE)

    assert MessageTree.objects.get().state == STAGE


def test_seed_demo_that_cannot_play_a_story_adds_nothing_and_says_why() -> None:
    trudy()

    with pytest.raises(CommandError, match="nothing was added"):
        call_command("seed_demo", stage=STAGE, stdout=StringIO())

    assert not Message.objects.exists()


def test_prompt_that_is_never_drawn_ends_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story("stuck", "en", TreeState.GROWING, Line("Why?", author="alice", reviews=0))
    monkeypatch.setattr(staging, "stories", lambda: (story,))

    with pytest.raises(CommandError, match="stuck: the lottery never drew"):
        call_command("seed_demo", stdout=StringIO())


def test_play_acts_no_earlier_than_its_span() -> None:
    build(seed=1, now=NOW, stage=STAGE)

    first = Message.objects.order_by("created_at").first()
    assert first is not None
    assert NOW - timedelta(days=26) < first.created_at < NOW
