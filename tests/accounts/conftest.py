"""What tests of accounts share: asking for a mail and reading what it carries."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

LOGIN = "/accounts/login/"


@dataclass
class SentMail:
    """A mail's recipient and its two secrets."""

    to: str
    link: str
    code: str
    text: str


def read_mail(number: int = -1) -> SentMail:
    """One of the mails sent so far, the newest unless told otherwise."""
    message = mail.outbox[number]
    body = str(message.body)
    urls = [url for url in re.findall(r"https?://\S+", body) if "/link/" in url]
    codes = re.findall(r"\b\d{6}\b", body)
    return SentMail(
        to=message.to[0],
        link=urlsplit(urls[0]).path if urls else "",
        code=codes[0] if codes else "",
        text=body,
    )


Ask = Callable[..., SentMail]
Post = Callable[..., HttpResponse]


@pytest.fixture
def post(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Post:
    """Send a form and let the jobs run that it queued."""

    def send(client: Client, path: str, fields: dict | None = None, **extra: str) -> HttpResponse:
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(path, fields or {}, **extra)

    return send


@pytest.fixture
def ask(db: None, post: Post) -> Ask:
    """Ask for a sign-in mail as `client` and read it."""

    def send(client: Client, email: str = "alice@example.org", next_url: str = "") -> SentMail:
        response = post(client, LOGIN, {"email": email, "next": next_url})
        assert response.status_code == 302, response.content.decode()
        return read_mail()

    return send


def user_id(client: Client) -> str | None:
    """Who is signed in, by the session."""
    return client.session.get("_auth_user_id")
