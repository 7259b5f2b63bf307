"""The moderators ask a person something, about a message of theirs or in general, and the person
answers once. Neither changes anything else.

The person is not told which moderator asks; the log holds why, the question only what they read.
"""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError
from tasks_app import reading
from tasks_app.desk_records import MOST_ANSWERED, MOST_ASKED
from tasks_app.enums import ModerationKind
from tasks_app.errors import MessageNotFound, TextEmpty, TextTooLong
from tasks_app.models import Message, Question
from tasks_app.moderation import lock_person
from tasks_app.moderation_log import record, require_reason

if TYPE_CHECKING:
    from oasst.accounts.models import User


class QuestionEmpty(TextEmpty):
    """A moderator asks nothing."""

    default_message = _("Please write the question.")


class AnswerEmpty(TextEmpty):
    """Nothing but white space."""

    default_message = _("Your answer is empty. Please write something, or leave the question open.")


class NobodyToAsk(DomainError):
    """Whom it concerns can read no question."""

    code = "nobody_to_ask"
    status = 409
    default_message = _(
        "Nobody could answer: the account is banned or deleted, or no person of this site wrote "
        "the message."
    )


class AuthorToldLater(DomainError):
    """The moderator is to rank the message, and may not know yet whether a person wrote it."""

    code = "author_told_later"
    status = 409
    default_message = _(
        "You have an open task to rank messages of this tree. Rank or skip it first; then you can "
        "ask who wrote them."
    )


class AlreadyAsked(DomainError):
    """A question about the same thing waits for its answer."""

    code = "already_asked"
    status = 409
    default_message = _(
        "A question about this is open already: it stands on the person's page. Wait for the "
        "answer, then ask again."
    )


class AnsweredMeanwhile(DomainError):
    """A question is taken back that has its answer."""

    code = "answered_meanwhile"
    status = 409
    default_message = _("The question is answered already; the answer stands on its page.")


class QuestionWithdrawn(DomainError):
    """An answer to what was taken back."""

    code = "question_withdrawn"
    status = 409
    default_message = _("The moderators have taken this question back. It needs no answer.")


class QuestionNotFound(DomainError):
    """No such question, or one to somebody else."""

    code = "question_not_found"
    status = 404
    default_message = _("This question does not exist, or it was put to somebody else.")


class AlreadyAnswered(DomainError):
    """Another answer to a question that has one."""

    code = "already_answered"
    status = 409
    default_message = _("You have already answered this question. Your first answer is kept.")


def may_ask_author(message: Message, veil: reading.Veil) -> bool:
    """Whether to offer asking the author: somebody who can answer, whom the moderator may know of
    and does not meet at the desk. No query; needs `user`. `ask` has the last word."""
    person = message.user
    is_there = person is not None and person.is_active and not person.is_staff
    return is_there and veil.task(message) is None


@transaction.atomic
def ask_author(
    message_id: uuid.UUID, text: str, *, actor: Any, reason: str, now: datetime
) -> Question:
    """Ask whoever wrote a message about it; see `ask`. Raises MessageNotFound, AuthorToldLater."""
    message = Message.objects.filter(pk=message_id).first()
    if message is None:
        raise MessageNotFound
    if reading.to_rank([message.tree_id], actor):
        raise AuthorToldLater
    if message.user_id is None:
        raise NobodyToAsk
    return ask(message.user_id, text, message=message, actor=actor, reason=reason, now=now)


@transaction.atomic
def ask(
    person_id: uuid.UUID,
    text: str,
    *,
    actor: Any,
    reason: str,
    now: datetime,
    message: Message | None = None,
) -> Question:
    """Put a question to a person, about a message of theirs or in general.

    Sent twice by the same moderator it is one question. Locks the account. Raises QuestionEmpty,
    TextTooLong, PersonNotFound, NotYours, NobodyToAsk, AlreadyAsked.
    """
    text = _checked(text, MOST_ASKED, QuestionEmpty)
    require_reason(reason)
    person = lock_person(person_id, actor)
    if not person.is_active:
        raise NobodyToAsk
    waiting = Question.objects.waiting().filter(person=person, message=message).first()
    if waiting is not None:
        if (waiting.text, waiting.asked_by_id) != (text, actor.pk):
            raise AlreadyAsked
        return waiting
    question = Question.objects.create(
        person=person, message=message, text=text, asked_by=actor, asked_at=now
    )
    # Of the person alone: an entry about the message would tell those who are to rank it that a
    # person wrote it.
    told = {"question": question.pk}
    record(ModerationKind.ASK_PERSON, actor=actor, reason=reason, now=now, user=person, data=told)
    return question


@transaction.atomic
def withdraw(question_id: int, *, actor: Any, reason: str, now: datetime) -> Question:
    """Take a question back; who was told of it is told so. Twice is fine.

    Locks the account, then the question. Raises QuestionNotFound, AnsweredMeanwhile, NotYours.
    """
    require_reason(reason)
    found = Question.objects.filter(pk=question_id).first()
    if found is None:
        raise QuestionNotFound
    person = lock_person(found.person_id, actor)
    question = _locked(question_id, person)
    if question.answered_at:
        raise AnsweredMeanwhile
    if question.withdrawn_at is None:
        question.withdrawn_at = now
        question.save(update_fields=["withdrawn_at"])
        told, kind = {"question": question.pk}, ModerationKind.WITHDRAW_QUESTION
        record(kind, actor=actor, reason=reason, now=now, user=person, data=told)
    return question


def find(question_id: int, person: "User") -> Question:
    """A question to this person, with the message it is about. Raises QuestionNotFound."""
    rows = Question.objects.select_related("message").defer("message__search_vector")
    question = rows.filter(pk=question_id, person=person).first()
    if question is None:
        raise QuestionNotFound
    return question


@transaction.atomic
def answer(question_id: int, person: "User", text: str, *, now: datetime) -> Question:
    """Answer a question, once; muted people may. The same answer sent again is fine.

    Raises AnswerEmpty, TextTooLong, QuestionNotFound, AlreadyAnswered, QuestionWithdrawn.
    """
    text = _checked(text, MOST_ANSWERED, AnswerEmpty)
    question = _locked(question_id, person)
    if question.withdrawn_at:
        raise QuestionWithdrawn
    if question.answered_at:
        if question.answer != text:
            raise AlreadyAnswered
        return question
    question.answer, question.answered_at = text, now
    question.save(update_fields=["answer", "answered_at"])
    return question


def _locked(question_id: int, person: "User") -> Question:
    rows = Question.objects.select_for_update(no_key=True)
    question = rows.filter(pk=question_id, person=person).first()
    if question is None:
        raise QuestionNotFound
    return question


def _checked(text: str, limit: int, empty: type[DomainError]) -> str:
    text = text.strip()
    if not text:
        raise empty
    if len(text) > limit:
        raise TextTooLong(len(text), limit)
    return text
