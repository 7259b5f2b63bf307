"""An author changes a message until somebody begins to judge it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import holding, interactions, moderation, reactions, rewording
from tasks_app.enums import TaskType
from tasks_app.errors import (
    DuplicateText,
    MessageNotFound,
    NotAllowed,
    TaskExpired,
    TextChanged,
    TextEmpty,
    TextInvalid,
    TextStays,
    TextTooLong,
)
from tasks_app.models import Message, MessageRevision, Offer
from tests.calling import Program, code_of, token_of
from tests.factories import GOOD, NOW, grow, hand_out, label, reply, write_prompt
from tests.tasks_app import oracle

pytestmark = pytest.mark.django_db

REVIEW = TaskType.LABEL_INITIAL_PROMPT
LATER = NOW + timedelta(minutes=10)
NEW = "How do I bake bread?"


@pytest.fixture
def prompt(alice: User) -> Message:
    return write_prompt(alice, "How do I bake bred?")


def reword(message: Message, text: str = NEW, **options: Any) -> Message:
    """By its author, from the text that it has."""
    known = {"base": rewording.version(message), "now": LATER, "user": message.user}
    asked = known | options
    return rewording.reword(message.pk, asked.pop("user"), text, **asked)


def test_author_changes_a_text_and_the_one_before_is_kept(prompt: Message, bob: User) -> None:
    reword(prompt, f"  {NEW}\n")

    prompt.refresh_from_db()
    assert (prompt.text, prompt.edited, prompt.detected_lang) == (NEW, True, "en")
    kept = MessageRevision.objects.filter(message=prompt).values_list("text", "user", "reason")
    assert list(kept) == [
        ("How do I bake bred?", prompt.user_id, ""),
        (NEW, prompt.user_id, rewording.REASON),
    ]
    assert oracle.problems() == []
    assert label(bob, prompt, now=LATER).message == prompt


def test_same_text_again_changes_nothing(prompt: Message) -> None:
    base = rewording.version(prompt)
    reword(prompt)

    reword(prompt, base=base)

    assert MessageRevision.objects.count() == 2


def test_text_that_was_changed_elsewhere_is_not_overwritten(prompt: Message) -> None:
    base = rewording.version(prompt)
    reword(prompt)

    with pytest.raises(TextChanged):
        reword(prompt, "And now?", base=base)


@pytest.mark.parametrize(
    ("text", "error"), [(" ", TextEmpty), ("x" * 2001, TextTooLong), ("a\x00b", TextInvalid)]
)
def test_text_must_be_one_that_could_be_sent(
    prompt: Message, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        reword(prompt, text)


def test_text_must_not_be_what_the_author_has_just_said(prompt: Message, alice: User) -> None:
    said = write_prompt(alice, "Why is the sky blue?", now=LATER)

    with pytest.raises(DuplicateText):
        reword(prompt, said.text)


def _is_being_reviewed(message: Message, bob: User) -> None:
    hand_out(bob, REVIEW, message, now=LATER)


def _was_reviewed(message: Message, bob: User) -> None:
    label(bob, message, now=NOW)


def _was_labelled(message: Message, bob: User) -> None:
    reactions.label_freely(message.pk, bob, {"quality": 0.5}, now=NOW)


def _was_liked(message: Message, bob: User) -> None:
    reactions.react(message.pk, bob, "+1", now=NOW)


def _was_reported(message: Message, bob: User) -> None:
    reactions.report(message.pk, bob, "spam", "", now=NOW)


@pytest.mark.parametrize(
    "happened", [_is_being_reviewed, _was_reviewed, _was_labelled, _was_liked, _was_reported]
)
def test_text_stays_once_somebody_has_begun_to_judge_it(
    prompt: Message, bob: User, happened: Callable[[Message, User], None]
) -> None:
    happened(prompt, bob)

    with pytest.raises(TextStays):
        reword(prompt)
    assert MessageRevision.objects.count() == 0


def test_text_that_waits_for_a_moderator_stays(alice: User, mona: User) -> None:
    holding.hold_user(alice.pk, actor=mona, reason="Spam.", now=NOW)
    alice.refresh_from_db()

    with pytest.raises(TextStays):
        reword(write_prompt(alice))


def test_author_may_change_it_again_once_a_reviewer_gave_it_back(
    prompt: Message, bob: User
) -> None:
    review = hand_out(bob, REVIEW, prompt, now=NOW)
    interactions.skip(review.pk, bob, now=NOW)

    assert reword(prompt).text == NEW


def test_review_whose_place_has_lapsed_does_not_count_for_the_new_text(
    prompt: Message, bob: User
) -> None:
    review = hand_out(bob, REVIEW, prompt, now=NOW)
    later = review.reserved_until + timedelta(seconds=1)
    reword(prompt, now=later)

    with pytest.raises(TaskExpired):
        interactions.submit_labels(review.pk, bob, GOOD, now=later)
    assert Offer.objects.get(message=prompt).slots == 3
    assert label(bob, prompt, now=later).values == GOOD
    assert oracle.problems() == []


def test_review_sent_before_the_change_but_read_after_it_is_refused(
    prompt: Message, bob: User
) -> None:
    review = hand_out(bob, REVIEW, prompt, now=NOW)
    sent = review.reserved_until + timedelta(seconds=1)
    reword(prompt, now=sent + timedelta(milliseconds=1))

    with pytest.raises(TaskExpired):
        interactions.submit_labels(review.pk, bob, GOOD, now=sent)


def test_nobody_else_changes_a_message(prompt: Message, bob: User, mona: User) -> None:
    for user in (bob, mona):
        with pytest.raises(MessageNotFound):
            reword(prompt, user=user)


def test_banned_author_changes_nothing(prompt: Message, alice: User, mona: User) -> None:
    moderation.ban_user(alice.pk, actor=mona, reason="Spam.", now=NOW)

    with pytest.raises(NotAllowed):
        reword(prompt)


# The page and the API


def test_page_keeps_what_was_entered_too_late(web: Client, alice: User, bob: User) -> None:
    mine = grow("P(A?)", authors={1: alice})[1]
    base, url = rewording.version(mine), f"/messages/{mine.pk}/edit/"
    assert f'href="{url}"' in web.get(f"/messages/{mine.pk}/").text
    assert mine.text in web.get(url).text
    hand_out(bob, TaskType.LABEL_ASSISTANT_REPLY, mine, now=timezone.now())

    answer = web.post(url, {"text": "My better words", "base": base})

    assert answer.status_code == 409
    assert "My better words" in answer.text
    assert web.get(url).status_code == 409


def test_page_says_that_it_was_changed_elsewhere_and_lets_one_decide(
    web: Client, alice: User
) -> None:
    mine = grow("P(A?)", authors={1: alice})[1]
    url = f"/messages/{mine.pk}/edit/"

    answer = web.post(url, {"text": "Mine", "base": "another"})

    assert (answer.status_code, mine.text in answer.text) == (409, True)
    shown = answer.context["form"]
    web.post(url, {"text": shown["text"].value(), "base": shown["base"].value()})
    mine.refresh_from_db()
    assert mine.text == "Mine"


def test_programs_change_a_message_too(alice: User) -> None:
    program = Program(token_of(alice))
    mine = reply(alice, grow("P").root, "A draft", now=timezone.now())
    before = program.get(f"/messages/{mine.pk}")

    body = {"text": "Better", "base": before["version"]}
    changed = program.call("patch", f"/messages/{mine.pk}", body).json()
    late = program.call("patch", f"/messages/{mine.pk}", body | {"text": "Best"})

    assert (before["may_edit"], changed["text"]) == (True, "Better")
    assert code_of(late) == (409, "text_changed")
    assert code_of(program.call("patch", f"/messages/{grow('P?').root.pk}", body))[0] == 404
