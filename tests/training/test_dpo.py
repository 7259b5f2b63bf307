"""DPO begins where the reference stands, and then prefers what people preferred."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training import small
from training import checkpoints, dpo, sft
from training.rundir import RunDir, read_lines

PAIR_LOSS = dpo.pair_loss


def test_the_loss_of_pairs_by_hand() -> None:
    # −ln σ(0) = ln 2, −ln σ(ln 3) = ln(4/3): one prompt with two pairs, one with a single one.
    margins = torch.tensor([0.0, 0.0, math.log(3)])
    weights = torch.tensor([0.5, 0.5, 1.0]) / (2 / 3)  # over their mean

    loss = dpo.pair_loss(margins, weights)

    assert loss.item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert loss.item() != pytest.approx(dpo.pair_loss(margins, torch.ones(3)).item())


def evaluations(run: RunDir) -> list[dict[str, Any]]:
    return [row for row in read_lines(run.metrics) if row["phase"] == "eval"]


@pytest.mark.slow
@pytest.mark.parametrize("lora", [{"r": 4, "alpha": 8}, pytest.param(None, marks=pytest.mark.full)])
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


@pytest.mark.slow
def test_the_trainer_uses_the_weights(tmp_path: Path) -> None:
    """The loss of its second step, over all pairs, is `pair_loss` of where the first one led."""
    config = small.config("dpo", tmp_path, optim={"batch_size": 64, "max_steps": 2})
    small.pairs(tmp_path, count=24, answers=3)
    rows = dpo.data.preferences(config.data, seed=config.seed).train
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    run = RunDir(tmp_path / "run")

    with pytest.MonkeyPatch.context() as watch:
        watch.setattr(dpo, "pair_loss", lambda *given: seen.append(given) or PAIR_LOSS(*given))
        dpo.run(config, run)

    margins, weights = seen[-1]
    mean = sum(row["weight"] for row in rows) / len(rows)
    assert sorted(weights.tolist()) == pytest.approx(sorted(row["weight"] / mean for row in rows))
    last = [row["loss"] for row in read_lines(run.metrics) if "loss" in row][-1]
    each = [w * math.log1p(math.exp(-m)) for m, w in zip(margins, weights, strict=True)]
    assert last == pytest.approx(sum(each).item() / len(rows), rel=1e-4)
    assert last != pytest.approx(PAIR_LOSS(margins, torch.ones(len(rows))).item(), rel=1e-4)


@pytest.mark.slow
def test_the_reference_of_a_trained_adapter_is_that_adapter(tmp_path: Path) -> None:
    first = sft.run(small.config("sft", tmp_path), RunDir(tmp_path / "sft"))
    config = small.config("dpo", tmp_path, model={"path": str(first)})
    run = RunDir(tmp_path / "run")

    final = dpo.run(config, run)

    assert evaluations(run)[0]["eval_margin"] == 0
    assert [parent["stage"] for parent in checkpoints.read_lineage(final)["parents"]] == ["sft"]
