"""Messages and contributions as the API shows them: cards of `reading`, in plain values."""

from collections.abc import Iterable
from typing import Any

from tasks_app import reading, rewording, timeline, topics
from tasks_app.config import TreeConfig
from tasks_app.fate import Status
from tasks_app.models import Message, MessageTree


def message_out(card: reading.Card) -> dict[str, Any]:
    """A card as TreeMessageOut has it."""
    message = card.message
    fields = {name: getattr(message, name) for name in ("id", "role", "lang", "created_at")}
    return {
        **fields,
        "tree": message.tree_id,
        "parent": message.parent_id,
        "text": "" if card.is_hidden else message.text,
        "version": rewording.version(message) if card.is_own else "",
        "may_edit": card.may_reword,
        "hidden": card.gone_text if card.is_hidden else "",
        "state": _state(message),
        "status": _status(card.status),
        "is_own": card.is_own,
        "by_model": card.is_synthetic,
        "author": card.author,
        "reactions": reactions_out(card) if card.may_react else [],
    }


def reactions_out(card: reading.Card) -> list[dict[str, Any]]:
    """The reactions to a message that takes some, for its reader."""
    return [
        {
            "code": button.code,
            "label": str(button.label),
            "given": button.pressed,
            "count": button.count,
        }
        for button in card.shown
    ]


def detail_out(card: reading.Card) -> dict[str, Any]:
    """A card as TreeMessageDetail has it."""
    events = timeline.of_card(card, TreeConfig.current())
    return {**message_out(card), "events": None if events is None else events_out(events)}


def tree_out(tree: MessageTree, root: reading.Card) -> dict[str, Any]:
    """A tree as TreeOut has it."""
    fields = {name: getattr(tree, name) for name in ("id", "lang", "state")}
    told = [row.topic for row in topics.of(tree.pk)]
    return {**fields, "topics": told, "messages": [message_out(card) for card in _walk(root)]}


def events_out(events: Iterable[timeline.Event]) -> list[dict[str, Any]]:
    """The way of a message."""
    names = ("title", "state", "at", "snapshot")
    return [
        {name: getattr(event, name) for name in names}
        | {"notes": [str(note) for note in event.notes], "models": list(event.models)}
        for event in events
    ]


def own_out(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of `own_work` as OwnOut has it."""
    contribution, message, vote = entry["contribution"], entry["message"], entry.get("vote")
    return {
        "id": contribution.pk,
        "kind": contribution.kind,
        "title": entry["label"],
        "lang": contribution.lang,
        "at": contribution.created_at,
        "task": contribution.task_id,
        "message": message and _own_message(message, is_readable=entry["is_readable"]),
        "status": entry["status"] and _status(entry["status"]),
        "story": vote.story if vote else entry["story"],
        "reasons": [str(reason) for reason in entry.get("reasons", ())],
        "events": events_out(entry.get("events", ())),
    }


def _own_message(message: Message, *, is_readable: bool) -> dict[str, Any]:
    fields = {name: getattr(message, name) for name in ("id", "role", "lang")}
    return {**fields, "text": message.text if is_readable else None}


def _walk(card: reading.Card) -> Iterable[reading.Card]:
    """A card and all below it. Trees are shallow: their depth has a limit."""
    yield card
    for reply in card.replies:
        yield from _walk(reply)


def _status(status: Status) -> dict[str, str]:
    return {"label": status.label, "tone": status.tone}


def _state(message: Message) -> str:
    if message.deleted:
        return "removed"
    if message.review_result is None:
        return "in_review"
    return "accepted" if message.review_result else "not_accepted"
