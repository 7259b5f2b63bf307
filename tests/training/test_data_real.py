"""Real data: the counts that its publishers tell, and "the longer answer wins" as a cross-check."""

from collections import Counter
from pathlib import Path

import pytest

from training import data
from training.config import DataConfig, SourceConfig
from training.data import Split

pytestmark = pytest.mark.real_data


def of(path: Path, *more: Path) -> DataConfig:
    sources = tuple(SourceConfig(path=str(source)) for source in (path, *more))
    return DataConfig(sources=sources, eval_share=0.2, max_eval=None)


def longer_wins(split: Split) -> float:
    pairs = split.train + split.eval
    won = [len(p["chosen"][0]["content"]) > len(p["rejected"][0]["content"]) for p in pairs]
    return sum(won) / len(won)


@pytest.mark.parametrize(
    ("name", "trees", "pairs", "longer"),
    [
        ("oasst1_en_validation.dev.trees.jsonl.gz", 109, 605, 0.68),
        ("oasst2_multilingual.dev.trees.jsonl.gz", 52, 286, 0.69),
        ("oasst_early_en_100.dev.trees.jsonl.gz", 55, 433, 0.71),
    ],
)
def test_pairs_of_published_trees(
    data_folder: Path, name: str, trees: int, pairs: int, longer: float
) -> None:
    split = data.preferences(of(data_folder / "oasst" / name))

    assert (split.report.trees, split.report.found) == (trees, pairs)
    assert longer_wins(split) == pytest.approx(longer, abs=0.005)
    weights = sum(row["weight"] for row in split.train + split.eval)
    assert weights == pytest.approx(split.report.groups)


@pytest.mark.parametrize(
    ("name", "found", "longer"),
    [("hh_harmless.dev.jsonl.gz", 1093, 0.44), ("pandalm_3annotators.dev.jsonl", 386, 0.62),
     ("llmbar.dev.jsonl", 209, 0.23), ("mtbench_human_majority.dev.jsonl", 96, 0.72)],
)  # fmt: skip
def test_pairs_of_other_makers(data_folder: Path, name: str, found: int, longer: float) -> None:
    split = data.preferences(of(data_folder / "preferences" / name))

    assert split.report.found == found
    assert longer_wins(split) == pytest.approx(longer, abs=0.005)


def test_trees_and_flat_messages_of_the_same_data_give_the_same(data_folder: Path) -> None:
    folder = data_folder / "oasst"
    trees = of(folder / "oasst1_en_validation.dev.trees.jsonl.gz")
    flat = of(folder / "oasst1_en_validation.dev.messages.jsonl.gz")

    for read in (data.sft, data.preferences, data.prompts):
        assert Counter(map(str, read(flat).train)) == Counter(map(str, read(trees).train))


def test_every_conversation_ends_on_an_answer_and_stays_on_one_side(data_folder: Path) -> None:
    folder = data_folder / "oasst"
    split = data.sft(of(folder / "oasst1_en_validation.dev.trees.jsonl.gz",
                        folder / "oasst2_multilingual.dev.trees.jsonl.gz"))  # fmt: skip

    rows = split.train + split.eval
    assert {row["messages"][-1]["role"] for row in rows} == {"assistant"}
    assert {row["messages"][0]["role"] for row in rows} == {"user"}
    assert not {row["tree"] for row in split.train} & {row["tree"] for row in split.eval}
    assert split.report.found == 528 + 247 - split.report.left_out.get("repeated", 0)
