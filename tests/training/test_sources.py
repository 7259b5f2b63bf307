"""Which files a config names, and what a run remembers of them."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tasks_app.export_format import BadLine, MessageTree
from training import sources
from training.config import ConfigError, DataConfig, SourceConfig
from training.rows import Conversation, Prompt

GOLDEN = Path(__file__).parent / "golden"
ANSWERED = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
FLAT = {"message_id": "p", "message_tree_id": "p", "text": "Hi", "role": "prompter"}


def save(path: Path, *rows: Any) -> Path:
    raw = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(raw) if path.name.endswith(".gz") else raw)
    return path


def read(path: Path, **more: Any) -> list[sources.Item]:
    return list(sources.read(SourceConfig(path=str(path), **more)))


def test_a_folder_is_all_its_files_by_name(tmp_path: Path) -> None:
    save(tmp_path / "b.jsonl.gz", {"text": "second"})
    save(tmp_path / "a.jsonl", {"text": "first"})
    (tmp_path / "notes.txt").write_text("not read")

    found = read(tmp_path)

    assert [item.messages[0]["content"] for item in found if isinstance(item, Prompt)] == [
        "first",
        "second",
    ]


def test_of_a_snapshot_only_the_trees_are_read(tmp_path: Path) -> None:
    trees = save(tmp_path / "trees.jsonl", (GOLDEN / "trees.jsonl").read_text(encoding="utf-8"))
    save(tmp_path / "pairs.jsonl", {"prompt": "a", "chosen": "b", "rejected": "c"})
    (tmp_path / "snapshot.json").write_text('{"sha256": "of-the-content"}')

    found = read(tmp_path)

    assert [item.message_tree_id for item in found if isinstance(item, MessageTree)][:2] == [
        "moon",
        "kuchen",
    ]
    assert len(found) == 6
    assert sources.record(DataConfig(sources=(SourceConfig(path=str(tmp_path)),))) == [
        {
            "path": str(trees),
            "sha256": hashlib.sha256(trees.read_bytes()).hexdigest(),
            "snapshot": "of-the-content",
        }
    ]


def test_flat_messages_are_put_together_to_trees(tmp_path: Path) -> None:
    reply = FLAT | {"message_id": "a", "parent_id": "p", "role": "assistant", "text": "Hello"}
    path = save(tmp_path / "flat.jsonl", FLAT, reply)

    (tree,) = read(path, kind="messages")

    assert isinstance(tree, MessageTree)
    assert [node.text for node in tree.prompt.replies] == ["Hello"]


def test_a_line_that_cannot_be_read_does_not_spoil_the_others(tmp_path: Path) -> None:
    path = save(tmp_path / "rows.jsonl", ANSWERED, "not JSON\n", {"messages": []}, ANSWERED)

    found = read(path)

    assert [type(item) for item in found] == [Conversation, BadLine, BadLine, Conversation]
    assert [item.number for item in found if isinstance(item, BadLine)] == [2, 3]


def test_rows_of_the_exports_formats_are_rows_and_not_messages(tmp_path: Path) -> None:
    path = save(tmp_path / "sft.jsonl", {"message_tree_id": "t", "message_id": "m"} | ANSWERED)

    assert [type(item) for item in read(path)] == [Conversation]


@pytest.mark.parametrize(
    ("name", "rows", "said"),
    [
        ("empty.jsonl", [], "no JSON object in it"),
        ("odd.jsonl", [{"question": "?", "answer": 1}], "its keys are question, answer"),
    ],
)
def test_a_file_of_no_known_format_is_refused(
    tmp_path: Path, name: str, rows: list[Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        read(save(tmp_path / name, *rows))


def test_a_folder_without_files_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected \*.jsonl or \*.jsonl.gz in the folder"):
        read(tmp_path)
