"""What is said of a reward model: by hand on a few pairs, and of models that only count words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training import pair_figures
from training.figures import Bootstrap

HOW = Bootstrap(draws=500)


def pair(
    chosen: float, rejected: float, *, lengths: tuple[int, int] = (10, 10), **more: Any
) -> dict[str, Any]:
    row = {
        "tree": "t",
        "group": "g",
        "weight": 1.0,
        "best_vs_worst": False,
        "chosen": chosen,
        "rejected": rejected,
        "chosen_length": lengths[0],
        "rejected_length": lengths[1],
        "chosen_key": "a",
        "rejected_key": "b",
    }
    return row | more


def crowd(count: int = 200, *, longer_better: float = 0.7, seed: int = 0) -> list[dict[str, Any]]:
    """Pairs without scores, of which the longer answer is preferred in a share."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        long, short = int(rng.integers(200, 400)), int(rng.integers(50, 190))
        lengths = (long, short) if rng.random() < longer_better else (short, long)
        rows.append(pair(0, 0, lengths=lengths, tree=f"t{i // 3}", group=f"g{i // 2}"))
    return rows


def scored(rows: list[dict[str, Any]], score: Any) -> list[dict[str, Any]]:
    return [row | {side: score(row, side) for side in ("chosen", "rejected")} for row in rows]


def test_a_pair_is_right_half_right_or_wrong() -> None:
    rows = [pair(2, 1), pair(1, 1), pair(0, 1)]

    assert pair_figures.rightness(rows).tolist() == [1.0, 0.5, 0.0]


def test_longer_wins_looks_at_lengths_alone() -> None:
    rows = [pair(0, 1, lengths=(9, 5)), pair(5, 1, lengths=(5, 9)), pair(5, 1, lengths=(7, 7))]

    assert pair_figures.longer_wins(rows).tolist() == [1.0, 0.0, 0.5]


def test_order_correlations_by_hand() -> None:
    # People: a > b > c. Scores: a 3, b 1, c 2, so one of three pairs is wrong.
    score = {"a": 3.0, "b": 1.0, "c": 2.0}
    rows = [
        pair(score[x], score[y], chosen_key=x, rejected_key=y)
        for x, y in [("a", "b"), ("a", "c"), ("b", "c")]
    ]

    assert pair_figures.kendall(rows) == pytest.approx(1 / 3)
    assert pair_figures.spearman(rows) == pytest.approx(0.5)  # 1 − 6·(0+1+1)/(3·8)


def test_calibration_error_by_hand() -> None:
    # σ(ln 3) = 0.75 sure four times, right three times: no error. Then right once in four: 0.5.
    margin = float(np.log(3))
    fair = [pair(margin, 0)] * 3 + [pair(0, margin)]
    boastful = [pair(margin, 0)] + [pair(0, margin)] * 3

    assert pair_figures.calibration_error(fair, HOW).value == pytest.approx(0.0)
    assert pair_figures.calibration_error(boastful, HOW).value == pytest.approx(0.5)


def test_length_controlled_accuracy_of_counting_words_is_a_half() -> None:
    rows = scored(crowd(), lambda row, side: row[f"{side}_length"])

    found = pair_figures.reward_model(rows, HOW)

    assert found["accuracy"]["value"] == found["longer_wins"]["value"] > 0.6
    assert found["accuracy_length_controlled"]["value"] == 0.5
    assert found["prefers_longer"]["value"] == 1.0
    assert found["accuracy_over_longer_wins"]["high"] == 0.0


@pytest.mark.parametrize("noise", [0.0, 10.0])
def test_a_model_that_rewards_length_is_flagged(noise: float) -> None:
    rng = np.random.default_rng(3)
    rows = scored(crowd(), lambda row, side: row[f"{side}_length"] + noise * rng.normal())

    found = pair_figures.reward_model(rows, HOW)["warnings"]

    assert any(text.startswith("It rewards length") for text in found)


def test_a_model_that_rewards_length_is_flagged_where_every_better_answer_is_longer() -> None:
    rows = [row for row in crowd() if row["chosen_length"] > row["rejected_length"]]

    found = pair_figures.reward_model(scored(rows, lambda row, side: row[f"{side}_length"]), HOW)[
        "warnings"
    ]

    assert any(text.startswith("It rewards length") for text in found)


def test_a_good_model_is_not_flagged_though_it_likes_longer_answers() -> None:
    """People like them as well: what counts is that it is right where the shorter one is better."""
    rng = np.random.default_rng(4)
    rows = scored(crowd(), lambda row, side: (side == "chosen") + 0.5 * rng.normal())

    found = pair_figures.reward_model(rows, HOW)

    assert found["accuracy"]["low"] > 0.8
    assert found["warnings"] == []


def test_chance_is_not_sold_as_skill() -> None:
    rng = np.random.default_rng(5)
    rows = scored(crowd(), lambda row, side: rng.normal())

    found = pair_figures.reward_model(rows, HOW)["warnings"]

    assert found[0].startswith("Not shown to be better than chance")
    assert any("the longer answer wins" in text for text in found)
    assert not any(text.startswith("It rewards length") for text in found)


def test_a_few_pairs_are_too_few_to_judge() -> None:
    found = pair_figures.reward_model([pair(1, 0)] * 5, HOW)

    assert found["warnings"] == ["Only 5 pairs were held out: too few to judge the reward model."]


def test_length_gaps_are_told_apart() -> None:
    rows = [pair(1, 0, lengths=(10, 100)), pair(0, 1, lengths=(100, 10)), pair(1, 0)]

    found = pair_figures.by_length_gap(rows, HOW)

    assert [(row["chosen_is"], row["value"], row["n"]) for row in found] == [
        ("much shorter", 1.0, 1),
        ("longer", 1.0, 1),
        ("much longer", 0.0, 1),
    ]


def test_a_model_that_is_mostly_wrong_is_worse_than_chance() -> None:
    rows = scored(crowd(), lambda row, side: float(side == "rejected"))

    warned = pair_figures.reward_model(rows, HOW)["warnings"]

    assert warned[0] == "Worse than chance: the interval of its accuracy lies below 0.5."
    assert not [text for text in warned if "holds 0.5" in text]
