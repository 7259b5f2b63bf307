"""The files of a snapshot: hashed line by line, counted, verified. Pure.

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
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from tasks_app import export_format
from tasks_app.export_format import BadLine, MessageNode, MessageTree, Watch
from training import data_gate
from training.data_gate import Verdict

TREES, LINES, TABLE, REMOVED, FACTS, CARD = (
    "trees.jsonl.gz", "lines.txt", "messages.parquet", "removed.jsonl", "snapshot.json",
    "README.md",
)  # fmt: skip
TEXTS = (TREES, TABLE, REMOVED)  # what people wrote; the rest only tells of it
SCHEMA = 1
SHORT = 16  # hex digits of a line's hash


class Hashing(BufferedIOBase):
    """Passes lines on to `stream` and hashes them, all together and each."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self._all = hashlib.sha256()
        self.shorts = bytearray()  # a line for each line

    def write(self, line: Any) -> int:
        self._all.update(line)
        self.shorts += f"{short_hash(line)}\n".encode()
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
    topics: Counter[str] = field(default_factory=Counter)  # trees
    synthetic: int = 0
    ranked_replies: int = 0
    rankings: int = 0
    from_chats: int = 0

    def add(self, tree: MessageTree) -> None:
        self.trees += 1
        self.from_chats += tree.origin == "chat"
        self.topics.update(tree.topics)
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
            name: dict(getattr(self, name).most_common())
            for name in ("roles", "languages", "topics")
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
    (folder / LINES).write_bytes(lines.shorts)


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


def verify(folder: Path, sha256: str, *, watch: Watch = iter) -> Difference | None:
    """Hash the lines anew; None if they are what they were. `watch` may look at them as they
    pass."""
    try:
        whole, first = _rehash(folder, watch)
    except FileNotFoundError as error:
        return Difference(f"{error.filename} is missing")
    except (EOFError, OSError, zlib.error) as error:
        return Difference(f"{folder / TREES} is damaged: {error}")
    return None if whole == sha256 else first or Difference("the hash on record is another one")


def _rehash(folder: Path, watch: Watch) -> tuple[str, Difference | None]:
    whole, first, number = hashlib.sha256(), None, 0
    shorts = (folder / LINES).open(encoding="ascii", errors="replace")
    with shorts, gzip.open(folder / TREES) as lines:
        for number, line in enumerate(watch(lines), 1):
            whole.update(line)
            expected = shorts.readline().strip()
            if first is None and short_hash(line) != expected:
                first = Difference(_which(line), number)
        missing = sum(1 for _short in shorts)
    if first is None and missing:
        first = Difference(f"{missing} lines are missing at the end", number + 1)
    return whole.hexdigest(), first


def _which(line: bytes) -> str:
    try:
        return f"tree {json.loads(line)['message_tree_id']} differs"
    except (ValueError, KeyError, TypeError):
        return "it is no tree"
