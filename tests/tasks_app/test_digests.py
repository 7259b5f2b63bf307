"""The weekly mail: only where wished for, once, and ended by one click."""

from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.test import Client

from oasst.accounts.models import User
from tasks_app import digests, notifications
from tasks_app.notice_records import Notification, NotificationSettings
from tests.factories import NOW

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)


def wish(user: User) -> None:
    notifications.wish(user, muted=[], weekly_digest=True, now=NOW)


def tell(user: User, *, now: datetime = NOW + timedelta(days=1)) -> None:
    data = {"reason": "Names a person.", "act": "removed"}
    Notification.objects.create(user=user, kind="removed", data=data, created_at=now)


def test_it_comes_once_a_week_to_those_who_wish_for_it(alice: User, bob: User) -> None:
    wish(alice)
    for user in (alice, bob):
        tell(user)

    sent = [digests.send_due(now=NOW + each) for each in (WEEK / 2, WEEK, WEEK)]

    assert sent == [0, 1, 0]
    [message] = mail.outbox
    assert message.to == [alice.email]
    assert "A message of yours was removed." in message.body
    assert "Names a person." in str(message.alternatives[0].content)


def test_a_week_without_news_has_no_mail(alice: User) -> None:
    wish(alice)
    tell(alice, now=NOW - timedelta(days=1))

    assert digests.send_due(now=NOW + WEEK) == 0
    assert mail.outbox == []


def test_a_mail_server_that_is_away_is_tried_again(
    alice: User, settings: pytest.FixtureRequest
) -> None:
    wish(alice)
    tell(alice)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    assert digests.send_due(now=NOW + WEEK) == 0

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert digests.send_due(now=NOW + WEEK) == 1


def test_one_click_ends_it_without_signing_in(alice: User) -> None:
    wish(alice)
    tell(alice)
    digests.send_due(now=NOW + WEEK)
    headers = mail.outbox[0].extra_headers
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = headers["List-Unsubscribe"].strip("<>").partition("8000")[2]
    anybody = Client(enforce_csrf_checks=True)

    assert anybody.get(url).status_code == 200
    assert NotificationSettings.objects.get().weekly_digest
    assert anybody.post(url, {"List-Unsubscribe": "One-Click"}).status_code == 200

    assert not NotificationSettings.objects.get().weekly_digest
    assert anybody.post(url + "x").status_code == 404


def test_a_forged_link_ends_nobodys_mails(alice: User) -> None:
    wish(alice)

    assert Client().post(f"/notifications/unsubscribe/{alice.pk}:forged/").status_code == 404
    assert NotificationSettings.objects.get().weekly_digest
