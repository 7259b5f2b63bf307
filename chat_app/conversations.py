"""What a person does with a chat: start, say, look around, judge, put away.

Every function that changes the tree of a chat locks the chat's row first. Replies: replies.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction

from chat_app import catalogue, notices, protocol, safety, search_filling, streams
from chat_app.enums import Hold, MessageState, ReportKind, Role, VoteReason
from chat_app.errors import (
    BadParent,
    ChatNotFound,
    ChatTooLong,
    InvalidVote,
    KeyReused,
    ReplyUnderWay,
    TextEmpty,
    TextHeld,
    TextInvalid,
    TextTooLong,
)
from chat_app.inference.sampling import PRESETS
from chat_app.models import (
    TITLE_LENGTH,
    Chat,
    ChatMessage,
    ChatReport,
    DraftChoice,
    ServedModel,
    Vote,
)
from chat_app.titles import title_for
from oasst.lib.characters import UNSTORABLE
from oasst.lib.search import sql

if TYPE_CHECKING:
    from oasst.accounts.models import User

MAX_VOTE_TEXT = 2000


# Finding


def of(user: User, chat_id: UUID) -> Chat:
    """The person's own chat. Raises ChatNotFound."""
    chat = Chat.objects.of(user).select_related("model").filter(pk=chat_id).first()
    if chat is None:
        raise ChatNotFound
    return chat


def message_of(chat: Chat, message_id: UUID) -> ChatMessage:
    """A message of this chat. Raises ChatNotFound."""
    message = chat.messages.filter(pk=message_id).first()
    if message is None:
        raise ChatNotFound
    return message


# The tree


@dataclass(frozen=True)
class Place:
    """One message of a thread, among its siblings, oldest first."""

    message: ChatMessage
    siblings: list[ChatMessage]

    @property
    def number(self) -> int:
        """Place among the siblings, from 1."""
        return self.siblings.index(self.message) + 1

    @property
    def earlier(self) -> ChatMessage | None:
        place = self.siblings.index(self.message)
        return self.siblings[place - 1] if place else None

    @property
    def later(self) -> ChatMessage | None:
        place = self.siblings.index(self.message)
        return self.siblings[place + 1] if place + 1 < len(self.siblings) else None


def view(chat: Chat) -> list[Place]:
    """The thread in view with everyone's siblings, from the root. One query, votes included."""
    messages = chat.messages.select_related("vote", "draft_choice", "model")
    return places(messages, chat.tail_id)


def outline(chat: Chat) -> list[Place]:
    """The thread in view like `view`, but of each message only where it stands. One query."""
    columns = ("chat_id", "parent_id", "role", "state", "created_at", "queued_at")
    return places(chat.messages.only(*columns), chat.tail_id)


def places(messages: Iterable[ChatMessage], tail_id: UUID | None) -> list[Place]:
    """Walk from the tail to its root. Without a tail: the newest branch."""
    by_id = {message.pk: message for message in messages}
    children = _children(by_id.values())
    leaf = by_id.get(tail_id) if tail_id else None
    leaf = leaf or _newest_leaf(None, children)
    found = []
    while leaf is not None:
        found.append(Place(leaf, children[leaf.parent_id]))
        leaf = by_id[leaf.parent_id] if leaf.parent_id else None
    return found[::-1]


def thread(tail: ChatMessage) -> list[ChatMessage]:
    """The messages from the root to `tail`. One query."""
    messages = ChatMessage.objects.filter(chat_id=tail.chat_id, depth__lte=tail.depth)
    return [place.message for place in places(messages, tail.pk)]


def siblings(message: ChatMessage) -> list[ChatMessage]:
    """The message and those with the same parent, oldest first."""
    same = ChatMessage.objects.filter(chat_id=message.chat_id, parent_id=message.parent_id)
    return list(same.order_by("created_at", "id"))


def _children(messages: Iterable[ChatMessage]) -> Mapping[UUID | None, list[ChatMessage]]:
    children: dict[UUID | None, list[ChatMessage]] = defaultdict(list)
    for message in sorted(messages, key=lambda message: (message.created_at, message.pk)):
        children[message.parent_id].append(message)
    return children


def _newest_leaf(
    start: ChatMessage | None, children: Mapping[UUID | None, list[ChatMessage]]
) -> ChatMessage | None:
    leaf = start
    while below := children[leaf.pk if leaf else None]:
        leaf = below[-1]
    return leaf


# Saying


def start(user: User, *, now: datetime, model: ServedModel | None = None) -> Chat:
    """Begin an empty chat with the given or the default model."""
    return Chat.objects.create(user=user, **_beginnings(model, now))


def start_once(
    user: User, sending: str, *, now: datetime, model: ServedModel | None = None
) -> tuple[Chat, bool]:
    """Begin an empty chat, or find the one begun by the same `sending`; whether it is new.

    Who comes second waits for the first one's transaction.
    """
    chat_id = uuid5(user.pk, sending)
    return Chat.objects.get_or_create(id=chat_id, user=user, defaults=_beginnings(model, now))


def _beginnings(model: ServedModel | None, now: datetime) -> dict[str, Any]:
    model = model or catalogue.default()
    preset = catalogue.preset_of(model)
    return {
        "model": model,
        "preset": preset,
        "parameters": PRESETS[preset].to_dict(),
        "lang": sql.OTHER,
        "created_at": now,
        "modified_at": now,
    }


@transaction.atomic
def say(
    chat: Chat,
    user: User,
    text: str,
    *,
    now: datetime,
    parent: ChatMessage | None = None,
    key: UUID | None = None,
) -> ChatMessage:
    """Store what the person says after `parent`; the same `key` again gives the same message.

    Without a parent it begins the chat, or a branch of its first prompt; editing a prompt is
    saying something else after its parent. Raises the errors about texts, parents and holds.
    """
    lock(chat, user)
    text = _checked(text)
    known = chat.messages.filter(key=key).first() if key else None
    if known is not None:
        if known.text != text:
            raise KeyReused
        return known
    _check_place(chat, parent)
    finding = safety.check(text)
    if finding.hold == Hold.HELD:
        raise TextHeld(safety.kind_words(finding))
    search_filling.note_language(chat, text)
    prompt = chat.messages.create(
        parent=parent,
        role=Role.PROMPTER,
        state=MessageState.DONE,
        text=text,
        depth=parent.depth + 1 if parent else 0,
        hold=finding.hold,
        hold_reason=finding.reason,
        key=key,
        created_at=now,
    )
    _note_prompt(chat, prompt, now)
    return prompt


def lock(chat: Chat, user: User) -> None:
    """Lock the chat's row and read it again. Raises ChatNotFound if it went or is not theirs."""
    fresh = Chat.objects.locked().filter(pk=chat.pk, user=user).first()
    if fresh is None:
        raise ChatNotFound
    for name in ("tail_id", "title", "title_is_own", "allow_data_use", "lang"):
        setattr(chat, name, getattr(fresh, name))


def _checked(text: str) -> str:
    if UNSTORABLE.search(text):
        raise TextInvalid
    text = text.strip()
    if not text:
        raise TextEmpty
    if len(text) > settings.CHAT_MAX_TEXT_LENGTH:
        raise TextTooLong
    return text


def _check_place(chat: Chat, parent: ChatMessage | None) -> None:
    if chat.messages.count() >= settings.CHAT_MAX_MESSAGES:
        raise ChatTooLong
    if parent is None:
        return
    if parent.chat_id != chat.pk or parent.role != Role.ASSISTANT:
        raise BadParent
    parent.refresh_from_db(fields=["state"])
    if not parent.is_final:
        raise ReplyUnderWay


def _note_prompt(chat: Chat, prompt: ChatMessage, now: datetime) -> None:
    if not chat.title and not chat.title_is_own:
        chat.title = title_for(prompt.text)
        _tell_title(chat)
    chat.tail, chat.modified_at = prompt, now
    chat.save(update_fields=["title", "tail", "modified_at"])


@transaction.atomic
def show(chat: Chat, message: ChatMessage) -> None:
    """Bring the branch of `message` into view, down to its newest leaf."""
    lock(chat, chat.user)
    children = _children(chat.messages.only("id", "parent_id", "chat_id", "created_at"))
    chat.tail_id = getattr(_newest_leaf(message, children), "pk", None)
    chat.save(update_fields=["tail"])


# Judging


@transaction.atomic
def vote(
    reply: ChatMessage, value: int, *, now: datetime, reasons: Collection[str] = (), text: str = ""
) -> Vote:
    """Give a thumb, with reasons and words; a second one replaces the first."""
    if value not in (1, -1) or reply.role != Role.ASSISTANT or not reply.is_final:
        raise InvalidVote
    if not set(reasons) <= set(VoteReason.values):
        raise InvalidVote
    words = {"value": value, "reasons": sorted(set(reasons)), "text": _note(text)}
    stored, _created = Vote.objects.update_or_create(
        message=reply, defaults=words, create_defaults={**words, "created_at": now}
    )
    return stored


def unvote(reply: ChatMessage) -> None:
    """Take the thumb back."""
    Vote.objects.filter(message=reply).delete()


@transaction.atomic
def choose_draft(chat: Chat, reply: ChatMessage, *, now: datetime) -> DraftChoice:
    """Pick a draft of several; the others that were complete count as compared. Brings it into
    view. Raises InvalidVote for a reply that is not final or stands alone."""
    lock(chat, chat.user)
    drafts = [draft for draft in siblings(reply) if draft.is_final and draft.text]
    others = [draft for draft in drafts if draft.pk != reply.pk]
    if reply.role != Role.ASSISTANT or not others or len(others) == len(drafts):
        raise InvalidVote
    choice, _created = DraftChoice.objects.update_or_create(
        parent_id=reply.parent_id, defaults={"chosen": reply, "created_at": now}
    )
    choice.rejected.set(others)
    show(chat, reply)
    return choice


@transaction.atomic
def report(message: ChatMessage, user: User, kind: str, text: str, *, now: datetime) -> ChatReport:
    """Ask the moderators to look at a message; a second report replaces the words of the first."""
    if kind not in ReportKind.values:
        raise InvalidVote
    words: dict[str, Any] = {"kind": kind, "text": _note(text)}
    words |= {"resolved_at": None, "resolved_by": None, "resolution": ""}  # open again
    stored, _created = ChatReport.objects.update_or_create(
        message=message, user=user, defaults=words, create_defaults={**words, "created_at": now}
    )
    return stored


def resolve(report: ChatReport, actor: User, resolution: str, *, now: datetime) -> None:
    """Close a report with what was decided; the last decision counts."""
    report.resolved_at, report.resolved_by, report.resolution = now, actor, _note(resolution)[:500]
    report.save(update_fields=["resolved_at", "resolved_by", "resolution"])


def _note(text: str) -> str:
    return UNSTORABLE.sub("", text).strip()[:MAX_VOTE_TEXT]


# Keeping


def rename(chat: Chat, title: str) -> None:
    """Give the chat a title of the person's own; an empty one brings the generated one back."""
    title = " ".join(UNSTORABLE.sub("", title).split())[:TITLE_LENGTH]
    chat.title_is_own = bool(title)
    if not title:
        first = chat.messages.filter(depth=0).order_by("created_at").first()
        title = title_for(first.text) if first else ""
    chat.title = title
    chat.save(update_fields=["title", "title_is_own"])
    _tell_title(chat)


def _tell_title(chat: Chat) -> None:
    """Tell every page that shows the chat."""
    transaction.on_commit(partial(notices.notify, chat.pk, protocol.Title(chat.title)))


def archive(chat: Chat, archived: bool) -> None:
    chat.archived = archived
    chat.save(update_fields=["archived"])


@transaction.atomic
def delete(chat: Chat) -> None:
    """Remove the chat with everything in it; a worker that writes for it notices and stops."""
    said = list(chat.messages.filter(role=Role.ASSISTANT).values_list("pk", flat=True))
    chat.delete()
    transaction.on_commit(partial(streams.forget, said))


@transaction.atomic
def set_data_use(chat: Chat, allowed: bool) -> None:
    """Allow or forbid that this chat is used for training."""
    chat.allow_data_use = allowed and not chat.from_api
    chat.save(update_fields=["allow_data_use"])


def configure(
    chat: Chat,
    *,
    model: ServedModel | None = None,
    parameters: dict[str, Any] | None = None,
    preset: str = "",
) -> None:
    """Set what the next reply uses. Raises InvalidSettings for a parameter out of range."""
    if model is not None:
        chat.model = model
    if parameters is not None:
        chat.parameters = catalogue.read_parameters(parameters).to_dict()
        chat.preset = preset
    chat.save(update_fields=["model", "parameters", "preset"])
