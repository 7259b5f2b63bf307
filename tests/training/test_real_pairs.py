"""Published pairs, and how far "the longer answer wins" gets on them: what a model must beat."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training import small
from training import data, evaluate, reward
from training.__main__ import main
from training.config import DataConfig, SourceConfig
from training.figures import Bootstrap
from training.outcome import DONE
from training.pair_figures import reward_model
from training.rundir import RunDir

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


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of a tiny reward model's run."""
    folder = tmp_path_factory.mktemp("scorer")
    return reward.run(small.config("rm", folder), RunDir(folder / "rm"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "pairs", "prompts"),
    [
        ("hh_harmless.dev.jsonl.gz", 60, 60),
        pytest.param("pandalm_3annotators.dev.jsonl", 60, 13, marks=pytest.mark.full),
        pytest.param("llmbar.dev.jsonl", 60, 60, marks=pytest.mark.full),
        pytest.param("mtbench_human_majority.dev.jsonl", 60, 24, marks=pytest.mark.full),
    ],
)
def test_a_file_of_published_pairs_is_judged_from_the_command_line(
    file: str, pairs: int, prompts: int, scorer: Path, data_folder: Path, tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "run")
    source = f"data.sources=[{{path: {data_folder / 'preferences' / file}}}]"
    words = ["evaluate", "tiny-evaluate", "--run-dir", str(run.path), f"model={scorer}", source]

    done = main([*words, "data.eval_share=1", "data.max_eval=60", "threads=1"])

    assert done == DONE
    found = json.loads(run.evaluation.read_text())
    assert (found["stage"], found["n"], found["prompts"]) == ("rm", pairs, prompts)
    for name in ("accuracy", "longer_wins", "accuracy_over_longer_wins", "kendall_tau"):
        figure = found[name]
        assert figure["low"] < figure["value"] < figure["high"], name
    assert {path.stem for path in run.path.glob("*.svg")} == {"calibration", "length-gap"}
