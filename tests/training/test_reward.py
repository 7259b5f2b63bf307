"""The reward model's loss, against numbers worked out by hand, and what it learns."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tests.training import small
from training import modeling, reward, scoring
from training.rundir import RunDir, read_lines


def test_the_loss_of_pairs_by_hand() -> None:
    # Margins ln 3 and 0: −ln σ(ln 3) = ln(4/3), −ln σ(0) = ln 2.
    scores = torch.tensor([math.log(3), 1.0, 0.0, 1.0])
    alike = torch.tensor([1.0, 1.0])

    loss = reward.pair_loss(scores, alike, score_l2=0.0)

    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_a_prompt_counts_once_however_many_pairs_it_has() -> None:
    # One prompt with three pairs of margin 0, one with a single pair of margin ln 3.
    scores = torch.tensor([0.0, 0.0, 0.0, math.log(3), 0.0, 0.0, 0.0, 0.0])
    weights = torch.tensor([1 / 3, 1 / 3, 1 / 3, 1.0]) / 0.5  # over their mean

    loss = reward.pair_loss(scores, weights, score_l2=0.0)

    assert loss.item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)


def test_scores_far_from_zero_cost_their_square() -> None:
    scores = torch.tensor([3.0, 3.0])

    loss = reward.pair_loss(scores, torch.ones(1), score_l2=0.1)

    assert loss.item() == pytest.approx(math.log(2) + 0.05 * (9 + 9))


@pytest.mark.slow
def test_the_trainer_uses_weights_and_the_price_of_scores(tmp_path: Path) -> None:
    """Its first loss is `pair_loss` of the model as it was, over the same pairs."""
    config = small.config("rm", tmp_path, optim={"batch_size": 64}, score_l2=0.5)
    run = RunDir(tmp_path / "run")
    reward.run(config, run)
    first = next(row for row in read_lines(run.metrics) if row["phase"] == "train")

    modeling.environment(config)
    model, tokenizer = modeling.load_scorer(config.model)
    split = reward.data.preferences(config.data, seed=config.seed)
    rows = [
        scoring.encode(tokenizer, row["prompt"], row[side][-1]["content"], max_length=64)
        for side in ("chosen", "rejected")
        for row in split.train
    ]
    found = torch.tensor(scoring.scores(model, rows, batch_size=16))
    wanted = reward.pair_loss(found, torch.ones(len(split.train)), score_l2=0.5)
    assert first["loss"] == pytest.approx(wanted.item(), rel=1e-4)


@pytest.mark.slow
def test_chosen_outscores_rejected_after_overfitting_ten_pairs(tmp_path: Path) -> None:
    config = small.config(
        "rm", tmp_path, optim={"max_steps": 20, "batch_size": 10}, output={"eval_every": 20}
    )
    small.pairs(tmp_path, count=10)

    final = reward.run(config, RunDir(tmp_path / "run"))

    model, tokenizer = modeling.load_reward(final)
    for row in reward.data.preferences(config.data, seed=config.seed).train:
        ids = [
            scoring.encode(tokenizer, row["prompt"], row[side][-1]["content"], max_length=64)
            for side in ("chosen", "rejected")
        ]
        chosen, rejected = scoring.scores(model, ids, batch_size=2)
        assert chosen > rejected
