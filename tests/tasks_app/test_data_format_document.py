"""The examples of docs/data-format.md are what the code reads and writes."""

import json
import re
from pathlib import Path
from typing import Any

from tasks_app import export_format
from tasks_app.export_format import nodes

DOCUMENT = Path(__file__).parents[2] / "docs" / "data-format.md"


def examples() -> list[dict[str, Any]]:
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return [json.loads(block) for block in blocks]


def example_with(key: str) -> dict[str, Any]:
    [example] = [example for example in examples() if key in example]
    return example


def test_example_of_a_tree_is_read_and_written_again() -> None:
    example = example_with("tree_state")

    written = export_format.tree_to_json(export_format.tree_from_json(example))

    assert written["message_tree_id"] == example["message_tree_id"]
    assert written["prompt"]["replies"][0]["emojis"] == {"+1": 2}
    assert written["prompt"]["labels"] == example["prompt"]["labels"]
    assert "model_name" not in written["prompt"]


def test_example_of_a_thread_comes_from_the_tree() -> None:
    tree = export_format.tree_from_json(example_with("tree_state"))

    rows = list(export_format.sft_rows(tree))

    assert len(rows) == 2
    assert rows[0]["messages"] == example_with("messages")["messages"]
    assert set(rows[0]) == set(example_with("messages"))


def test_example_of_a_pair_comes_from_the_tree() -> None:
    tree = export_format.tree_from_json(example_with("tree_state"))

    [row] = export_format.preference_rows(tree)

    example = example_with("chosen")
    assert set(row) == set(example)
    assert [row[key] for key in ("prompt", "chosen", "rejected")] == [
        example[key] for key in ("prompt", "chosen", "rejected")
    ]


def test_document_names_every_field() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    missing = [field for field in nodes.MessageNode.__slots__ if f"`{field}`" not in text]

    assert missing == []
