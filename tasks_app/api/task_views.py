"""Tasks and answers as the API shows them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from oasst.accounts.models import User
from tasks_app import assignment, kinds, labels, reading, undo
from tasks_app.api import drafts
from tasks_app.assignment import Material, Stored
from tasks_app.config import TreeConfig
from tasks_app.models import Message, Task, TextLabels
from tasks_app.receipts import Answer


def task_line(task: Task) -> dict[str, Any]:
    """A task as TaskLineOut has it. Needs `draft`."""
    fields = {name: getattr(task, name) for name in (
        "id", "kind", "lang", "created_at", "expires_at", "reserved_until",
    )}  # fmt: skip
    title = str(kinds.KINDS[task.kind].title)
    return {**fields, "title": title, "has_draft": hasattr(task, "draft")}


def task_out(task_id: UUID, user: User, *, now: datetime) -> dict[str, Any]:
    """A task of somebody's own as TaskOut has it.

    Raises TaskNotFound, and Veiled where its page may not be shown.
    """
    task = assignment.find(task_id, user)
    shown = assignment.material(task)
    ended = assignment.why_ended(task, shown, now=now)
    is_over = bool(task.done_at or ended)
    if is_over:
        reading.require_unveiled(task, user)
    hold = assignment.hold(task, now=now)
    fields = task_line(task)
    del fields["has_draft"]
    return {
        **fields,
        "section": kinds.KINDS[task.kind].section,
        "is_done": task.done_at is not None,
        "reserved_until": None if is_over else hold.until,
        "is_free": hold.is_free and not is_over,
        "ended": ended and {"code": ended.code, "message": ended.message},
        "thread": [_line(message) for message in shown.thread],
        "replies": [] if is_over else _candidates(shown),
        "form": [] if is_over else _questions(task),
        "most_characters": TreeConfig.current().message_size_limit,
        "draft": drafts.shown(task.draft) if hasattr(task, "draft") else None,
        "stored": _stored(assignment.stored(task, shown)) if task.done_at else None,
    }


def receipt(task: Task, stored: Answer) -> dict[str, Any]:
    """What is answered to a submit, the same however often it is sent."""
    until = task.done_at + undo.ACCEPTED_FOR if task.done_at else None
    return {
        "task": task.pk,
        "kind": task.kind,
        "done_at": task.done_at,
        "message": stored.pk if isinstance(stored, Message) else None,
        "undo_until": until if isinstance(stored, TextLabels) else None,
    }


def question(name: str, *, mandatory: bool) -> dict[str, Any]:
    """A label as QuestionOut has it."""
    label = labels.LABELS[name]
    choices = [{"value": value, "title": str(title)} for value, title in label.choices]
    texts = {"title": str(label.title), "text": str(label.text)}
    about = {"name": name, "widget": label.widget, "mandatory": mandatory}
    return {**about, **texts, "choices": choices}


def _questions(task: Task) -> list[dict[str, Any]]:
    if not task.type.is_labeling:
        return []
    form = labels.form_for(task.kind, task.form_mode)
    return [question(name, mandatory=name in form.mandatory) for name in form.valid]


def _line(message: Message) -> dict[str, Any]:
    fields = {name: getattr(message, name) for name in ("id", "role", "lang")}
    return {**fields, "text": "" if message.deleted else message.text}


def _candidates(shown: Material) -> list[dict[str, Any]]:
    return [
        {
            "id": each.message.pk,
            "letter": each.letter,
            "lang": each.message.lang,
            "text": each.message.text,
            "is_same_as_above": each.is_same_as_above,
        }
        for each in assignment.lettered(shown.replies)
    ]


def _stored(stored: Stored) -> dict[str, Any]:
    places = [[_placed(reply, stored) for reply in group] for group in stored.places]
    return {
        "message": stored.message and stored.message.pk,
        "labels": [{"title": str(title), "answer": str(word)} for title, word in stored.labels],
        "places": places,
        "not_rankable": stored.not_rankable,
        "known": _known(stored),
    }


def _placed(reply: Message, stored: Stored) -> dict[str, Any]:
    return {
        "text": "" if reply.deleted else reply.text,
        "by_model": reply.synthetic if stored.tells_origin else None,
        "model": reply.model_name if stored.tells_origin else "",
    }


def _known(stored: Stored) -> dict[str, Any] | None:
    if stored.gold is None:
        return None
    answers = [
        {
            "title": str(row.title),
            "given": str(row.given),
            "known": str(row.right),
            "is_right": row.is_right,
        }
        for row in stored.comparisons
    ]
    explanation = stored.gold.item.explanation
    return {"is_right": stored.gold.is_right, "explanation": explanation, "answers": answers}
