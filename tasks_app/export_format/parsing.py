"""From JSON objects to trees and messages, checking every field."""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from tasks_app.export_format.nodes import (
    ROLES,
    LabelMean,
    MessageNode,
    MessageTree,
)

MAX_DEPTH = 100
LARGEST = sys.float_info.max

T = TypeVar("T")


class FormatError(ValueError):
    """An object that does not follow the format; the text says which field and why."""


def tree_from_json(row: Mapping[str, Any]) -> MessageTree:
    """The tree that a JSON object with `message_tree_id` and `prompt` stands for.

    Raises FormatError.
    """
    prompt = row.get("prompt")
    if not isinstance(prompt, dict):
        raise FormatError(f"prompt: expected an object, got {short(prompt)}")
    tree = MessageTree(
        message_tree_id=_required(row, "message_tree_id", str),
        tree_state=_optional(row, "tree_state", str),
        prompt=_nested(prompt),
        origin=_optional(row, "origin", str),
        topics=topics_of(row),
    )
    check_tree(tree)
    return tree


def topics_of(row: Mapping[str, Any]) -> list[str]:
    """The topics of a tree, as a tree or the row of its prompt names them. Raises FormatError."""
    return [_key("topics", name) for name in _optional(row, "topics", list) or []]


def node_from_json(row: Mapping[str, Any]) -> MessageNode:
    """The message, without replies, that a JSON object stands for. Raises FormatError."""
    role = _required(row, "role", str)
    if role not in ROLES:
        raise FormatError(f"role: expected prompter or assistant, got {short(role)}")
    return MessageNode(
        message_id=_required(row, "message_id", str),
        parent_id=_optional(row, "parent_id", str),
        user_id=_optional(row, "user_id", str),
        created_date=_date(row),
        text=_required(row, "text", str),
        role=role,
        lang=_optional(row, "lang", str),
        review_count=_count(row, "review_count"),
        review_result=_optional(row, "review_result", bool),
        deleted=_optional(row, "deleted", bool) or False,
        rank=_count(row, "rank"),
        synthetic=_optional(row, "synthetic", bool) or False,
        model_name=_optional(row, "model_name", str),
        truncated=_optional(row, "truncated", bool) or False,
        emojis=_emojis(_optional(row, "emojis", dict) or {}),
        labels=_labels(_optional(row, "labels", dict) or {}),
        events=_events(_optional(row, "events", dict) or {}),
        detoxify=_detoxify(_optional(row, "detoxify", dict)),
    )


def _nested(prompt: Mapping[str, Any]) -> MessageNode:
    root = node_from_json(prompt)
    waiting = [(root, prompt)]
    while waiting:
        node, row = waiting.pop()
        for child_row in _optional(row, "replies", list) or []:
            if not isinstance(child_row, dict):
                raise FormatError(f"replies: expected objects, got {short(child_row)}")
            child = node_from_json(child_row)
            child.parent_id = child.parent_id or node.message_id
            node.replies.append(child)
            waiting.append((child, child_row))
    return root


def check_tree(tree: MessageTree) -> None:
    """Raise FormatError if ids, parents or roles of the tree do not fit together, or it is too deep
    for any conversation."""
    root = tree.prompt
    if root.message_id != tree.message_tree_id:
        raise FormatError(f"the prompt's id {short(root.message_id)} is not that of its tree")
    if root.parent_id is not None or root.role != ROLES[0]:
        raise FormatError("the prompt must have the role prompter and no parent_id")
    seen = set()
    waiting = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise FormatError(f"replies: nested deeper than {MAX_DEPTH}")
        waiting.extend((reply, depth + 1) for reply in node.replies)
        if node.message_id in seen:
            raise FormatError(f"message_id {short(node.message_id)} occurs twice")
        seen.add(node.message_id)
        for reply in node.replies:
            where = f"message {short(reply.message_id)}"
            if reply.parent_id != node.message_id:
                raise FormatError(f"{where}: its parent_id is not the message it stands below")
            if reply.role == node.role:
                raise FormatError(f"{where}: role {reply.role} answers the same role")


def _required(row: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = _optional(row, name, kind)
    if value is None:
        raise FormatError(f"{name}: missing")
    return value


def _optional(row: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, kind):
        raise FormatError(f"{name}: expected {kind.__name__}, got {short(value)}")
    if isinstance(value, str):
        _check_text(name, value)
    return value


def _key(name: str, value: Any) -> str:
    """A name that stands in the file itself, as of a label."""
    if not isinstance(value, str):
        raise FormatError(f"{name}: expected names, got {short(value)}")
    _check_text(name, value)
    return value


def _check_text(name: str, value: str) -> None:
    if "\0" in value:
        raise FormatError(f"{name}: contains a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"{name}: not valid Unicode ({error.reason})") from error


def _count(row: Mapping[str, Any], name: str) -> int | None:
    """A number of things; tables with gaps hold them as floats."""
    value = row.get(name)
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise FormatError(f"{name}: expected a count, got {short(value)}")
    return value


def _number(name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -LARGEST <= value <= LARGEST:  # NaN is on no side
        raise FormatError(f"{name}: expected a number, got {short(value)}")
    return float(value)


def _date(row: Mapping[str, Any]) -> datetime | None:
    text = _optional(row, "created_date", str)
    if text is None:
        return None
    try:
        date = datetime.fromisoformat(text)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        date.astimezone(UTC)  # which years 1 and 9999 may have none of
    except (ValueError, OverflowError) as error:
        raise FormatError(f"created_date: expected ISO 8601, got {short(text)}") from error
    return date


def _columns(value: Mapping[str, Any], *names: str) -> Iterator[tuple[Any, ...]]:
    """Rows of the published table form {name: [...], count: [...]}."""
    columns = [value.get(name) for name in names]
    if not all(isinstance(c, list) for c in columns) or len({len(c or []) for c in columns}) != 1:
        raise FormatError(f"expected lists of the same length for {', '.join(names)}")
    return zip(*(c or [] for c in columns), strict=True)


def _is_table(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("name"), list)


def _emojis(value: Mapping[str, Any]) -> dict[str, int]:
    pairs = _columns(value, "name", "count") if _is_table(value) else value.items()
    return {_key("emojis", code): _count({"emojis": n}, "emojis") or 0 for code, n in pairs}


def _labels(value: Mapping[str, Any]) -> dict[str, LabelMean]:
    if _is_table(value):
        rows = _columns(value, "name", "value", "count")
        return {_key("labels", name): _mean(name, mean, count) for name, mean, count in rows}
    labels = {}
    for name, mean in value.items():
        if not isinstance(mean, dict):
            raise FormatError(f"labels.{name}: expected an object, got {short(mean)}")
        labels[_key("labels", name)] = _mean(name, mean.get("value"), mean.get("count"))
    return labels


def _mean(name: str, value: Any, count: Any) -> LabelMean:
    number = _number(f"labels.{name}.value", value)
    if not 0 <= number <= 1:
        raise FormatError(f"labels.{name}.value: expected 0 to 1, got {number:g}")
    return LabelMean(number, _count({"labels": count}, "labels") or 0)


def _events(value: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    for name, events in value.items():
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise FormatError(f"events.{name}: expected a list of objects, got {short(events)}")
    return dict(value)


def _detoxify(value: Mapping[str, Any] | None) -> dict[str, float] | None:
    if value is None:
        return None
    given = ((name, score) for name, score in value.items() if score is not None)
    return {_key("detoxify", name): _number(f"detoxify.{name}", score) for name, score in given}


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
