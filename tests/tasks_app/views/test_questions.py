"""The page on which a person reads a question of the moderators and answers it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import holding, moderation, pacing, questions
from tasks_app.models import Message, Question
from tests.factories import grow
from tests.sessions import SignIn

pytestmark = pytest.mark.django_db

ASK = "Where is this from?"


@pytest.fixture
def message(alice: User) -> Message:
    return grow("P(A)", authors={1: alice})[1]


@pytest.fixture
def asked(message: Message, mona: User) -> Question:
    now = timezone.now()
    return questions.ask_author(message.pk, ASK, actor=mona, reason="A copy?", now=now)


def url(question: Question) -> str:
    return f"/questions/{question.pk}/"


def stored(question: Question) -> str:
    question.refresh_from_db()
    return question.answer


def test_page_shows_the_question_with_its_message_and_no_moderator(
    web: Client, asked: Question, message: Message, mona: User
) -> None:
    page = web.get(url(asked)).text

    assert ASK in page
    assert message.text in page
    assert "The moderators" in page
    for secret in (mona.public_name, str(mona.pk), "A copy?"):
        assert secret not in page


def test_answer_is_kept_and_shown(web: Client, asked: Question) -> None:
    response = web.post(url(asked), {"text": "My own\r\nnotes."}, follow=True)

    assert stored(asked) == "My own\nnotes."
    assert "My own" in response.text
    assert "<textarea" not in response.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Please write an answer, or leave the question open."),
        (" \n ", "Please write an answer, or leave the question open."),
        ("x" * 2001, "at most 2000 characters (it has 2001)"),
        ("a\x00b", "characters that cannot be stored"),
    ],
)
def test_answer_that_does_not_fit_is_explained_and_kept_in_the_form(
    web: Client, asked: Question, text: str, words: str
) -> None:
    response = web.post(url(asked), {"text": text})

    assert response.status_code == 422
    assert words in response.text
    assert text.strip() in response.context["form"]["text"].value()
    assert stored(asked) == ""


def test_question_taken_back_says_so_and_shows_the_answer_to_be_copied(
    web: Client, asked: Question, mona: User
) -> None:
    questions.withdraw(asked.pk, actor=mona, reason="Found.", now=timezone.now())
    page = web.get(url(asked)).text
    late = web.post(url(asked), {"text": "My own notes."})

    for text in (page, late.text):
        assert text.count("The moderators have taken this question back.") == 1
        assert "<textarea" not in text
    assert (late.status_code, "My own notes." in late.text) == (409, True)
    assert stored(asked) == ""


def test_second_answer_is_refused_and_shown_to_be_copied(web: Client, asked: Question) -> None:
    web.post(url(asked), {"text": "My own notes."})
    again = web.post(url(asked), {"text": "My own notes."})
    other = web.post(url(asked), {"text": "Or a book."})

    assert (again.status_code, other.status_code) == (302, 409)
    assert "Your first answer is kept." in other.text
    assert "Or a book." in other.text
    assert stored(asked) == "My own notes."


def test_too_many_tries_keep_what_was_written(web: Client, alice: User, asked: Question) -> None:
    while pacing.count_answer(alice).allowed:
        pass

    response = web.post(url(asked), {"text": "My own notes."})

    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    assert "send it again in" in response.text
    assert "My own notes.</textarea>" in response.text
    assert stored(asked) == ""


def test_question_is_nobody_elses(sign_in: SignIn, bob: User, mona: User, asked: Question) -> None:
    for other in (bob, mona):
        web = sign_in(other)
        assert web.get(url(asked)).status_code == 404
        assert web.post(url(asked), {"text": "x"}).status_code == 404
    assert stored(asked) == ""


def test_muted_people_may_answer(web: Client, alice: User, mona: User, asked: Question) -> None:
    now = timezone.now()
    until = now + timedelta(days=1)
    moderation.mute_user(alice.pk, until=until, actor=mona, reason="why", now=now)
    web.post(url(asked), {"text": "My own notes."})

    assert stored(asked) == "My own notes."


def test_held_people_see_the_same_page(
    web: Client, alice: User, mona: User, asked: Question
) -> None:
    before = web.get(url(asked)).text
    holding.hold_user(alice.pk, actor=mona, reason="why", now=timezone.now())
    Message.objects.filter(pk=asked.message_id).update(
        held=True, review_result=None, review_count=0
    )

    after = web.get(url(asked)).text

    assert "held" not in after.lower()
    assert _without_changes(after) == _without_changes(before)


def _without_changes(page: str) -> list[str]:
    """Lines of a page without those that differ from one request to the next."""
    return [
        line for line in page.splitlines() if not any(w in line.lower() for w in ("csrf", "nonce"))
    ]


def test_removed_message_is_not_shown_again(
    web: Client, mona: User, asked: Question, message: Message
) -> None:
    moderation.delete_message(message.pk, actor=mona, reason="why", now=timezone.now())

    page = web.get(url(asked)).text

    assert message.text not in page
    assert "This message was deleted." in page


def test_page_needs_the_same_queries_for_more_questions(
    web: Client, alice: User, mona: User, asked: Question
) -> None:
    web.get(url(asked))
    with CaptureQueriesContext(connection) as one:
        web.get(url(asked))
    for _number in range(2):
        other = grow("P", author=alice).root
        questions.ask_author(other.pk, ASK, actor=mona, reason="why", now=timezone.now())
    with CaptureQueriesContext(connection) as three:
        web.get(url(asked))

    assert len(three) == len(one)
