"""The page on which a message is reviewed: what was not answered is not stored."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import interactions, moderation
from tasks_app.enums import FormMode, TaskType, TreeState
from tasks_app.models import Task, TextLabels
from tests.factories import GOOD, grow, hand_out, review
from tests.tasks_app.views import given

pytestmark = pytest.mark.django_db

FLAGS = ("lang_mismatch", "pii", "not_appropriate", "hate_speech", "sexual_content")
UNSET = dict.fromkeys(FLAGS, 0.0)


@pytest.fixture
def task(alice: User) -> Task:
    """A reply that Alice is to review."""
    return given.task(alice, TaskType.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])


def test_page_asks_for_spam_first_and_presets_nothing(web: Client, task: Task) -> None:
    page = web.get(given.url(task))

    assert page.status_code == 200
    assert page.text.index('name="spam"') < page.text.index('name="quality"')
    assert page.context["form"].initial in ({}, None)
    assert re.search(r'<input[^>]*name="spam"[^>]*required', page.text)
    chosen = re.findall(r"<input[^>]*checked[^>]*>", page.text)
    assert all('value=""' in tag for tag in chosen)


def test_flags_left_unset_are_no_and_other_labels_absent(web: Client, task: Task) -> None:
    answers = {"spam": "0", "quality": "0.75", "helpfulness": "", "pii": "on", "toxicity": "0"}

    response = web.post(given.url(task), answers)

    assert response.status_code == 302
    stored = TextLabels.objects.get(task=task).values
    assert stored == UNSET | {"spam": 0.0, "quality": 0.75, "toxicity": 0.0, "pii": 1.0}
    assert "helpfulness" not in stored


def test_submit_twice_has_one_effect(web: Client, task: Task) -> None:
    first = web.post(given.url(task), {"spam": "0"})
    second = web.post(given.url(task), {"spam": "0"})

    assert (first.status_code, second.status_code) == (302, 302)
    assert TextLabels.objects.filter(task=task).count() == 1


def undo_buttons(page: HttpResponse) -> list[str]:
    return re.findall(r'action="(/tasks/[^"]+/undo/)"', page.text)


def test_thanks_for_a_review_offer_to_take_it_back(web: Client, task: Task) -> None:
    page = web.post(given.url(task), {"spam": "0", "pii": "on"}, follow=True)
    assert undo_buttons(page) == [given.url(task, action="undo")]

    again = web.post(undo_buttons(page)[0], follow=True)

    assert again.redirect_chain == [(given.url(task), 302)]
    assert again.context["form"].initial == {"spam": "0", "pii": "on"}
    assert "Taken back" in again.text
    assert undo_buttons(again) == []


def test_undo_that_comes_too_late_says_why_and_goes_on(web: Client, task: Task, bob: User) -> None:
    review(task.message, GOOD, GOOD, now=timezone.now())
    web.post(given.url(task), {"spam": "0"})
    task.refresh_from_db()
    hand_out(bob, TaskType.PROMPTER_REPLY, task.message, now=timezone.now())

    page = web.post(given.url(task, action="undo"), follow=True)

    assert "Your review stays" in page.text
    assert TextLabels.objects.filter(task=task).exists()


def test_review_that_moved_the_conversation_on_is_not_offered_back(
    web: Client, alice: User
) -> None:
    grown = grow("P?2", state=TreeState.INITIAL_PROMPT_REVIEW)
    task = given.task(alice, TaskType.LABEL_INITIAL_PROMPT, grown.root)

    page = web.post(given.url(task), {"spam": "0"}, follow=True)

    assert "your review counts" in page.text
    assert undo_buttons(page) == []


def test_submit_of_another_answer_shows_the_stored_one(web: Client, task: Task) -> None:
    web.post(given.url(task), {"spam": "0", "quality": "1"})

    page = web.post(given.url(task), {"spam": "1"})

    assert page.status_code == 409
    assert "already submitted" in page.text
    assert "Very high" in page.text
    assert TextLabels.objects.get(task=task).values == UNSET | {"spam": 0.0, "quality": 1.0}


def test_submit_without_the_mandatory_answer_keeps_the_others(web: Client, task: Task) -> None:
    page = web.post(given.url(task), {"quality": "0.75", "pii": "on"})

    assert page.status_code == 422
    assert "Please answer this first." in page.text
    assert page.context["form"]["quality"].value() == "0.75"
    assert not TextLabels.objects.filter(task=task).exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spam", "2"),
        ("spam", "-1"),
        ("spam", "nan"),
        ("spam", "yes\x00"),
        ("quality", "0.3"),
        ("quality", "NaN"),
        ("quality", "Infinity"),
        ("quality", "1e400"),
        ("quality", "-0.25"),
        ("quality", "9" * 5000),
        ("fails_task", "0.5"),
    ],
)
def test_values_that_are_not_on_the_scale_are_refused(
    web: Client, task: Task, name: str, value: str
) -> None:
    page = web.post(given.url(task), {"spam": "0", name: value})

    assert page.status_code == 422
    assert not TextLabels.objects.filter(task=task).exists()


def test_labels_that_are_not_asked_for_are_not_stored(web: Client, task: Task) -> None:
    web.post(given.url(task), {"spam": "0", "political_content": "1", "nonsense": "1"})

    assert TextLabels.objects.get(task=task).values == UNSET | {"spam": 0.0}


def test_the_simple_form_asks_little_and_folds_the_rest(web: Client, task: Task) -> None:
    Task.objects.update(form_mode=FormMode.SIMPLE)

    page = web.get(given.url(task))

    assert set(page.context["form"].fields) == {"spam", "lang_mismatch", "quality"}
    assert page.text.index('name="spam"') < page.text.index('<details class="more-labels"')
    assert web.post(given.url(task), {"spam": "0"}).status_code == 302


def test_a_draft_of_a_review_comes_back(web: Client, task: Task) -> None:
    web.post(given.url(task, action="draft"), {"quality": "0.25", "pii": "on"})

    form = web.get(given.url(task)).context["form"]

    assert form["quality"].value() == "0.25"
    assert form["pii"].value() == "on"
    assert form["spam"].value() is None


def test_a_review_after_the_verdict_still_counts(web: Client, task: Task) -> None:
    message = task.message
    message.review_count, message.review_result = 3, True
    message.save()

    assert web.post(given.url(task), {"spam": "0"}).status_code == 302
    assert TextLabels.objects.filter(task=task).exists()


def test_a_review_of_a_stopped_tree_is_thanked_and_ends(
    web: Client, task: Task, mona: User
) -> None:
    moderation.halt_tree(task.tree_id, actor=mona, reason="test", now=timezone.now())

    page = web.post(given.url(task), {"spam": "0"})

    assert page.status_code == 409
    assert "Thank you!" in page.text
    assert given.url(task, action="skip") in page.text


def test_a_skipped_review_is_over(web: Client, task: Task, alice: User) -> None:
    interactions.skip(task.pk, alice, now=timezone.now())

    page = web.post(given.url(task), {"spam": "0"})

    assert page.status_code == 409
    assert not TextLabels.objects.filter(task=task).exists()
