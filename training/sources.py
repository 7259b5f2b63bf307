"""Which files a config names and what stands in them: trees, rows, bad lines. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tasks_app import export_format
from tasks_app.export_format import BadLine, MessageTree
from training import rows
from training.config import ConfigError, DataConfig, SourceConfig
from training.rows import Row

SNAPSHOT = "snapshot.json"  # what makes a folder a snapshot; its trees stand in TREES
TREES = ("trees.jsonl", "trees.jsonl.gz")
ENDINGS = (".jsonl", ".jsonl.gz")

Kind = Literal["trees", "messages", "pairs", "hh", "prompts"]
Item = MessageTree | Row | BadLine | rows.Undecided


def read(source: SourceConfig) -> Iterator[Item]:
    """Everything in the source's files, in their order. Raises ConfigError if it has none."""
    for path in files(source):
        kind = _kind(source, path)
        if kind == "trees":
            yield from export_format.read_trees(path)
        else:
            yield from _read_rows(path, kind)


def files(source: SourceConfig) -> list[Path]:
    """The files of a source, by name; of a snapshot, its trees. Raises ConfigError."""
    path = Path(source.path).expanduser()
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ConfigError(f"data.sources: {source.path}: no such file or folder")
    if (path / SNAPSHOT).is_file():
        found = [path / name for name in TREES if (path / name).is_file()]
        expected = f"{TREES[0]} beside {SNAPSHOT}"
    else:
        found = sorted(file for file in path.iterdir() if file.name.endswith(ENDINGS))
        expected = " or ".join(f"*{ending}" for ending in ENDINGS)
    if not found:
        raise ConfigError(f"data.sources: {source.path}: expected {expected} in the folder")
    return found


def record(config: DataConfig) -> list[dict[str, Any]]:
    """For the lineage: each file with its SHA-256, and the hash of the snapshot it belongs to."""
    return [
        {"path": str(path), "sha256": _sha256(path), "snapshot": _snapshot(path)}
        for source in config.sources
        for path in files(source)
    ]


def _read_rows(path: Path, kind: rows.Kind) -> Iterator[Item]:
    for number, row in export_format.read_objects(path):
        if isinstance(row, BadLine):
            yield row
            continue
        try:
            yield rows.parse(row, kind)
        except rows.Undecided as undecided:
            yield undecided
        except (rows.RowError, KeyError) as error:
            yield BadLine(number, f"not a line of the kind {kind}: {error}")


def _kind(source: SourceConfig, path: Path) -> Kind:
    if source.kind == "auto":
        return _recognise(path)
    if source.kind == "messages" and _recognise(path) == "trees":
        return "trees"  # flat messages, to be put together
    return source.kind


def _recognise(path: Path) -> Kind:
    """By the first line that is a JSON object."""
    for _, row in export_format.read_objects(path):
        if isinstance(row, BadLine):
            continue
        if "messages" not in row and "chosen" not in row and _is_of_tree(row):
            return "trees"
        kind = rows.recognise(row)
        if kind is None:
            keys = ", ".join(list(row)[:8])
            raise ConfigError(
                f"data.sources: {path}: no known format (its keys are {keys}); docs/training.md "
                "lists the formats"
            )
        return kind
    raise ConfigError(f"data.sources: {path}: no JSON object in it")


def _is_of_tree(row: dict[str, Any]) -> bool:
    return "message_id" in row or isinstance(row.get("prompt"), dict)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _snapshot(path: Path) -> str | None:
    beside = path.parent / SNAPSHOT
    if path.name not in TREES or not beside.is_file():
        return None
    return str(json.loads(beside.read_text(encoding="utf-8"))["sha256"])
