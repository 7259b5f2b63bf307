"""What one can say about a message outside of tasks: emoji, reports, labels."""

import uuid

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import moderation
from tasks_app.enums import LabelKind
from tasks_app.models import Message, Reaction, Report, TextLabels
from tests.factories import grow

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

HTMX = {"HX-Request": "true"}


@pytest.fixture
def message(db: None) -> Message:
    """An accepted reply by somebody else."""
    return grow("P(A)")[1]


def url(message: Message, action: str) -> str:
    """The address of an action on a message."""
    return f"/messages/{message.pk}/{action}/"


def test_an_emoji_is_given_and_taken_back(web: Client, message: Message, alice: User) -> None:
    given = web.post(url(message, "react"), {"code": "+1"})

    assert given["Location"] == f"/messages/{message.pk}/"
    assert Reaction.objects.get(user=alice).code == "+1"
    web.post(url(message, "react"), {"code": "+1"})
    assert not Reaction.objects.exists()


def test_a_red_flag_is_only_set_by_a_report(web: Client, message: Message) -> None:
    refused = web.post(url(message, "react"), {"code": "red_flag"})

    assert refused.status_code == 400
    assert not Reaction.objects.exists()


def test_a_reaction_goes_back_to_where_it_was_given(web: Client, message: Message) -> None:
    back = f"/messages/?q=bread#m-{message.pk}"

    response = web.post(url(message, "react"), {"code": "+1", "next": back})

    assert response["Location"] == back


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_a_reaction_never_leads_off_the_site(web: Client, message: Message, evil: str) -> None:
    response = web.post(url(message, "react"), {"code": "+1", "next": evil})

    assert response["Location"] == f"/messages/{message.pk}/"


def test_a_reaction_by_script_brings_the_counts(web: Client, message: Message) -> None:
    page = web.post(url(message, "react"), {"code": "+1"}, headers=HTMX)

    assert page.status_code == 200
    assert "<html" not in page.text
    assert 'aria-pressed="true"' in page.text
    assert "<span>1</span>" in page.text


@pytest.mark.parametrize("code", ["", "nonsense", "_skip_reply", "+1\x00", "x" * 5000])
def test_an_emoji_that_does_not_exist_is_refused(web: Client, message: Message, code: str) -> None:
    assert web.post(url(message, "react"), {"code": code}).status_code == 400
    by_script = web.post(url(message, "react"), {"code": code}, headers=HTMX)
    assert "toast" in by_script["HX-Trigger"]
    assert not Reaction.objects.exists()


@pytest.mark.parametrize("action", ["react", "report", "labels"])
def test_nothing_is_said_about_what_one_does_not_see(web: Client, mona: User, action: str) -> None:
    grown = grow("P(A- A)")
    moderation.delete_message(grown[2].pk, actor=mona, reason="spam", now=timezone.now())
    fields = {"code": "+1", "category": "spam", "spam": "1"}

    for hidden in grown.messages[1:]:
        assert web.post(url(hidden, action), fields).status_code == 404
    assert web.post(f"/messages/{uuid.uuid4()}/{action}/", fields).status_code == 404
    assert not Reaction.objects.exists()


def test_a_report_reaches_the_moderators(web: Client, message: Message, alice: User) -> None:
    fields = {"category": "pii", "text": "a phone number"}

    response = web.post(url(message, "report"), fields)

    report = Report.objects.get()
    assert response["Location"] == f"/messages/{message.pk}/"
    assert (report.user, report.category, report.text) == (alice, "pii", "a phone number")


def test_a_report_by_script_closes_the_dialog(web: Client, message: Message) -> None:
    form = web.get(url(message, "report"), headers=HTMX)
    sent = web.post(url(message, "report"), {"category": "spam"}, headers=HTMX)

    assert "<html" not in form.text
    assert "dialog:done" in sent["HX-Trigger"]
    assert Report.objects.count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"category": "nonsense"},
        {"category": "spam", "text": "x" * 2001},
        {"category": "spam", "text": "\x00"},
        {"category": ["spam\x00"]},
    ],
)
def test_a_report_that_cannot_be_stored_comes_back(
    web: Client, message: Message, fields: dict[str, str]
) -> None:
    page = web.post(url(message, "report"), fields)
    by_script = web.post(url(message, "report"), fields, headers=HTMX)

    assert (page.status_code, by_script.status_code) == (422, 422)
    assert "<html" in page.text
    assert "<html" not in by_script.text
    assert not Report.objects.exists()


def test_labels_are_given_and_changed(web: Client, message: Message, alice: User) -> None:
    web.post(url(message, "labels"), {"quality": "0.5", "pii": "on"})
    web.post(url(message, "labels"), {"quality": "1"})

    stored = TextLabels.objects.get(user=alice)
    assert (stored.kind, stored.values) == (LabelKind.FREE, {"quality": 1.0})
    message.refresh_from_db()
    assert message.review_count == 3


@pytest.mark.parametrize("fields", [{}, {"quality": "0.3"}, {"spam": "NaN"}, {"quality": ""}])
def test_labels_that_say_nothing_come_back(
    web: Client, message: Message, alice: User, fields: dict[str, str]
) -> None:
    assert web.post(url(message, "labels"), fields).status_code == 422
    assert not TextLabels.objects.filter(user=alice).exists()


@pytest.mark.parametrize("action", ["react", "report", "labels"])
def test_forms_are_pages_of_their_own_without_scripts(
    web: Client, message: Message, action: str
) -> None:
    page = web.get(url(message, action))

    assert page.status_code == 200
    assert message.text in page.text
    assert "<html" in page.text
