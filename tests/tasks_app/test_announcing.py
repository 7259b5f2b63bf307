"""Reports are told to the team's chat, over a real connection, and nothing of anybody with them."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.exceptions import ImproperlyConfigured

from oasst.accounts.models import User
from oasst.lib import webhook
from tasks_app import announcing, reactions
from tasks_app.models import Report
from tests.factories import NOW, grow

WORDS = "The telephone number of Bob"


@dataclass
class Receiver:
    """A server on this machine that remembers what it got."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[str, dict]] = field(default_factory=list)


@pytest.fixture
def receiver(settings: object) -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append((self.path, json.loads(body)))
            self.send_response(kept.status)
            for name, value in kept.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}/hook?key=1"
    settings.REPORT_WEBHOOK_URL = kept.url  # type: ignore[attr-defined]
    settings.REPORT_WEBHOOK_FORMAT = announcing.GENERIC  # type: ignore[attr-defined]
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def report(alice: User, bob: User) -> Report:
    return reactions.report(grow("P(A)", author=bob)[1].pk, alice, "pii", WORDS, now=NOW)


def test_report_is_told_once_and_names_nobody(
    receiver: Receiver, report: Report, alice: User, bob: User
) -> None:
    assert [announcing.announce(now=NOW), announcing.announce(now=NOW)] == [1, 0]

    [(path, body)] = receiver.got
    assert path == "/hook?key=1"
    assert (body["category"], body["severity"], body["lang"]) == ("pii", 5, "en")
    assert body["url"].endswith(f"/admin/tasks_app/report/{report.pk}/change/")
    for secret in (WORDS, report.message.text, str(alice.pk), str(bob.pk), "alice", "Bob"):
        assert secret not in json.dumps(body), secret


@pytest.mark.parametrize(("form", "key"), [("discord", "content"), ("slack", "text")])
def test_chats_get_a_sentence_and_a_link(report: Report, form: str, key: str) -> None:
    said = announcing.message(report, form)[key]

    assert said.startswith("New report: ")
    assert str(report.pk) in said
    assert WORDS not in said


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_is_not_delivered_is_tried_again(
    receiver: Receiver, report: Report, status: int
) -> None:
    receiver.status, receiver.headers = status, {"Location": receiver.url}

    with pytest.raises(webhook.NotDelivered, match=str(status)):
        announcing.announce(now=NOW)
    assert len(receiver.got) == 1  # a redirect was not followed

    receiver.status = 200
    assert announcing.announce(now=NOW) == 1


def test_nobody_there_is_an_error_that_names_no_address(
    receiver: Receiver, report: Report, settings: object
) -> None:
    settings.REPORT_WEBHOOK_URL = "http://127.0.0.1:9/secret"  # type: ignore[attr-defined]

    with pytest.raises(webhook.NotDelivered) as refused:
        announcing.announce(now=NOW)
    assert "secret" not in str(refused.value)
    assert Report.objects.get().announced_at is None


def test_without_a_webhook_nothing_is_sent(
    receiver: Receiver, report: Report, settings: object
) -> None:
    settings.REPORT_WEBHOOK_URL = ""  # type: ignore[attr-defined]

    assert announcing.announce(now=NOW) == 0
    assert receiver.got == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "ftp://example.org/hook",
        "file:///etc/passwd",
        "https:///hook",
        "https://name:secret@example.org/",
    ],
)
def test_addresses_that_are_not_safe_are_refused_at_the_start(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="REPORT_WEBHOOK_URL") as refused:
        webhook.checked("REPORT_WEBHOOK_URL", url)
    assert "secret@" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "https://example.org/hook", "http://localhost:9/hook"])
def test_safe_addresses_are_taken(url: str) -> None:
    assert webhook.checked("REPORT_WEBHOOK_URL", url) == url
