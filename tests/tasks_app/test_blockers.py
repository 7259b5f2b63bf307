"""Why there is no task, and what would help."""

import pytest

from oasst.accounts.models import User
from tasks_app.blockers import Blocker, explain
from tasks_app.config import overridden
from tasks_app.enums import TaskType, TreeState
from tests import factories
from tests.factories import NOW, grow

pytestmark = pytest.mark.django_db

K = TaskType
NOTHING = {"max_initial_prompt_review": 0, "max_active_trees": 0}


def blockers(user: User, kind: str, langs: tuple[str, ...] = ("en",)) -> list[Blocker]:
    with overridden(**NOTHING):
        return explain(user, kind, langs, now=NOW)


@pytest.mark.parametrize("kind", [*K, "random"])
def test_something_is_always_said(alice: User, kind: str) -> None:
    found = blockers(alice, kind)

    assert found
    assert all(str(blocker.text) for blocker in found)


def test_own_work_that_waits_for_others_is_named(alice: User) -> None:
    grow("P(A?)", author=alice)

    first = blockers(alice, K.LABEL_ASSISTANT_REPLY)[0]

    assert (first.count, first.kind) == (1, None)
    assert "your own message" in first.text


def test_replies_to_a_full_tree_are_not_taken_for_own_work(alice: User) -> None:
    grow("P(A)", goal_tree_size=2)
    grow("P(A A?)", goal_tree_size=3, lang="de")

    found = blockers(alice, K.ASSISTANT_REPLY, ("de",))

    assert all("your own message" not in blocker.text for blocker in found)


def test_the_step_before_is_named_with_its_number(alice: User) -> None:
    grow("P")

    steps = [b for b in blockers(alice, K.LABEL_ASSISTANT_REPLY) if b.kind == K.ASSISTANT_REPLY]

    assert steps[0].count == 3


def test_reviews_that_must_come_before_a_ranking_are_named(alice: User) -> None:
    grow("P(A? A?)")

    found = blockers(alice, K.RANK_ASSISTANT_REPLIES)

    assert (found[0].kind, found[0].count) == (K.LABEL_ASSISTANT_REPLY, 2)


def test_full_prompts_are_named_by_language(alice: User) -> None:
    found = blockers(alice, K.INITIAL_PROMPT)

    assert "prompts in English for now" in found[0].text
    assert found[0].kind == K.LABEL_INITIAL_PROMPT


def test_other_kinds_are_offered_with_their_counts_most_first(alice: User) -> None:
    for _ in range(2):
        grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    grow("P")

    found = [b for b in blockers(alice, K.RANK_ASSISTANT_REPLIES) if b.kind]

    assert [(b.kind, b.count) for b in found] == [
        (K.LABEL_INITIAL_PROMPT, 2),
        (K.ASSISTANT_REPLY, 1),
    ]


def test_another_language_of_the_person_is_offered() -> None:
    carla = factories.person("Carla", contribution_languages=["en", "de", "fr"])
    grow("P(A?)", lang="de")
    grow("P(A?)", lang="fr", author=carla)

    langs = {b.lang for b in blockers(carla, K.LABEL_ASSISTANT_REPLY) if b.lang}

    assert langs == {"de"}


def test_languages_the_person_does_not_have_are_not_offered(alice: User) -> None:
    grow("P(A?)", lang="de")

    assert {b.lang for b in blockers(alice, K.LABEL_ASSISTANT_REPLY)} == {None}


def test_no_prompts_in_a_disabled_language_is_said_as_it_is(alice: User) -> None:
    with overridden(init_prompt_disabled_langs=("en",)):
        found = explain(alice, K.INITIAL_PROMPT, ["en"], now=NOW)

    assert "collects no new prompts" in found[0].text
    assert not any("enough prompts" in blocker.text for blocker in found)
