"""DPO begins where the reference stands, and then prefers what people preferred."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.training import small
from training import checkpoints, dpo, sft
from training.rundir import RunDir, read_lines

pytestmark = pytest.mark.slow


def evaluations(run: RunDir) -> list[dict[str, Any]]:
    return [row for row in read_lines(run.metrics) if row["phase"] == "eval"]


@pytest.mark.parametrize("lora", [{"r": 4, "alpha": 8}, None])
def test_the_margin_begins_at_zero_and_grows(lora: dict[str, int] | None, tmp_path: Path) -> None:
    config = small.config("dpo", tmp_path, model={"lora": lora}, optim={"max_steps": 12})
    run = RunDir(tmp_path / "run")

    final = dpo.run(config, run)

    first, *_, last = evaluations(run)
    assert first["eval_loss"] == pytest.approx(math.log(2))
    assert first["eval_margin"] == 0
    assert last["eval_margin"] > 0
    assert last["eval_accuracy"] > 0.9
    assert checkpoints.read_lineage(final)["evaluation"]["accuracy"]["value"] > 0.9


def test_the_reference_of_a_trained_adapter_is_that_adapter(tmp_path: Path) -> None:
    first = sft.run(small.config("sft", tmp_path), RunDir(tmp_path / "sft"))
    config = small.config("dpo", tmp_path, model={"path": str(first)})
    run = RunDir(tmp_path / "run")

    final = dpo.run(config, run)

    assert evaluations(run)[0]["eval_margin"] == 0
    assert [parent["stage"] for parent in checkpoints.read_lineage(final)["parents"]] == ["sft"]
