"""Questions of the moderators: asked once about a thing, answered once, told to nobody else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from oasst.accounts import roles
from oasst.accounts.models import User
from oasst.lib.errors import DomainError
from oasst.privacy import erase_person
from tasks_app import (
    digests,
    holding,
    moderation,
    notices,
    notifications,
    privacy,
    questions,
    reading,
)
from tasks_app.enums import ModerationKind, TaskType, TreeState
from tasks_app.errors import MessageNotFound, ReasonMissing, TextTooLong
from tasks_app.forms.notifications import WishesForm
from tasks_app.models import Message, ModerationAction, Question
from tasks_app.notice_records import Notification
from tests.factories import NOW, grow, hand_out, person
from tests.waiting import on_a_connection_of_its_own

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

SOON = NOW + timedelta(minutes=5)
ASK = "Where does the second paragraph come from?"


@pytest.fixture
def message(alice: User) -> Message:
    return grow("P(A)", authors={1: alice})[1]


def ask(message: Message, actor: User, text: str = ASK, **about: Any) -> Question:
    about = {"reason": "Reads like a copy.", "now": NOW} | about
    return questions.ask_author(message.pk, text, actor=actor, **about)


def test_question_is_put_to_the_author_and_logged(
    message: Message, alice: User, mona: User
) -> None:
    asked = ask(message, mona, f"  {ASK}\n")

    assert (asked.person, asked.message, asked.text, asked.asked_by) == (alice, message, ASK, mona)
    assert asked.is_open
    logged = ModerationAction.objects.get()
    assert (logged.action, logged.actor, logged.reason) == (
        ModerationKind.ASK_PERSON,
        mona,
        "Reads like a copy.",
    )
    # An entry about the message would tell who is to rank it that a person wrote it.
    assert (logged.user_id, logged.message_id) == (alice.pk, None)


@pytest.mark.parametrize(
    ("about", "error"),
    [
        ({"text": " \n"}, questions.QuestionEmpty),
        ({"text": "x" * 1001}, TextTooLong),
        ({"reason": " "}, ReasonMissing),
    ],
)
def test_question_needs_words_that_fit(
    message: Message, mona: User, about: dict[str, str], error: type[DomainError]
) -> None:
    with pytest.raises(error):
        ask(message, mona, **about)

    assert not Question.objects.exists()
    assert not ModerationAction.objects.exists()


def test_only_people_who_can_answer_are_asked(message: Message, mona: User, trudy: User) -> None:
    nobody, banned = grow("P(A)", authors={1: trudy})
    for asked in (nobody, banned):
        with pytest.raises(questions.NobodyToAsk):
            ask(asked, mona)
    message.pk = nobody.tree.copies.model().pk
    with pytest.raises(MessageNotFound):
        ask(message, mona)

    assert not Question.objects.exists()


def test_moderators_ask_no_colleague_and_not_themselves(mona: User, root: User) -> None:
    colleague = person("Max", role=roles.MODERATORS)
    for asked in (mona, colleague, root):
        with pytest.raises(moderation.NotYours):
            questions.ask(asked.pk, ASK, actor=mona, reason="why", now=NOW)
    questions.ask(colleague.pk, ASK, actor=root, reason="why", now=NOW)

    assert Question.objects.get().person == colleague


def test_author_is_not_given_away_to_who_is_about_to_rank(alice: User, mona: User) -> None:
    now = timezone.now()  # the database knows by its own clock what is open
    grown = grow("P(A A)", state=TreeState.RANKING, authors={1: alice}, now=now)
    hand_out(mona, TaskType.RANK_ASSISTANT_REPLIES, grown.root, now=now)

    for reply in (grown[1], grown[2]):  # of a person and of nobody: the same answer
        assert not questions.may_ask_author(reply, reading.veil([reply.tree_id], mona))
        with pytest.raises(questions.AuthorToldLater):
            ask(reply, mona)

    assert not Question.objects.exists()


def test_the_same_thing_is_asked_once_while_it_is_open(
    message: Message, alice: User, mona: User, root: User
) -> None:
    first = ask(message, mona)
    assert ask(message, mona) == first  # sent twice
    for actor, text in ((mona, "Another?"), (root, ASK)):
        with pytest.raises(questions.AlreadyAsked):
            ask(message, actor, text)
    questions.ask(alice.pk, ASK, actor=mona, reason="In general.", now=NOW)
    questions.answer(first.pk, alice, "My own notes.", now=SOON)
    again = ask(message, mona)

    assert Question.objects.count() == ModerationAction.objects.count() == 3
    assert again != first


def test_question_is_answered_once_by_whom_it_was_put_to(
    message: Message, alice: User, bob: User, mona: User
) -> None:
    asked = ask(message, mona)
    with pytest.raises(questions.QuestionNotFound):
        questions.answer(asked.pk, bob, "I know!", now=SOON)
    for text, error in ((" ", questions.AnswerEmpty), ("x" * 2001, TextTooLong)):
        with pytest.raises(error):
            questions.answer(asked.pk, alice, text, now=SOON)
    for _twice in range(2):
        questions.answer(asked.pk, alice, "My own notes.", now=SOON)
    with pytest.raises(questions.AlreadyAnswered):
        questions.answer(asked.pk, alice, "Or rather a book.", now=SOON)

    asked.refresh_from_db()
    assert (asked.answer, asked.answered_at) == ("My own notes.", SOON)


def test_muted_people_may_answer_and_nothing_else_changes(
    message: Message, alice: User, mona: User
) -> None:
    until = NOW + timedelta(days=1)
    moderation.mute_user(alice.pk, until=until, actor=mona, reason="why", now=NOW)
    before = Message.objects.values().get(pk=message.pk)
    asked = ask(message, mona)
    questions.answer(asked.pk, alice, "My own notes.", now=SOON)

    assert Message.objects.values().get(pk=message.pk) == before
    alice.refresh_from_db()
    assert alice.muted_until == until


# Taking back


def take_back(asked: Question, actor: User) -> Question:
    return questions.withdraw(asked.pk, actor=actor, reason="I found it.", now=SOON)


def test_question_taken_back_is_logged_and_answered_no_more(
    message: Message, alice: User, mona: User, root: User
) -> None:
    asked = ask(message, mona)
    for actor in (root, mona):
        assert take_back(asked, actor).withdrawn_at == SOON
    with pytest.raises(questions.QuestionWithdrawn):
        questions.answer(asked.pk, alice, "My own notes.", now=SOON)
    again = ask(message, mona)

    logged = ModerationAction.objects.get(action=ModerationKind.WITHDRAW_QUESTION)
    assert (logged.actor, logged.user_id, logged.message_id) == (root, alice.pk, None)
    assert (logged.reason, logged.data) == ("I found it.", {"question": asked.pk})
    assert list(Question.objects.waiting()) == [again]


def test_answered_questions_and_those_of_colleagues_are_not_taken_back(
    message: Message, alice: User, mona: User, root: User
) -> None:
    asked = ask(message, mona)
    questions.answer(asked.pk, alice, "My own notes.", now=SOON)
    colleague = person("Max", role=roles.MODERATORS)
    other = questions.ask(colleague.pk, ASK, actor=root, reason="why", now=NOW)

    for row, error in ((asked, questions.AnsweredMeanwhile), (other, moderation.NotYours)):
        with pytest.raises(error):
            take_back(row, mona)
    assert not Question.objects.exclude(withdrawn_at=None).exists()


# At the same time


def at_once(functions: list[Callable[[], Any]]) -> list[Any]:
    """What each gives, or the class of the rule that said no."""
    with ThreadPoolExecutor(len(functions)) as pool:
        running = [pool.submit(on_a_connection_of_its_own, each) for each in functions]
        return [each.result() for each in running]


@pytest.mark.django_db(transaction=True)
def test_question_sent_many_times_at_once_is_one(message: Message, mona: User, root: User) -> None:
    results = at_once([partial(ask, message, actor) for actor in (mona, root) * 4])

    [asked] = Question.objects.all()
    assert ModerationAction.objects.count() == 1
    # Whoever came first; to the other it is one that is open already.
    assert sorted(map(str, results)) == sorted(map(str, [asked, questions.AlreadyAsked] * 4))


@pytest.mark.django_db(transaction=True)
def test_answers_sent_at_once_leave_one(message: Message, alice: User, mona: User) -> None:
    asked = ask(message, mona)
    texts = [f"Answer {number}" for number in range(6)]
    sent = [partial(questions.answer, asked.pk, alice, text, now=SOON) for text in texts]
    results = at_once(sent)

    kept = Question.objects.get().answer
    refused = [result is questions.AlreadyAnswered for result in results]
    assert refused == [text != kept for text in texts]


# Being told


def tell(*, after: timedelta = timedelta(minutes=1)) -> int:
    return notifications.tell_news(now=NOW + after)


def test_each_question_is_told_alone_and_leads_to_its_page(
    message: Message, alice: User, mona: User
) -> None:
    first = ask(message, mona)
    second = questions.ask(alice.pk, "And?", actor=mona, reason="why", now=NOW)
    assert [tell() for _twice in range(2)] == [1, 0]

    told = Notification.objects.filter(user=alice).order_by("pk")
    assert [notices.target(row) for row in told] == [
        f"/questions/{first.pk}/",
        f"/questions/{second.pk}/",
    ]
    assert {notices.notice(row).text for row in told} == {"The moderators have a question for you."}
    assert ASK not in str([row.data for row in told])


def test_who_was_told_of_a_question_is_told_that_it_is_taken_back(
    message: Message, alice: User, mona: User
) -> None:
    asked = ask(message, mona)
    assert tell() == 1
    take_back(asked, mona)
    assert [tell(after=timedelta(minutes=10)) for _twice in range(2)] == [1, 0]

    newest = Notification.objects.filter(user=alice).latest("pk")
    assert notices.notice(newest).text.startswith("The moderators have taken a question back.")
    assert notices.target(newest) == f"/questions/{asked.pk}/"
    assert "I found it." not in notices.notice(newest).note


def test_what_is_taken_back_at_once_is_no_news(message: Message, mona: User) -> None:
    take_back(ask(message, mona), mona)

    assert tell(after=timedelta(minutes=10)) == 0


def test_what_is_answered_already_is_no_news(message: Message, alice: User, mona: User) -> None:
    questions.answer(ask(message, mona).pk, alice, "My own notes.", now=SOON)

    assert tell(after=timedelta(minutes=10)) == 0


def test_question_is_told_whatever_somebody_wishes(
    message: Message, alice: User, mona: User
) -> None:
    form = WishesForm({}, settings=notifications.settings_of(alice))
    assert form.is_valid()
    notifications.wish(alice, muted=form.muted(), weekly_digest=False, now=NOW)
    ask(message, mona)

    assert tell() == 1


def test_weekly_mail_tells_of_a_question_and_not_what_it_asks(
    message: Message, alice: User, mona: User
) -> None:
    notifications.wish(alice, muted=[], weekly_digest=True, now=NOW)
    ask(message, mona)
    tell()

    assert digests.send_due(now=NOW + digests.PERIOD) == 1
    [sent] = mail.outbox
    assert "The moderators have a question for you." in sent.body
    for secret in (ASK, mona.public_name):
        assert secret not in sent.body


# Privacy


def rows(user: User, section: str) -> list[dict[str, Any]]:
    return list(privacy.collect(user)[section])


def test_download_holds_questions_and_not_who_asked(
    message: Message, alice: User, bob: User, mona: User
) -> None:
    asked = ask(message, mona)
    questions.answer(asked.pk, alice, "My own notes.", now=SOON)

    [row] = rows(alice, "questions")
    assert (row["text"], row["answer"], row["message_id"]) == (ASK, "My own notes.", message.pk)
    assert str(mona.pk) not in str(row)
    assert mona.public_name not in str(row)
    assert rows(bob, "questions") == []


def test_download_tells_no_hold_by_why_somebody_was_asked(
    message: Message, alice: User, mona: User
) -> None:
    holding.hold_user(alice.pk, actor=mona, reason="A troll?", now=NOW)
    asked = ask(message, mona, reason="To know whether the hold stays.")
    take_back(asked, mona)
    alice.refresh_from_db()

    assert rows(alice, "moderation") == []
    assert [row["text"] for row in rows(alice, "questions")] == [ASK]


def test_questions_go_with_the_account(message: Message, alice: User, mona: User) -> None:
    asked = ask(message, mona)
    other = questions.ask(person("Carol").pk, ASK, actor=mona, reason="why", now=NOW)
    tell()
    erase_person(alice, now=SOON)

    assert list(Question.objects.all()) == [other]
    assert not Notification.objects.filter(user=alice).exists()
    with pytest.raises(questions.NobodyToAsk), transaction.atomic():
        ask(message, mona, "Once more?")
    assert not Question.objects.filter(pk=asked.pk).exists()


def test_question_outlives_the_moderator_who_asked(
    message: Message, alice: User, mona: User
) -> None:
    asked = ask(message, mona)
    erase_person(mona, now=SOON)
    questions.answer(asked.pk, alice, "My own notes.", now=SOON)

    assert Question.objects.get().answer == "My own notes."
