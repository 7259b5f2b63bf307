"""Drafts between the fields of the pages' forms, which they are kept in, and those of the API."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any
from uuid import UUID

from tasks_app import labels
from tasks_app.api.task_schemas import DraftIn, ReplyIn, given
from tasks_app.enums import Topic
from tasks_app.forms.topics import PREFIX as TOPIC
from tasks_app.forms.work import PLACE
from tasks_app.models import Draft, Task


def entered(task: Task, body: DraftIn) -> dict[str, str]:
    """What the form of the task's page would hold."""
    if task.type.is_writing:
        return written(body)
    if task.type.is_labeling:
        return _filled(_labels(task, body))
    places = _places(body.groups, set(task.shown_ids))
    return _filled(places | {"verdict": body.not_rankable or "", "reason": body.reason})


def written(body: DraftIn | ReplyIn) -> dict[str, str]:
    """What the form for a prompt or reply would hold."""
    topics = {f"{TOPIC}{topic.value}": "on" for topic in body.topics}
    words = {"text": body.text, "origin": body.origin or "", "source": body.source}
    return _filled(words | topics)


def _filled(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items() if value}


def _labels(task: Task, body: DraftIn) -> dict[str, str]:
    valid = labels.form_for(task.kind, task.form_mode).valid
    return labels.as_entered({name: n for name, n in given(body.labels).items() if name in valid})


def _places(groups: list[list[UUID]], shown: set[str]) -> dict[str, str]:
    placed = [(str(pk), n) for n, group in enumerate(groups, start=1) for pk in group]
    return {f"{PLACE}{pk}": str(place) for pk, place in placed if pk in shown}


def shown(draft: Draft) -> dict[str, Any]:
    """A draft as DraftOut has it."""
    body: dict[str, str] = draft.body
    return {
        "saved_at": draft.saved_at,
        "kept_because": draft.kept_because,
        "text": body.get("text", ""),
        "origin": body.get("origin") or None,
        "source": body.get("source", ""),
        "topics": [topic.value for topic in Topic if body.get(f"{TOPIC}{topic.value}")],
        "labels": _values(body),
        "groups": _groups(body),
        "not_rankable": body.get("verdict") or None,
        "reason": body.get("reason", ""),
    }


def _values(body: dict[str, str]) -> dict[str, float]:
    return given({name: _number(body.get(name, "")) for name in labels.LABELS})


def _groups(body: dict[str, str]) -> list[list[str]]:
    entered = {name.removeprefix(PLACE): n for name, n in body.items() if name.startswith(PLACE)}
    places = given({pk: _number(n) for pk, n in entered.items()})
    ordered = sorted(places, key=lambda pk: places[pk])
    return [list(group) for _place, group in groupby(ordered, key=lambda pk: places[pk])]


def _number(text: str) -> float | None:
    """The number that a field holds; a flag that is set holds "on"."""
    if text == "on":
        return 1.0
    return float(text) if text.replace(".", "", 1).isdecimal() else None
