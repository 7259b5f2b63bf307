"""The files of a snapshot: hashed line by line, counted, verified, compared. Pure.

trees.jsonl.gz    one tree a line: what the hash is of
lines.txt         a short hash of each line, to say which one differs
messages.parquet  the same messages as a table
removed.jsonl     what the data gate left out, and why
snapshot.json     hash, filter, counts, agreement, licence
README.md         the dataset card
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from tasks_app import export_format
from tasks_app.export_format import BadLine, MessageNode, MessageTree
from training import data_gate
from training.data_gate import Verdict

TREES, LINES, TABLE, REMOVED, FACTS, CARD = (
    "trees.jsonl.gz", "lines.txt", "messages.parquet", "removed.jsonl", "snapshot.json",
    "README.md",
)  # fmt: skip
TEXTS = (TREES, TABLE, REMOVED)  # what people wrote; the rest only tells of it
SCHEMA = 1
SHORT = 16  # hex digits of a line's hash
EXAMPLES = 10  # ids that a comparison names


class Hashing(BufferedIOBase):
    """Passes lines on to `stream` and hashes them, all together and each."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self._all = hashlib.sha256()
        self.lines: list[str] = []

    def write(self, line: Any) -> int:
        self._all.update(line)
        self.lines.append(short_hash(line))
        self._stream.write(line)
        return len(line)

    @property
    def sha256(self) -> str:
        return self._all.hexdigest()


def short_hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:SHORT]


@dataclass
class Counts:
    """What is in a snapshot, counted while its trees pass."""

    trees: int = 0
    messages: int = 0
    roles: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    synthetic: int = 0
    ranked_replies: int = 0
    rankings: int = 0
    from_chats: int = 0

    def add(self, tree: MessageTree) -> None:
        self.trees += 1
        self.from_chats += tree.origin == "chat"
        for node in export_format.visit_messages(tree.prompt):
            self._add_message(node)

    def _add_message(self, node: MessageNode) -> None:
        self.messages += 1
        self.roles[node.role] += 1
        self.languages[node.lang or "und"] += 1
        self.synthetic += node.synthetic
        self.ranked_replies += node.rank is not None
        self.rankings += len(node.events.get("ranking", ()))

    def to_dict(self) -> dict[str, Any]:
        counters = {
            name: dict(getattr(self, name).most_common()) for name in ("roles", "languages")
        }
        names = ("trees", "messages", "synthetic", "ranked_replies", "rankings", "from_chats")
        return {name: getattr(self, name) for name in names} | counters


def read(folder: Path) -> Iterator[MessageTree]:
    """The trees of a snapshot. Raises ValueError for a line that is none."""
    for tree in export_format.read_trees(folder / TREES):
        if isinstance(tree, BadLine):
            raise ValueError(f"{folder / TREES}: line {tree.number}: {tree.reason}")
        yield tree


def write_lines(folder: Path, lines: Hashing) -> None:
    """Write down the short hash of each line."""
    text = "".join(f"{short}\n" for short in lines.lines)
    (folder / LINES).write_text(text, encoding="ascii")


def leave_out(folder: Path, verdict: Verdict) -> Hashing:
    """Write the trees anew without what the gate found; trees that it spared stay byte by byte."""
    with (
        gzip.open(folder / TREES) as old,
        export_format.open_output(folder / TREES) as stream,
    ):
        lines = Hashing(stream)
        for line in old:
            tree = export_format.tree_from_json(json.loads(line))
            if data_gate.prune(tree, verdict):
                export_format.write_objects(lines, [export_format.tree_to_json(tree)])
            else:
                lines.write(line)
    return lines


def write_removed(folder: Path, verdict: Verdict) -> None:
    """Write down what was left out and why, one message a line."""
    with export_format.open_output(folder / REMOVED) as stream:
        rows = ({"message_id": key} | asdict(why) for key, why in verdict.removals.items())
        export_format.write_objects(stream, rows)


def write_table(folder: Path) -> None:
    """Write the messages of the trees as Parquet."""
    rows = (row for tree in read(folder) for row in export_format.tree_to_rows(tree))
    with export_format.open_output(folder / TABLE) as stream:
        export_format.write_table(stream, rows, version=export_format.SCHEMA_VERSION)


# Verifying


@dataclass(frozen=True)
class Difference:
    """Where a snapshot is not what it was; `line` counts from 1, None if it is not one line."""

    reason: str
    line: int | None = None


def verify(folder: Path, sha256: str) -> Difference | None:
    """Hash the lines anew; None if they are what they were."""
    try:
        expected = (folder / LINES).read_text(encoding="ascii").split()
        whole, first = _rehash(folder / TREES, expected)
    except FileNotFoundError as error:
        return Difference(f"{error.filename} is missing")
    except (EOFError, OSError, gzip.BadGzipFile) as error:
        return Difference(f"{folder / TREES} is damaged: {error}")
    return None if whole == sha256 else first or Difference("the hash on record is another one")


def _rehash(path: Path, expected: list[str]) -> tuple[str, Difference | None]:
    whole, first, number = hashlib.sha256(), None, 0
    with gzip.open(path) as stream:
        for number, line in enumerate(stream, 1):
            whole.update(line)
            if first is None and (
                number > len(expected) or short_hash(line) != expected[number - 1]
            ):
                first = Difference(_which(line), number)
    if first is None and number < len(expected):
        missing = len(expected) - number
        first = Difference(f"{missing} lines are missing at the end", number + 1)
    return whole.hexdigest(), first


def _which(line: bytes) -> str:
    try:
        return f"tree {json.loads(line)['message_tree_id']} differs"
    except (ValueError, KeyError, TypeError):
        return "it is no tree"


# Comparing


@dataclass
class Change:
    """What is only in one of two snapshots, or differs; ids of some as examples."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)

    def note(self, kind: str, key: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        named = self.examples.setdefault(kind, [])
        if len(named) < EXAMPLES:
            named.append(key)

    def to_dict(self) -> dict[str, Any]:
        return {"added": self.added, "removed": self.removed, "changed": self.changed,
                "examples": self.examples}  # fmt: skip


def compare(old: Path, new: Path) -> tuple[Change, Change]:
    """Trees and messages that were added, removed or changed from `old` to `new`.

    Memory holds a short hash of each tree, and of each message of the trees that differ.
    """
    before, after = _digests(old), _digests(new)
    trees, messages = Change(), Change()
    for key in before.keys() | after.keys():
        if before.get(key) != after.get(key):
            kind = "added" if key not in before else "removed" if key not in after else "changed"
            trees.note(kind, key)
    touched = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    was = {tree.message_tree_id: _messages(tree) for tree in read(old)
           if tree.message_tree_id in touched}  # fmt: skip
    for tree in read(new):
        if tree.message_tree_id in touched:
            _compare_messages(was.pop(tree.message_tree_id, {}), _messages(tree), messages)
    for gone in was.values():
        _compare_messages(gone, {}, messages)
    return trees, messages


def _digests(folder: Path) -> dict[str, str]:
    """The short hash of each tree by its id."""
    with gzip.open(folder / TREES) as stream:
        return {json.loads(line)["message_tree_id"]: short_hash(line) for line in stream}


def _messages(tree: MessageTree) -> dict[str, str]:
    """The short hash of each message of a tree, without its replies."""
    return {
        row["message_id"]: short_hash(json.dumps(row, sort_keys=True).encode())
        for row in export_format.tree_to_rows(tree)
    }


def _compare_messages(before: dict[str, str], after: dict[str, str], change: Change) -> None:
    for key in sorted(before.keys() | after.keys()):
        if key not in before:
            change.note("added", key)
        elif key not in after:
            change.note("removed", key)
        elif before[key] != after[key]:
            change.note("changed", key)
