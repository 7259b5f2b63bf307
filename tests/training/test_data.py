"""What a run learns from: which examples are read, and what is said of the rest."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training import data
from training.config import ConfigError, DataConfig, SourceConfig, SystemTagsConfig
from training.data import NotEnoughData, Split

GOLDEN = Path(__file__).parent / "golden"
READERS = {"sft": data.sft, "preferences": data.preferences, "prompts": data.prompts}


def of(name: str, **more: Any) -> DataConfig:
    """All of a golden file, nothing held out."""
    source = SourceConfig(path=str(GOLDEN / name))
    return DataConfig(**{"sources": (source,), "eval_share": 0.0, "min_examples": 1} | more)


def ordered(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)


def answers(split: Split) -> set[str]:
    """The last answer of each conversation."""
    return {row["messages"][-1]["content"] for row in split.train}


def pairs(split: Split) -> set[tuple[str, str]]:
    return {(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in split.train}


@pytest.mark.parametrize("stage", READERS)
def test_trees_become_the_rows_that_were_worked_out_by_hand(stage: str) -> None:
    read: Callable[[DataConfig], Split] = READERS[stage]
    lines = (GOLDEN / f"trees.{stage}.jsonl").read_text(encoding="utf-8").splitlines()

    split = read(of("trees.jsonl"))

    assert ordered(split.train) == ordered([json.loads(line) for line in lines])
    assert split.eval == []


def test_the_report_says_what_was_left_out_and_why() -> None:
    report = data.sft(of("trees.jsonl")).report

    assert (report.found, report.train, report.trees) == (7, 7, 3)
    assert report.languages == {"en": 6, "de": 1}
    assert report.left_out == {
        "state": 2, "prompt": 1, "deleted": 1, "rejected": 1, "synthetic": 1, "below": 1,
    }  # fmt: skip
    assert report.reasons()[0] == "trees that are not finished, or were stopped (2)"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"languages": ("de",)}, {"Mit Mehl, Eiern und Geduld."}),
        ({"languages": ("en",), "top_k": 1}, {"Then its lit side faces away from us.",
                                              "Milk first."}),
        ({"languages": ("de",), "synthetic": True}, {"Mit Mehl, Eiern und Geduld.",
                                                     "Mit Backpulver."}),
    ],
)  # fmt: skip
def test_filters_of_conversations(given: dict[str, Any], kept: set[str]) -> None:
    assert answers(data.sft(of("trees.jsonl", **given))) == kept


def test_a_message_with_too_few_reviews_is_left_out() -> None:
    split = data.preferences(of("trees.jsonl", min_reviews=3, languages=("en",)))

    assert ("It reflects sunlight.", "Cheese glows.") in pairs(split)
    assert "It glows by itself." not in {text for pair in pairs(split) for text in pair}
    assert split.report.left_out["few_reviews"] == 1


def test_a_language_takes_its_regions_too(tmp_path: Path) -> None:
    path = tmp_path / "pt.jsonl"
    rows = [{"text": "Oi", "lang": "pt-BR"}, {"text": "Olá", "lang": "pt"}, {"text": "Hi"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = SourceConfig(path=str(path))

    split = data.prompts(of("", sources=(source,), languages=("pt",)))

    assert split.report.languages == {"pt-BR": 1, "pt": 1}
    assert split.report.left_out == {"language": 1}


def test_picked_drafts_and_votes_become_pairs_without_ties_between_the_others() -> None:
    split = data.preferences(of("chats.jsonl"))

    assert pairs(split) == {("Hello!", "Hm"), ("Hello!", "What?"), ("Hello, hello!", "No.")}
    assert {row["weight"] for row in split.train} == {0.5, 1.0}
    assert all(row["best_vs_worst"] for row in split.train)
    assert split.report.left_out == {"truncated": 1, "tie": 1}


def test_what_a_model_said_in_chats_is_imitated_only_on_demand_and_never_if_disliked() -> None:
    with pytest.raises(NotEnoughData, match=r"answers that a model wrote \(3\)"):
        data.sft(of("chats.jsonl"))

    split = data.sft(of("chats.jsonl", synthetic=True))

    assert answers(split) == {"Hello, hello!", "Hm", "What?"}
    assert split.report.left_out == {"disliked": 1, "truncated": 1}


def test_too_little_data_is_said_with_what_was_left_out() -> None:
    with pytest.raises(NotEnoughData) as caught:
        data.preferences(of("trees.jsonl", min_examples=50))

    assert (caught.value.found, caught.value.needed) == (6, 50)
    assert str(caught.value) == (
        "6 pairs found, at least 50 needed (data.min_examples). Left out: "
        "trees that are not finished, or were stopped (2), trees whose prompt is not usable (1), "
        "messages that were deleted (1), messages that were not accepted in review (1), "
        "messages below one that is left out (1), pairs of which neither was preferred (1)."
    )


def test_examples_that_do_not_fit_are_counted_and_do_not_count_as_found() -> None:
    split = data.sft(of("trees.jsonl"), fits=lambda row: len(row["messages"]) == 2)

    assert split.report.left_out["too_long"] == 1
    assert (len(split.train), split.report.found) == (6, 6)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sources": ()}, "names no file"),
        ({"sources": (SourceConfig(path="/nowhere"),)}, "/nowhere: no such file or folder"),
        ({"eval_share": 1.5}, "1.5, expected 0 to 1"),
        ({"sources": (SourceConfig(path="x", weight=-1),)}, "weight -1 is below 0"),
    ],
)
def test_a_config_that_cannot_be_read_says_why(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        data.sft(of("trees.jsonl", **given))


def test_system_tags_are_refused_where_they_would_do_nothing() -> None:
    with pytest.raises(ConfigError, match="only a run of SFT"):
        data.preferences(of("trees.jsonl", system_tags=SystemTagsConfig()))
