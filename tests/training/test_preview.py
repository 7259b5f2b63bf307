"""What a config would train on, as a page or a terminal shows it."""

import json
from pathlib import Path
from typing import Any

import pytest

from training import __main__ as command
from training import config as configs
from training import preview, tiny
from training.preview import Preview

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.build(tmp_path_factory.mktemp("preview") / "tiny"))


def plain(model: str, stage: str = "sft", **data: Any) -> dict[str, Any]:
    sources = [{"path": str(GOLDEN / "trees.jsonl")}]
    told = {"sources": sources, "eval_share": 0.0, "min_examples": 1} | data
    more = {"reward": "rule:length"} if stage == "ppo" else {}
    return {"stage": stage, "name": "p", "model": {"path": model}, "data": told} | more


def look(model: str, stage: str = "sft", **data: Any) -> Preview:
    return preview.look(configs.build(plain(model, stage, **data)))


def shown(found: Preview) -> list[tuple[str, list[str], list[str]]]:
    """Of each text its name, what is learned, and what is not."""
    return [
        (
            text.name,
            [part for part, is_learned in text.segments if is_learned],
            [part for part, is_learned in text.segments if not is_learned],
        )
        for sample in found.samples
        for text in sample.texts
    ]


def test_samples_show_what_is_learned(model: str) -> None:
    found = look(model, languages=("en",), top_k=1)

    assert (
        "conversation",
        ["It reflects sunlight.<|im_end|>", "Then its lit side faces away from us.<|im_end|>"],
        [
            "<|im_start|>user\nWhy does the moon shine?<|im_end|>\n<|im_start|>assistant\n",
            "\n<|im_start|>user\nAnd at new moon?<|im_end|>\n<|im_start|>assistant\n",
            "\n",
        ],
    ) in shown(found)
    assert (found.report.train, len(found.samples)) == (2, 2)


def test_pairs_show_both_answers_after_the_same_prompt(model: str) -> None:
    found = look(model, "rm", languages=("de",))

    asked = "<|im_start|>user\nWie backe ich einen Kuchen?<|im_end|>\n<|im_start|>assistant\n"
    assert shown(found) == [
        ("chosen", ["Mit Mehl, Eiern und Geduld.<|im_end|>\n"], [asked]),
        ("rejected", ["Mit Backpulver.<|im_end|>\n"], [asked]),
    ]
    assert found.samples[0].weight == 1.0


def test_prompts_show_nothing_to_imitate(model: str) -> None:
    found = look(model, "ppo")

    assert {name for name, _, _ in shown(found)} == {"prompt"}
    assert [learned for _, learned, _ in shown(found)] == [[]] * 6


def test_lengths_are_those_of_the_models_tokens(model: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b" * 9}]
    long = [[*turns, turns[0] | {"content": f"q{n}"}, turns[1]] for n in range(3)]
    path.write_text("".join(json.dumps({"messages": row}) + "\n" for row in [*long, turns]))
    sources = [{"path": str(path)}]
    [short] = {text.tokens for sample in look(model, sources=sources).samples
               for text in sample.texts if len(text.segments) == 3}  # fmt: skip

    found = look(model, sources=sources, max_length=short)

    assert (found.lengths.limit, found.lengths.measured, found.lengths.cut) == (short, 4, 0.75)
    assert found.lengths.median == found.lengths.p95 == found.lengths.longest > short
    assert [learned for _, learned, _ in shown(found)] == [["bbbbbbbbb<|im_end|>"]] * 4


def test_the_command_prints_counts_reasons_and_marks(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(plain(model)))

    assert command.main(["show", str(config), "data.languages=[de]"]) == 0

    told = capsys.readouterr().out
    assert "Stage sft: 1 examples to learn from, 0 held out, of 1 found in 1 trees." in told
    assert "  conversations in other languages (2)\n" in told
    assert "messages that were deleted" not in told
    assert "assistant\n⟦Mit Mehl, Eiern und Geduld.<|im_end|>⟧" in told


def test_too_little_data_is_said_in_place_of_samples(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(plain(model)))

    assert command.main(["show", str(config), "data.min_examples=50"]) == 2

    assert "7 conversations found, at least 50 needed" in capsys.readouterr().err
