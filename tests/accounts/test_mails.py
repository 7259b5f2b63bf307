"""Sending: templates, failures of the mail server, lost queues, and the development mailbox."""

import smtplib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from oasst.accounts import jobs, mailbox
from oasst.accounts.models import EmailCode
from oasst.lib import emails
from tests.accounts.conftest import LOGIN, Ask, Post, read_mail, user_id

LOCAL = "django.core.mail.backends.locmem.EmailBackend"


class DeadServer(BaseEmailBackend):
    """A mail server that hangs up."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        raise smtplib.SMTPServerDisconnected("gone")


def test_mail_has_three_parts_and_speaks_for_the_site(client: Client, ask: Ask) -> None:
    sent = ask(client)
    message = mail.outbox[0]
    html = str(message.alternatives[0][0])

    assert message.subject == f"{sent.code} is your code for Open Assistant"
    assert message.from_email == "Open Assistant <noreply@localhost>"
    assert f"http://localhost:8000{sent.link}" in str(message.body)
    assert f'href="http://localhost:8000{sent.link}"' in html
    assert sent.code in html
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("name", ["email_changed", "account_deleted", "address_in_use"])
def test_every_notice_renders(name: str) -> None:
    context = {"name": "Alice <b>", "email": "alice@example.org"}

    message = emails.render(name, "alice@example.org", context, language="en")

    assert "\n" not in message.subject
    assert "Open Assistant" in str(message.body)
    assert "<b>" not in str(message.alternatives[0][0])


def test_dead_mail_server_is_told_and_tried_again(
    client: Client, post: Post, db: None, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.DeadServer"
    response = post(client, LOGIN, {"email": "alice@example.org"})
    page = client.get("/accounts/login/sent/").content.decode()

    assert response.status_code == 302
    assert "does not take the mail" in page
    assert "is on its way" not in page

    settings.EMAIL_BACKEND = LOCAL
    EmailCode.objects.update(next_send_at=timezone.now() - timedelta(seconds=10))
    jobs.send_code(str(EmailCode.objects.get().pk))
    assert "is on its way" in client.get("/accounts/login/sent/state/").content.decode()
    client.post(read_mail().link)
    assert user_id(client)


def test_failed_mail_waits_longer_each_time(
    client: Client, post: Post, db: None, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.DeadServer"
    post(client, LOGIN, {"email": "alice@example.org"})
    waits = []
    for _ in range(3):
        row = EmailCode.objects.get()
        waits.append((row.next_send_at - timezone.now()).total_seconds())
        jobs.send_code(str(row.pk))  # too early: does nothing
        assert EmailCode.objects.get().send_attempts == row.send_attempts
        EmailCode.objects.update(next_send_at=timezone.now())
        jobs.send_code(str(row.pk))

    assert [round(wait) for wait in waits] == [15, 30, 60]


def test_mail_lost_with_the_queue_is_sent_by_cron(
    client: Client,
    db: None,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client.post(LOGIN, {"email": "alice@example.org"})  # the queue never hears of it
    assert "mail waits to be sent" in client.get("/accounts/login/sent/").content.decode()
    EmailCode.objects.update(created_at=timezone.now() - timedelta(seconds=16))
    assert "longer than it should" in client.get("/accounts/login/sent/state/").content.decode()
    EmailCode.objects.update(next_send_at=timezone.now() - timedelta(seconds=10))

    with django_capture_on_commit_callbacks(execute=True):
        jobs.send_waiting_codes()

    assert len(mail.outbox) == 1
    client.post(read_mail().link)
    assert user_id(client)


def test_job_that_runs_twice_sends_one_mail(client: Client, ask: Ask) -> None:
    ask(client)

    jobs.send_code(str(EmailCode.objects.get().pk))

    assert len(mail.outbox) == 1


def test_nobody_gets_a_mail_an_hour_late(
    client: Client,
    db: None,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client.post(LOGIN, {"email": "alice@example.org"})
    early = timezone.now() - timedelta(minutes=61)
    EmailCode.objects.update(created_at=early, next_send_at=early)

    with django_capture_on_commit_callbacks(execute=True):
        jobs.send_waiting_codes()

    assert mail.outbox == []


@pytest.fixture
def dev(settings: Settings, tmp_path: Path) -> Path:
    """A development site with an empty mailbox."""
    settings.DEBUG = True
    settings.VAR_DIR = tmp_path
    settings.EMAIL_BACKEND = "oasst.accounts.mailbox.MailboxBackend"
    return tmp_path / "mailbox"


def test_mailbox_shows_mails_with_a_link_to_click(
    client: Client, post: Post, db: None, dev: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = client.get("/dev/mailbox/").content.decode()
    post(client, LOGIN, {"email": "alice@example.org"})

    listed = client.get("/dev/mailbox/").content.decode()
    page = client.get(f"/dev/mailbox/{mailbox.newest()[0].id}/").content.decode()

    assert "No mail yet" in empty
    assert "alice@example.org" in listed
    assert '<a href="http://localhost:8000/accounts/login/link/' in page
    assert "/accounts/login/link/" in capsys.readouterr().out


def test_mailbox_escapes_what_mails_say(client: Client, db: None, dev: Path) -> None:
    text = "<script>alert(1)</script> Größe"
    mail.send_mail("<i>Subject</i>", text, "a@example.org", ["b@example.org"])

    page = client.get(f"/dev/mailbox/{mailbox.newest()[0].id}/").content.decode()

    assert "<script>alert" not in page
    assert "<i>Subject" not in page
    assert "Größe" in page


def test_mailbox_keeps_the_newest(
    client: Client, dev: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MOST_MAILS", 3)
    for number in range(5):
        mail.send_mail(f"Mail {number}", "text", "a@example.org", ["b@example.org"])

    assert [m.subject for m in mailbox.newest()] == ["Mail 4", "Mail 3", "Mail 2"]
    assert len(list(dev.iterdir())) == 3


@pytest.mark.parametrize("mail_id", ["nonsense", "..", "1-00000000", "%2e%2e%2fservices"])
def test_mailbox_has_no_other_files(client: Client, db: None, dev: Path, mail_id: str) -> None:
    assert client.get(f"/dev/mailbox/{mail_id}/").status_code == 404


def test_mailbox_does_not_exist_in_production(
    client: Client, db: None, dev: Path, settings: Settings
) -> None:
    mail.send_mail("Subject", "text", "a@example.org", ["b@example.org"])
    settings.DEBUG = False

    assert client.get("/dev/mailbox/").status_code == 404
    assert client.get(f"/dev/mailbox/{mailbox.newest()[0].id}/").status_code == 404
