"""Hostile markup, a check that a page took it for text, and people with work to attack."""

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from tasks_app import reactions
from tasks_app.enums import TaskType, TreeState
from tests import factories
from tests.sessions import browser_of, cookie_of

CANARY = "xss-canary"
TAG = f'"\'>]]>--></textarea></title></script><{CANARY} onload="canary()">'
NAME = f'"><{CANARY} onload=canary()>'
URL_ATTRIBUTES = {"href", "src", "action", "formaction", "data", "xlink:href", "srcset"}


class Injections(HTMLParser):
    """What of a page is markup that came out of somebody's text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_script = tag in {"script", "style"}
        if tag == CANARY:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            scheme = (value or "").strip().lower().partition(":")[0]
            is_code = name.startswith(("on", "x-", "@", ":", "hx-on", "style"))
            if "canary" in name or (is_code and "canary" in (value or "")):
                self.found.append(f"<{tag} {name}={value}>")
            if name in URL_ATTRIBUTES and scheme in {"javascript", "vbscript"}:
                self.found.append(f"<{tag} {name}={value}>")

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script and "canary" in data:
            self.found.append(data)


def check(response: HttpResponse) -> None:
    """No crash, nothing injected, no way off the site, no header of the sender's."""
    assert response.status_code < 500
    assert "evil.example" not in response.get("Location", "").partition("?")[0]
    assert response.get("Location", "/").startswith(("/", "?"))
    assert not response.get("Location", "").startswith("//")
    assert "a" not in response.cookies
    if response.get("Content-Type", "").startswith("text/html") and b"canary" in response.content:
        assert Injections(response.content.decode()).found == []


@dataclass
class Given:
    """Alice has a task of each sort and may say something about a message of Bob's."""

    sessions: dict[str, str]
    words: dict[str, Any]  # for the placeholders in addresses

    def send(
        self, who: str, path: str, data: Any = None, *, strict: bool = False, **options: Any
    ) -> HttpResponse:
        """The answer to a request, whose effects are undone. A `?` at the end makes it a GET."""
        client = browser_of(self.sessions.get(who), strict=strict)
        with transaction.atomic():
            if isinstance(data, bytes):
                response = client.generic("POST", path, data, **options)
            else:
                send = client.get if path.endswith("?") else client.post
                response = send(path.rstrip("?"), data, **options)
            transaction.set_rollback(True)
        return response


def arrange() -> Given:
    """The same for every test. Needs the database."""
    now = timezone.now()
    people = {name: getattr(factories, name)() for name in ("alice", "bob", "mona", "root")}
    alice = people["alice"]
    grown = factories.grow("P(A(P) A?)", author=people["bob"], now=now)
    ranked = factories.grow("P(A A A)", state=TreeState.RANKING, now=now)
    writing = factories.hand_out(alice, TaskType.ASSISTANT_REPLY, grown[2], now=now)
    review = factories.hand_out(alice, TaskType.LABEL_ASSISTANT_REPLY, grown[3], now=now)
    ranking = factories.hand_out(alice, TaskType.RANK_ASSISTANT_REPLIES, ranked.root, now=now)
    report = reactions.report(grown[1].pk, alice, "spam", "x", now=now)
    words = {
        "writing": writing.pk,
        "review": review.pk,
        "ranking": ranking.pk,
        "first": ranking.shown_ids[0],
        "places": "&".join(f"place_{pk}=1" for pk in ranking.shown_ids),
        "message": grown[1].pk,
        "tree": grown.tree.pk,
        "report": report.pk,
        "alice": alice.pk,
        "profile": "display_name=Alice&contribution_languages=en&ui_language=en&theme=light",
        "tasks": "/admin/tasks_app",
        "people": "/admin/accounts/user",
        "autocomplete": "app_label=tasks_app&model_name=message&field_name=user",
    }
    return Given({name: cookie_of(user) for name, user in people.items()}, words)
