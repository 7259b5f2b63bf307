"""Trees and messages of the format as objects: walk, order, turn to JSON."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

ROLES = ("prompter", "assistant")


@dataclass(slots=True)
class LabelMean:
    """One label over all who gave it: the mean of their values (0 to 1) and their number."""

    value: float
    count: int


@dataclass(slots=True)
class MessageNode:
    """A message and, in trees, its replies. Field order is the order in files."""

    message_id: str
    parent_id: str | None = None
    user_id: str | None = None
    created_date: datetime | None = None
    text: str = ""
    role: str = ROLES[0]
    lang: str | None = None
    review_count: int | None = None
    review_result: bool | None = None
    deleted: bool = False
    rank: int | None = None
    synthetic: bool = False
    model_name: str | None = None
    truncated: bool = False  # cut off before its end: no text to learn from
    emojis: dict[str, int] = field(default_factory=dict)
    replies: list["MessageNode"] = field(default_factory=list)
    labels: dict[str, LabelMean] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    detoxify: dict[str, float] | None = None


@dataclass(slots=True)
class MessageTree:
    """A tree as it stands on one line."""

    message_tree_id: str
    tree_state: str | None
    prompt: MessageNode
    origin: str | None = None
    topics: list[str] = field(default_factory=list)
    line: int = field(default=0, compare=False)  # where it began; not part of the format


def visit_messages(root: MessageNode) -> Iterator[MessageNode]:
    """Every message below `root`, itself first, depth first, replies in their order."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.replies))


def rewrite_texts(tree: MessageTree, change: Callable[[str], str]) -> None:
    """Put `change(text)` in the place of each text that somebody wrote, reasons of events too."""
    for node in visit_messages(tree.prompt):
        node.text = change(node.text)
        for events in node.events.values():
            for event in events:
                if event.get("reason"):
                    event["reason"] = change(event["reason"])


def visit_threads(root: MessageNode) -> Iterator[list[MessageNode]]:
    """For every message, depth first, the thread from `root` to it."""
    waiting = [[root]]
    while waiting:
        thread = waiting.pop()
        yield thread
        waiting.extend([*thread, reply] for reply in reversed(thread[-1].replies))


def sort_replies(root: MessageNode) -> None:
    """Order all replies by rank, unranked last, then by date and id: the order of exports."""
    for node in visit_messages(root):
        node.replies.sort(key=_place)


def _place(node: MessageNode) -> tuple[bool, int, datetime, str]:
    date = node.created_date or datetime.max.replace(tzinfo=UTC)
    return node.rank is None, node.rank or 0, date, node.message_id


_NODE_FIELDS = tuple(f.name for f in fields(MessageNode))
_OMIT_IF_EMPTY = frozenset({"truncated", "emojis", "labels", "events"})


def tree_to_json(tree: MessageTree) -> dict[str, Any]:
    """The tree as one JSON object; nulls and empty collections are left out."""
    row = {
        "message_tree_id": tree.message_tree_id,
        "tree_state": tree.tree_state,
        "prompt": node_to_json(tree.prompt),
        "origin": tree.origin,
        "topics": tree.topics or None,
    }
    return {name: value for name, value in row.items() if value is not None}


def node_to_json(node: MessageNode, *, with_replies: bool = True) -> dict[str, Any]:
    """The message as a JSON object, with its replies nested or without them."""
    row: dict[str, Any] = {}
    for name in _NODE_FIELDS:
        value = getattr(node, name)
        if value is None or (name in _OMIT_IF_EMPTY and not value):
            continue
        row[name] = value
    if node.created_date:
        row["created_date"] = node.created_date.isoformat()
    if node.labels:
        row["labels"] = {n: {"value": m.value, "count": m.count} for n, m in node.labels.items()}
    if with_replies:
        row["replies"] = [node_to_json(reply) for reply in node.replies]
    else:
        del row["replies"]
    return row


def tree_to_rows(tree: MessageTree) -> Iterator[dict[str, Any]]:
    """The tree as flat message objects, depth first, each with its tree's id and state."""
    for node in visit_messages(tree.prompt):
        row = node_to_json(node, with_replies=False)
        row["message_tree_id"] = tree.message_tree_id
        if tree.tree_state is not None:
            row["tree_state"] = tree.tree_state
        if tree.topics and node is tree.prompt:
            row["topics"] = tree.topics
        yield row
