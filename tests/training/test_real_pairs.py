"""Published pairs, and how far "the longer answer wins" gets on them: what a model must beat."""

from __future__ import annotations

from pathlib import Path

import pytest

from training import data, evaluate
from training.config import DataConfig, SourceConfig
from training.figures import Bootstrap
from training.pair_figures import reward_model

pytestmark = pytest.mark.real_data


@pytest.mark.parametrize(
    ("file", "share"),
    [
        ("oasst/oasst1_en_validation.dev.trees.jsonl.gz", 0.68),
        ("oasst/oasst_early_en_100.dev.trees.jsonl.gz", 0.71),
        ("oasst/oasst2_multilingual.dev.trees.jsonl.gz", 0.69),
        ("preferences/pandalm_3annotators.dev.jsonl", 0.64),
        ("preferences/mtbench_human_majority.dev.jsonl", 0.75),
        ("preferences/hh_harmless.dev.jsonl.gz", 0.44),
    ],
)
def test_the_longer_answer_wins_as_often_as_published(
    file: str, share: float, data_folder: Path
) -> None:
    source = SourceConfig(path=str(data_folder / file))
    pairs = data.preferences(DataConfig(sources=(source,), eval_share=1.0, max_eval=None)).eval

    rows = [evaluate.judged(pair, {"chosen": 0.0, "rejected": 0.0}) for pair in pairs]
    found = reward_model(rows, Bootstrap(draws=200))

    assert found["longer_wins"]["value"] == pytest.approx(share, abs=0.03)
    assert found["longer_wins"]["low"] <= share <= found["longer_wins"]["high"]
    assert found["accuracy"]["value"] == 0.5  # all tie
    assert found["n"] == len(pairs) > 90
