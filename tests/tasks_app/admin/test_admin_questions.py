"""Asking people at the desk, and reading there what they answered."""

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import moderation, questions, reactions
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, Question, Report
from tests.factories import grow, hand_out, person
from tests.tasks_app.admin.desk import WHY, act_on, found, list_of, page_of, told

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

ASK = {"text": "Where is this from?"} | WHY


@pytest.fixture
def message(bob: User) -> Message:
    return grow("P(A)", authors={1: bob}, now=timezone.now())[1]


@pytest.fixture
def report(alice: User, message: Message) -> Report:
    return reactions.report(message.pk, alice, "spam", "", now=timezone.now())


def test_question_is_asked_from_a_person_a_message_and_a_report(
    moderator: Client, bob: User, report: Report
) -> None:
    asked = []
    for row in (bob, report.message, report):
        response = moderator.post(act_on(row, "ask"), ASK)

        assert response["Location"] == page_of(row)
        assert told(response)[-1:] == ["The question is asked. The answer will stand on this page."]
        asked.append(Question.objects.latest("pk"))
        Question.objects.update(answer="x", answered_at=timezone.now())

    assert [row.message for row in asked] == [None, report.message, report.message]
    assert {row.person for row in asked} == {bob}


def test_form_keeps_what_was_written_when_it_is_refused(
    moderator: Client, root: User, message: Message
) -> None:
    questions.ask_author(message.pk, "Why?", actor=root, reason="why", now=timezone.now())
    response = moderator.post(act_on(message, "ask"), ASK)
    empty = moderator.post(act_on(message, "ask"), {"text": " ", "reason": "A copy."})

    assert "A question about this is open already" in response.text
    assert f"{ASK['text']}</textarea>" in response.text
    assert "Please write the question." in empty.text
    assert "A copy.</textarea>" in empty.text
    assert Question.objects.count() == 1


def test_report_that_a_colleague_works_on_is_left_to_them(
    moderator: Client, root: User, report: Report
) -> None:
    moderation.claim_report(report.pk, actor=root, now=timezone.now())
    response = moderator.post(act_on(report, "ask"), ASK)

    assert "Another moderator is working on this report." in response.text
    assert not Question.objects.exists()


def test_pages_lead_to_asking_where_somebody_can_answer(
    moderator: Client, bob: User, mona: User, report: Report
) -> None:
    for row in (bob, report.message, report):
        assert f'href="{act_on(row, "ask")}" data-shortcut="q"' in moderator.get(page_of(row)).text
    for row in (mona, grow("P").root, grow("P", author=person("Gone", is_active=False)).root):
        assert act_on(row, "ask") not in moderator.get(page_of(row)).text


def test_button_does_not_tell_whether_a_person_wrote_what_is_to_be_ranked(
    moderator: Client, mona: User, root: User, bob: User
) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING, authors={1: bob}, now=timezone.now())
    hand_out(mona, TaskType.RANK_ASSISTANT_REPLIES, grown.root, now=timezone.now())
    asked = questions.ask_author(grown[1].pk, "Why?", actor=root, reason="w", now=timezone.now())

    page = moderator.get(page_of(grown[1])).text
    assert act_on(grown[1], "ask") not in page
    assert "Why?" not in page
    assert "Why?" not in moderator.get(page_of(bob)).text
    assert found(moderator.get(list_of(Question))) == []
    assert moderator.get(page_of(asked)).status_code == 302
    assert "Asked a person" not in page


def test_list_shows_what_is_open_and_on_demand_what_is_answered(
    moderator: Client, bob: User, mona: User, message: Message
) -> None:
    first = questions.ask(bob.pk, "One?", actor=mona, reason="why", now=timezone.now())
    second = questions.ask_author(message.pk, "Two?", actor=mona, reason="w", now=timezone.now())
    questions.answer(first.pk, bob, "Yes, one.", now=timezone.now())

    assert found(moderator.get(list_of(Question))) == [second]
    assert found(moderator.get(list_of(Question) + "?state=answered")) == [first]
    assert found(moderator.get(list_of(Question) + "?state=all")) == [second, first]
    assert "Yes, one." in moderator.get(page_of(first)).text
    assert message.text in moderator.get(page_of(second)).text


def test_answer_stands_on_the_pages_from_which_it_was_asked(
    moderator: Client, bob: User, mona: User, report: Report
) -> None:
    pk = report.message_id
    asked = questions.ask_author(pk, "Why?", actor=mona, reason="why", now=timezone.now())
    questions.answer(asked.pk, bob, "<b>Because.", now=timezone.now())

    for row in (bob, report.message, report):
        page = moderator.get(page_of(row)).text
        assert page_of(asked) in page
        assert "&lt;b&gt;Because." in page


def test_question_is_taken_back_from_its_page(
    moderator: Client, bob: User, mona: User, message: Message
) -> None:
    open_, answered = (
        questions.ask(bob.pk, "One?", actor=mona, reason="why", now=timezone.now()),
        questions.ask_author(message.pk, "Two?", actor=mona, reason="w", now=timezone.now()),
    )
    questions.answer(answered.pk, bob, "Yes.", now=timezone.now())
    assert act_on(answered, "withdraw") not in moderator.get(page_of(answered)).text
    assert act_on(open_, "withdraw") in moderator.get(page_of(open_)).text

    moderator.post(act_on(open_, "withdraw"), WHY)

    assert "Taken back before there was an answer." in moderator.get(page_of(open_)).text
    assert found(moderator.get(list_of(Question))) == []
    assert found(moderator.get(list_of(Question) + "?state=withdrawn")) == [open_]


def test_overview_counts_what_is_open(moderator: Client, bob: User, mona: User) -> None:
    asked = questions.ask(bob.pk, "One?", actor=mona, reason="why", now=timezone.now())
    assert moderator.get("/admin/").context["questions"] == 1

    questions.answer(asked.pk, bob, "Yes.", now=timezone.now())

    assert moderator.get("/admin/").context["questions"] == 0
