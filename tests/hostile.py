"""Hostile markup, a check that a page took it for text, and people with work to attack."""

from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse
from django.utils import timezone

from chat_app import catalogue, conversations, sharing
from chat_app.models import (
    Chat,
    ChatMessage,
    CustomInstructions,
    Preset,
    ServedModel,
    Share,
    Vote,
)
from oasst.accounts.models import User
from tasks_app import moderation, questions, reactions
from tasks_app.config import change
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import (
    Draft,
    Message,
    MessageTree,
    ModerationAction,
    Question,
    Ranking,
    Report,
    Task,
    TreeTransition,
)
from tests import factories
from tests.chat_app import given
from tests.sessions import browser_of, cookie_of
from tests.training import given as training
from tests.undoing import undone
from training.models import Checkpoint

CANARY = "xss-canary"
TAG = f'"\'>]]>--></textarea></title></script><{CANARY} onload="canary()">'
NAME = f'"><{CANARY} onload=canary()>'
# Pages with other people's words, with placeholders that `Given.words` fills.
READ_BY_CONTRIBUTORS = ["/dashboard/", "/tasks/", "/messages/", "/messages/?mine=on&",
                        "/contributions/", "/account/", "/account/email/", "/account/delete/",
                        "/accounts/logout/", "/messages/{message}/", "/trees/{tree}/",
                        "/messages/{message}/report/", "/messages/{message}/labels/"]  # fmt: skip
CHAT = ["/chat/", "/chat/?q=canary&", "/chat/settings/", "/chat/{chat}/", "/chat/{chat}/settings/",
        "/chat/{chat}/rename/", "/chat/{chat}/delete/", "/chat/{chat}/share/",
        "/chat/{chat}/messages/{reply}/", "/chat/{chat}/messages/{reply}/?plain=on&",
        "/chat/{chat}/messages/{prompt}/edit/", "/chat/{chat}/messages/{reply}/report/",
        "/chat/shared/{shared}/", "/models/"]  # fmt: skip
WORK = ["/tasks/{writing}/", "/tasks/{review}/", "/tasks/{ranking}/", "/questions/{question}/",
        "/messages/{mine}/edit/", "/trees/{mine}/topics/"]  # fmt: skip
MODELS = ["message", "messagetree", "report", "task", "contribution", "moderationaction",
          "configchange"]  # fmt: skip
READ_BY_STAFF = ["/admin/", "/admin/search/?s=canary&extended=1&",
                 *(f"/admin/tasks_app/{model}/" for model in MODELS), "{people}/",
                 "{tasks}/message/{message}/change/", "{tasks}/messagetree/{tree}/change/",
                 "{tasks}/report/{report}/change/", "{tasks}/task/{writing}/change/",
                 "{people}/{alice}/change/", "{tasks}/message/{message}/act/delete/",
                 "{tasks}/message/{message}/act/edit/", "{people}/{alice}/act/notes/",
                 "{people}/{alice}/act/ban/", "{people}/{alice}/act/ask/",
                 "{tasks}/message/{message}/act/ask/",
                 "{tasks}/question/{question}/change/", "{tasks}/question/?state=all&"]  # fmt: skip

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
        with undone():
            if isinstance(data, bytes):
                return client.generic("POST", path, data, **options)
            send = client.get if path.endswith("?") else client.post
            return send(path.rstrip("?"), data, **options)


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
        "mine": _prompt_in_review(alice, now).pk,
        "question": _question_to(alice, people["mona"], now).pk,
        "alice": alice.pk,
        **_chat_of(alice, now),
        "profile": "display_name=Alice&contribution_languages=en&ui_language=en&theme=light",
        "tasks": "/admin/tasks_app",
        "people": "/admin/accounts/user",
        "prize": "title=x&starts_at=2026-01-01T00:00&ends_at=2026-02-01T00:00&places=3",
        **_staff_rows(),
        "autocomplete": "app_label=tasks_app&model_name=message&field_name=user",
    }
    return Given({name: cookie_of(user) for name, user in people.items()}, words)


def _question_to(user: User, mona: User, now: datetime) -> Question:
    """About a prompt of theirs."""
    mine = factories.grow("P", author=user, now=now)
    return questions.ask_author(mine.root.pk, "Why?", actor=mona, reason="x", now=now)


def _prompt_in_review(user: User, now: datetime) -> Message:
    """One of theirs that they may still change."""
    state = TreeState.INITIAL_PROMPT_REVIEW
    return factories.grow("P?", author=user, state=state, now=now).root


def _chat_of(user: User, now: datetime) -> dict[str, Any]:
    """A chat with a prompt, a reply with a thumb, a preset, instructions and a shared link."""
    chat, (prompt, reply) = given.thread(user, "Why is the sky blue?", "Because.", now=now)
    conversations.vote(reply, -1, now=now, reasons=["wrong"], text="x")
    catalogue.keep_preset(user, "mine", {}, now=now)
    CustomInstructions.objects.create(user=user, about_me="x", how_to_respond="x")
    shared = sharing.share(chat, now=now)
    complaint = conversations.report(reply, user, "wrong", "x", now=now)
    values = "preset=&temperature=1&repetition_penalty=1&max_new_tokens=9"
    return {
        "chat": chat.pk,
        "prompt": prompt.pk,
        "reply": reply.pk,
        "shared": shared.token,
        "values": values,
        "complaint": f"/admin/chat_app/chatreport/{complaint.pk}",
    }


def _staff_rows() -> dict[str, Any]:
    """A snapshot and a model that was trained."""
    training.snapshot("first")
    made = Checkpoint.objects.create(
        name="made", stage="ppo", path="made/final", weights_sha256="0" * 64
    )
    return {"checkpoint": f"/admin/training/checkpoint/{made.pk}"}


def poison_chat(text: str) -> None:
    """The same in the chat."""
    ChatMessage.objects.update(
        text=text,
        system_prompt=TAG,
        error=TAG,
        model_name=TAG,
        parameters={TAG: TAG, "stop": [TAG]},
    )
    Chat.objects.update(title=TAG[:100])
    Vote.objects.update(text=TAG)
    Preset.objects.update(name=NAME[:60])
    CustomInstructions.objects.update(about_me=TAG, how_to_respond=TAG)
    said = {"role": "assistant", "text": text, "model": TAG, "created_at": ""}
    Share.objects.update(title=TAG[:100], thread=[said])
    lineage = {TAG: TAG}
    ServedModel.objects.update(title=TAG, description=TAG, licence=TAG[:100], lineage=lineage)


def poison(given: Given, text: str = TAG) -> Given:
    """Make every text markup that anybody can have stored."""
    alice, now = User.objects.get(email="alice@example.org"), timezone.now()
    User.objects.update(display_name=NAME, notes=TAG)
    User.objects.filter(pk=alice.pk).update(email=f'"{TAG}"@example.org')
    Message.objects.update(
        text=text, provenance=TAG, imported_author=TAG, model_name=TAG, detected_lang=CANARY[:8]
    )
    moderation.edit_message(given.words["message"], f"{text} 2", actor=alice, reason=TAG, now=now)
    Report.objects.update(text=text, note=TAG)
    Question.objects.update(text=TAG, answer=TAG, answered_at=now)
    Ranking.objects.update(reason=TAG)
    Task.objects.update(skip_reason=TAG)
    MessageTree.objects.update(origin=TAG)
    # The log is append-only, so past its trigger.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        ModerationAction.objects.update(reason=TAG, data={TAG: TAG})
        cursor.execute("SET LOCAL session_replication_role = origin")
    TreeTransition.objects.update(reason=TAG)
    change("goal_tree_size", 9, actor=alice, reason=TAG, now=now)
    Draft.objects.update(body={"text": text})
    poison_chat(text)
    return given
