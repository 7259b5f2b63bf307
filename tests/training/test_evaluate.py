"""Judging a result later gives what its run said, and other data can be asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.training import small
from training import evaluate, reward, sft
from training.config import ConfigError, DataConfig, EvaluateConfig, SourceConfig
from training.rundir import RunDir

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judged")


@pytest.fixture(scope="module")
def scorer(folder: Path) -> RunDir:
    run = RunDir(folder / "rm")
    reward.run(small.config("rm", folder), run)
    return run


def figures(run: RunDir) -> dict:
    return json.loads(run.evaluation.read_text(encoding="utf-8"))


@pytest.mark.parametrize("stage", ["sft", "rm"])
def test_a_result_is_judged_as_its_run_judged_it(stage: str, folder: Path) -> None:
    config = small.config(stage, folder)
    first, second = RunDir(folder / f"{stage}-run"), RunDir(folder / f"{stage}-again")
    final = (sft if stage == "sft" else reward).run(config, first)

    again = EvaluateConfig(name="again", model=str(final), data=config.data, threads=1)
    evaluate.run(again, second)

    then, now = figures(first), figures(second)
    assert now["n"] == then["n"] > 0
    name = "loss" if stage == "sft" else "accuracy"
    assert now[name] == pytest.approx(then[name], rel=1e-2)  # in bfloat16, perhaps


def test_dialogues_of_hh_can_be_judged(scorer: RunDir, folder: Path) -> None:
    path = folder / "hh.jsonl"
    asked = "\n\nHuman: Where sat the {}?\n\nAssistant: On mat {}"
    rows = [
        {"chosen": asked.format(a, i) + ", good.", "rejected": asked.format(a, i) + ", not so."}
        for i, a in enumerate(small.ANIMALS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = RunDir(folder / "hh")
    source = SourceConfig(path=str(path), kind="hh")
    data = DataConfig(sources=(source,), eval_share=1.0, max_length=64)

    evaluate.run(EvaluateConfig(name="hh", model=str(scorer.final), data=data, threads=1), run)

    found = figures(run)
    assert (found["stage"], found["n"], found["prompts"]) == ("rm", 10, 10)
    assert found["warnings"] == ["Only 10 pairs were held out: too few to judge the reward model."]


def test_a_model_of_somebody_else_is_judged_by_its_loss(folder: Path) -> None:
    data = replace(small.config("sft", folder).data, eval_share=1.0)
    run = RunDir(folder / "base")

    evaluate.run(EvaluateConfig(name="base", model=small.model(folder), data=data), run)

    assert figures(run)["loss"]["value"] > 4  # it is random: about ln 400
    assert figures(run)["perplexity"]["n"] == figures(run)["n"] == 40


def test_nothing_held_out_is_said(scorer: RunDir, folder: Path) -> None:
    data = replace(small.config("rm", folder).data, eval_share=0.0)

    with pytest.raises(ConfigError, match=r"data.eval_share: 0.0 holds nothing out"):
        evaluate.run(
            EvaluateConfig(name="none", model=str(scorer.final), data=data),
            RunDir(folder / "none"),
        )


def test_plots_stand_in_the_run_s_folder(scorer: RunDir) -> None:
    for name in ("calibration", "length-gap"):
        picture = ElementTree.parse(scorer.path / f"{name}.svg").getroot()
        assert picture.get("aria-label")
        assert len(list(picture.iter("{http://www.w3.org/2000/svg}text"))) >= 3
