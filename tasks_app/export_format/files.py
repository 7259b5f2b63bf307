"""Files of the format, plain or gzip, as streams of trees: memory holds one tree at a time."""

import gzip
import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, BinaryIO

from tasks_app.export_format.nodes import MessageTree, visit_messages
from tasks_app.export_format.parsing import (
    FormatError,
    check_tree,
    node_from_json,
    short,
    topics_of,
    tree_from_json,
)

MAX_LINE_BYTES = 64 * 2**20

Writable = BufferedIOBase | BinaryIO
Watch = Callable[[Iterator[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line, or a row of a flat file, that could not be used."""

    number: int
    reason: str


def read_trees(path: Path, *, watch: Watch = iter) -> Iterator[MessageTree | BadLine]:
    """All trees of a `.jsonl` or `.jsonl.gz` file, of whole trees or of flat messages.

    What cannot be used comes as BadLine; the rest goes on. A tree is yielded whole: one bad field
    spoils its tree. Rows of a flat file whose parent is absent are left out, each with a BadLine.
    Rows of one tree may stand anywhere; memory holds only trees that are not complete yet.
    `watch` may look at the lines as they pass, as tqdm does. Raises OSError if the file cannot be
    opened.
    """
    flat = _FlatRows(path)
    for number, row in watch(read_objects(path)):
        if isinstance(row, BadLine):
            yield row
        elif "message_id" in row:
            yield from flat.add(number, row)
        elif "message_tree_id" in row:
            try:
                tree = tree_from_json(row)
            except FormatError as error:
                yield BadLine(number, str(error))
            else:
                tree.line = number
                yield tree
        else:
            yield BadLine(number, "neither a tree (message_tree_id) nor a message (message_id)")


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """The JSON object on each line that is not blank, with the line's number from 1."""
    number = 0
    with _open_input(path) as stream:
        try:
            while line := stream.readline(MAX_LINE_BYTES):
                number += 1
                if line.strip():
                    yield number, _object(number, line, stream)
        except (EOFError, OSError, zlib.error) as error:
            yield number + 1, BadLine(number + 1, f"the file is damaged here: {error}")


def count_lines(path: Path) -> int:
    """Lines that `read_objects` will pass, roughly: blank ones count, damage ends the count."""
    lines = 0
    with _open_input(path) as stream, suppress(EOFError, OSError, zlib.error):
        while block := stream.read(2**20):
            lines += block.count(b"\n")
    return lines


@contextmanager
def _open_input(path: Path) -> Iterator[BufferedIOBase]:
    with path.open("rb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked
        else:
            yield raw


def _object(number: int, line: bytes, stream: BufferedIOBase) -> dict[str, Any] | BadLine:
    if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
        while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass
        return BadLine(number, f"longer than {MAX_LINE_BYTES // 2**20} MiB")
    try:
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        return BadLine(number, "not valid UTF-8")
    except (ValueError, RecursionError) as error:
        return BadLine(number, f"not valid JSON: {error}")
    return row if isinstance(row, dict) else BadLine(number, "not a JSON object")


class _FlatRows:
    """Collects the rows of a flat file and gives out each tree when its last row has come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._missing: Counter[str] | None = None
        self._open: dict[str, list[tuple[int, dict[str, Any]]]] = {}

    def add(self, number: int, row: dict[str, Any]) -> Iterator[MessageTree | BadLine]:
        tree_id = _tree_id(row)
        if not isinstance(tree_id, str):
            yield BadLine(number, "message_tree_id: missing, or not a text")
            return
        if self._missing is None:
            self._missing = self._count_rows()
        self._open.setdefault(tree_id, []).append((number, row))
        self._missing[tree_id] -= 1
        if not self._missing[tree_id]:
            yield from _assemble(tree_id, self._open.pop(tree_id))

    def _count_rows(self) -> Counter[str]:
        rows = (row for _, row in read_objects(self._path))
        ids = (_tree_id(row) for row in rows if isinstance(row, dict) and "message_id" in row)
        return Counter(tree_id for tree_id in ids if isinstance(tree_id, str))


def _tree_id(row: Mapping[str, Any]) -> Any:
    return row.get("message_tree_id") or (None if row.get("parent_id") else row.get("message_id"))


def _assemble(
    tree_id: str, rows: list[tuple[int, dict[str, Any]]]
) -> Iterator[MessageTree | BadLine]:
    """The tree of some flat rows; rows that hang in the air become BadLines."""
    try:
        nodes = [(number, row, node_from_json(row)) for number, row in rows]
    except FormatError as error:
        lines = ", ".join(str(number) for number, _ in rows[:5])
        yield BadLine(rows[0][0], f"tree {short(tree_id)} (lines {lines} …) left out: {error}")
        return
    by_id = {node.message_id: node for _, _, node in nodes}
    root = by_id.get(tree_id)
    for _, _, node in nodes:
        parent = by_id.get(node.parent_id or "")
        if parent is not None:
            parent.replies.append(node)
    placed = {id(node) for node in visit_messages(root)} if root else set()
    for number, _, node in nodes:
        if id(node) not in placed:
            yield BadLine(number, f"its parent {short(node.parent_id)} is not in the file")
    if root is None:
        return
    state = next((row["tree_state"] for _, row, _ in nodes if row.get("tree_state")), None)
    tree = MessageTree(tree_id, state, root, line=rows[0][0])
    try:
        tree.topics = next(topics_of(row) for _, row, node in nodes if node is root)
        check_tree(tree)
    except FormatError as error:
        yield BadLine(tree.line, str(error))
    else:
        yield tree


def write_objects(stream: Writable, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write one JSON object a line; how many there were. Same rows, same bytes."""
    count = 0
    for row in rows:
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        stream.write(line.encode() + b"\n")
        count += 1
    return count


@contextmanager
def open_output(path: Path) -> Iterator[BufferedIOBase]:
    """A new file that takes its name when the block ends well, and vanishes if it does not."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as raw:
            if path.suffix == ".gz":
                # No name and no time in the header: same content, same bytes.
                with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as compressed:
                    yield compressed
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
