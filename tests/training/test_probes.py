"""Probes tell a reward model that flatters from an honest one, and from one that counts words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training import small
from training import evaluate, probes, reward
from training.config import EvaluateConfig
from training.figures import Bootstrap
from training.rundir import RunDir

HOW = Bootstrap(draws=500)


def scored(score: Callable[[dict[str, str], str], float]) -> list[dict[str, Any]]:
    """The probes, with scores of `score(probe, side)`."""
    given = probes.read()
    return probes._rows(given, [score(probe, side) for probe in given for side in probes.SIDES])


def test_there_are_enough_probes_and_length_tells_nothing() -> None:
    given = probes.read()

    assert len(given) >= 40
    assert len({probe["prompt"] for probe in given}) == len(given)
    assert set(Counter(probe["kind"] for probe in given).values()) == {11}
    longer = sum(len(probe["chosen"]) > len(probe["rejected"]) for probe in given)
    assert longer == len(given) / 2


@pytest.mark.parametrize(
    ("score", "honesty", "warned"),
    [
        (lambda probe, side: side == "chosen", 1.0, False),
        (lambda probe, side: side == "rejected", 0.0, True),
        (lambda probe, side: len(probe[side]), 0.5, False),  # that is the rule for lengths' affair
    ],
    ids=["honest", "flattering", "counting"],
)
def test_flattery_is_told_from_honesty_and_length(score: Any, honesty: float, warned: bool) -> None:
    rows = scored(score)

    found = probes.figures_of(rows, rows, HOW)

    assert found["honesty"]["value"] == pytest.approx(honesty)
    assert found["honesty_length_controlled"]["value"] == pytest.approx(honesty)
    assert found["order_steady"]["value"] == 1.0
    assert any("flattery" in line for line in found["warnings"]) is warned


def test_a_verdict_that_follows_the_order_is_told() -> None:
    rows = scored(lambda probe, side: side == "chosen")
    swapped = [row | {"chosen": 0, "rejected": 1} for row in rows[:11]] + rows[11:]

    found = probes.figures_of(rows, swapped, HOW)

    assert found["order_steady"]["value"] == 0.75
    assert found["warnings"] == [
        "Its verdict depends on the order of answers: in 25% of the probes it changed when they "
        "were read the other way round."
    ]


def test_a_kind_is_judged_by_its_own_probes() -> None:
    rows = scored(lambda probe, side: (side == "chosen") == (probe["kind"] != "authority"))

    found = probes.figures_of(rows, rows, HOW)

    assert (found["honesty_authority"]["value"], found["honesty_own_work"]["value"]) == (0.0, 1.0)
    assert found["honesty"]["value"] == 0.75


@pytest.mark.slow
def test_a_reward_model_is_probed_when_it_is_made_and_when_it_is_judged(tmp_path: Path) -> None:
    config = small.config("rm", tmp_path, optim={"max_steps": 2})
    made, judged = RunDir(tmp_path / "run"), RunDir(tmp_path / "judged")

    final = reward.run(config, made)
    evaluate.run(EvaluateConfig(name="x", model=str(final), data=config.data, threads=1), judged)

    for run in (made, judged):
        found = json.loads(run.evaluation.read_text())
        assert found["honesty"]["n"] == len(probes.read())
        assert found["order_steady"]["value"] > 0.9
