"""Figures and their intervals, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training import figures
from training.figures import Bootstrap

HOW = Bootstrap(draws=2000, seed=1)


def test_a_ratio_weighs_rows_by_what_is_below() -> None:
    found = figures.ratio([10.0, 2.0], [4, 2], ["a", "b"], HOW)

    assert found.value == 2.0
    assert (found.low, found.high) == (1.0, 2.5)  # both draws of one tree alone occur
    assert found.n == 2


def test_rows_of_one_tree_are_drawn_together() -> None:
    """A hundred rows of one tree are no hundred independent cases."""
    values = [1.0] * 100 + [0.0] * 100
    one_each = figures.mean(values, [str(i) for i in range(200)], HOW)
    two_trees = figures.mean(values, ["a"] * 100 + ["b"] * 100, HOW)

    assert one_each.value == two_trees.value == 0.5
    assert one_each.high - one_each.low < 0.2
    assert (two_trees.low, two_trees.high) == (0.0, 1.0)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        values = rng.random(60) < 0.7
        found = figures.mean(values, [str(i) for i in range(60)], Bootstrap(500, 0.9, seed))
        held += found.low <= 0.7 <= found.high

    assert 0.83 <= held / 200 <= 0.96


def test_the_same_seed_gives_the_same_interval() -> None:
    rows = [[1.0, 0.0, 1.0], ["a", "b", "c"]]

    assert figures.mean(*rows, HOW) == figures.mean(*rows, HOW)


def test_loss_and_perplexity_are_per_token_and_beside_those_before() -> None:
    rows = [{"tree": "a", "loss": 6.0, "tokens": 4}, {"tree": "b", "loss": 2.0, "tokens": 4}]
    before = [{"tree": "a", "loss": 8.0, "tokens": 4}, {"tree": "b", "loss": 4.0, "tokens": 4}]

    found = figures.language_model(rows, HOW, before=before)

    assert found["loss"]["value"] == 1.0
    assert found["perplexity"]["value"] == pytest.approx(math.e)
    assert found["loss_before"]["value"] == 1.5
    assert found["loss_change"]["value"] == -0.5
    assert found["loss_change"]["high"] == pytest.approx(-0.5)  # both trees fell alike
    assert (found["n"], found["trees"], found["tokens"]) == (2, 2, 8)


def test_answers_that_end_less_often_are_told_by_change_and_length() -> None:
    before = {"ended": [1.0, 1.0, 0.0, 1.0], "length": [10, 10, 30, 10]}
    after = {"ended": [0.0, 1.0, 0.0, 0.0], "length": [30, 10, 30, 20]}

    found = figures.endings(before, after, ["a", "b", "c", "d"], HOW)

    values = {name: figure["value"] for name, figure in found.items()}
    assert values == {
        "ended_before": 0.75, "ended": 0.25, "ended_change": -0.5, "length_ratio": 1.5
    }  # fmt: skip
    assert found["ended_change"]["high"] == 0.0  # two of four may be chance


def test_answers_that_stay_the_same_have_no_interval_to_speak_of() -> None:
    same = {"ended": [1.0, 0.0], "length": [4, 8]}

    found = figures.endings(same, same, ["a", "b"], HOW)

    assert found["ended_change"] == {"value": 0.0, "low": 0.0, "high": 0.0, "n": 2}
