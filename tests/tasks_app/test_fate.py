"""What became of a message, in words: never empty, never without a reason."""

import pytest
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import fate, moderation
from tasks_app.config import TreeConfig
from tasks_app.enums import TreeState
from tasks_app.models import Message
from tests.factories import SPAM, grow, review

pytestmark = pytest.mark.django_db

CONFIG = TreeConfig.defaults()


def marks(message: Message) -> str:
    """The steps of a message as letters: done, now, failed, open."""
    return "".join(step.state[0] for step in fate.steps(message))


@pytest.mark.parametrize(
    ("drawing", "label"),
    [
        ("P(A)", "Accepted"),
        ("P(A-)", "Not accepted"),
        ("P(Ax)", "Removed"),
        ("P(A-x)", "Removed"),
        ("P(A?)", "In review, 0 of 3"),
        ("P(A?2)", "In review, 2 of 3"),
        ("P(A?3)", "In review, 2 of 3"),
    ],
)
def test_status_of_a_reply(drawing: str, label: str) -> None:
    status = fate.status(grow(drawing)[1], CONFIG)

    assert status.label == label
    assert status.icon


def test_status_names_the_place_once_there_is_one() -> None:
    message = grow("P(A)")[1]
    message.rank = 1

    assert fate.status(message, CONFIG).label == "Place 2"
    assert fate.status(message, CONFIG, ranked=3).label == "Place 2 of 3"


@pytest.mark.parametrize("state", TreeState)
@pytest.mark.parametrize("drawing", ["P", "P?", "P-", "Px"])
def test_every_state_has_a_story_and_steps(state: TreeState, drawing: str) -> None:
    root = grow(drawing, state=state).root

    assert fate.story(root, CONFIG)
    assert marks(root).startswith("d")
    assert marks(root).count("n") + marks(root).count("f") <= 1


@pytest.mark.parametrize(
    ("drawing", "state", "prompt", "reply"),
    [
        ("P(A?)", TreeState.GROWING, "dddnoo", "dnoo"),
        ("P(A)", TreeState.GROWING, "dddnoo", "ddno"),
        ("P(A-)", TreeState.GROWING, "dddnoo", "dfoo"),
        ("P(A)", TreeState.RANKING, "ddddno", "ddno"),
        ("P(A)", TreeState.READY_FOR_EXPORT, "dddddd", "dddd"),
        ("P(A)", TreeState.HALTED_BY_MODERATOR, "ddfooo", "ddfo"),
    ],
)
def test_steps_follow_the_tree(drawing: str, state: TreeState, prompt: str, reply: str) -> None:
    grown = grow(drawing, state=state)

    assert (marks(grown[0]), marks(grown[1])) == (prompt, reply)


def test_story_of_a_ranked_reply_names_its_place() -> None:
    message = grow("P(A)", state=TreeState.READY_FOR_EXPORT)[1]
    message.rank = 0

    assert "place 1" in fate.story(message, CONFIG)


def test_reasons_count_the_objections() -> None:
    message = grow("P(A?)")[1]
    review(message, SPAM, {"spam": 1.0, "lang_mismatch": 1.0}, {"spam": 0.0, "lang_mismatch": 0.0})
    message.refresh_from_db()

    assert fate.reasons([message])[message.pk] == [
        "2 of 3 reviewers marked it as: Spam",
        "1 of 3 reviewers marked it as: Wrong language",
    ]


def test_reasons_of_a_removal_are_the_moderators(mona: User) -> None:
    message = grow("P(A)")[1]
    moderation.delete_message(message.pk, actor=mona, reason="names a person", now=timezone.now())
    message.refresh_from_db()

    assert fate.reasons([message]) == {message.pk: ["names a person"]}


def test_accepted_messages_have_a_reason_too_and_open_ones_none() -> None:
    grown = grow("P(A A?)")

    assert fate.reasons(grown.messages) == {
        grown.root.pk: ["3 of 3 reviewers found nothing against it"],
        grown[1].pk: ["3 of 3 reviewers found nothing against it"],
    }


def test_outcomes_without_reviews_or_acts_have_a_reason() -> None:
    grown = grow("P(A0 A-0 Ax)")

    told = fate.reasons(grown.messages)

    assert told[grown[1].pk] == told[grown[2].pk] == ["That was decided before it came here."]
    assert told[grown[3].pk] == ["It went together with others."]
