"""What changed from one snapshot to another, of any size. Pure."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks_app import export_format
from tasks_app.export_format import MessageTree, Watch
from training.snapshot_files import TREES, short_hash

EXAMPLES = 10  # ids that a comparison names
PILES = 64  # memory holds the hashes of one of so many
OLD, NEW = "old", "new"

# The short hash of a tree, and of each of its messages, by ids.
Hashes = dict[str, tuple[str, dict[str, str]]]


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


def compare(old: Path, new: Path, *, watch: Watch = iter) -> tuple[Change, Change]:
    """Trees and messages that were added, removed or changed from `old` to `new`.

    The hashes of both are dealt onto piles on the disk, by the trees' ids, and these are compared
    one by one. `watch` may look at the lines of both as they pass. Raises FormatError for a line
    that is no tree, and OSError, EOFError or zlib.error if a file is gone or damaged.
    """
    trees, messages = Change(), Change()
    with TemporaryDirectory(prefix="snapshot-changes-") as place:
        for side, folder in ((OLD, old), (NEW, new)):
            _deal(folder / TREES, Path(place), side, watch)
        for number in range(PILES):
            before, after = (_read(Path(place) / _pile(side, number)) for side in (OLD, NEW))
            _compare_trees(before, after, trees, messages)
    return trees, messages


def _pile(side: str, number: int) -> str:
    return f"{side}-{number}"


def _deal(path: Path, place: Path, side: str, watch: Watch) -> None:
    """Write the hashes of each tree onto the pile of its id."""
    with ExitStack() as opened, gzip.open(path) as lines:
        piles = [
            opened.enter_context((place / _pile(side, number)).open("w", encoding="ascii"))
            for number in range(PILES)
        ]
        for line in watch(lines):
            tree = export_format.tree_from_json(json.loads(line))
            key = tree.message_tree_id
            row = [key, short_hash(line), _messages(tree)]
            piles[int(short_hash(key.encode()), 16) % PILES].write(json.dumps(row) + "\n")


def _read(pile: Path) -> Hashes:
    with pile.open(encoding="ascii") as lines:
        return {key: (whole, messages) for key, whole, messages in map(json.loads, lines)}


def _messages(tree: MessageTree) -> dict[str, str]:
    """The short hash of each message of a tree, without its replies."""
    return {
        row["message_id"]: short_hash(json.dumps(row, sort_keys=True).encode())
        for row in export_format.tree_to_rows(tree)
    }


def _compare_trees(before: Hashes, after: Hashes, trees: Change, messages: Change) -> None:
    for kind, key in _differences(before, after):
        trees.note(kind, key)
        was, became = (side[key][1] if key in side else {} for side in (before, after))
        for what, message in _differences(was, became):
            messages.note(what, message)


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """How, and of what, two tables differ."""
    for key in sorted(before.keys() | after.keys()):
        if key not in before:
            yield "added", key
        elif key not in after:
            yield "removed", key
        elif before[key] != after[key]:
            yield "changed", key
