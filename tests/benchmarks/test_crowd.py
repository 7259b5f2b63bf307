"""The benchmark `crowd` prints what others read, and knowing people helps where it is needed."""

from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from tests.benchmarks import crowd, crowd_labels, crowd_plot
from tests.benchmarks import crowd_world as world
from tests.benchmarks.printed import figures_of

pytestmark = [pytest.mark.slow, pytest.mark.real_data]


def test_weights_help_a_crowd_with_spammers_and_gold_finds_them(data_folder: Path) -> None:
    found = crowd.play(crowd.CONDITIONS[crowd.MAIN], seed=3001)

    assert found.accuracy["weights"] > found.accuracy["majority"]
    assert found.accuracy["weights_gold"] > found.accuracy["majority"] + 0.02
    assert found.tau["weights_gold"] > found.tau["majority"] + 0.02
    assert found.curve[0.8][0] > found.accuracy["majority"]
    assert found.curve[0.8][1] < 0.85 * crowd.VOTES
    assert found.spammer_auc is not None
    assert found.spammer_auc > 0.9
    assert found.honest_flagged <= 0.02


@pytest.mark.full
def test_weights_bring_means_of_labels_nearer_to_the_published_ones(data_folder: Path) -> None:
    found = crowd_labels.play(crowd.CONDITIONS[crowd.MAIN], seed=3001)
    honest = crowd_labels.play(crowd.CONDITIONS["spammers_0"], seed=3001)

    for group in crowd_labels.GROUPS:
        assert _known(found[group], "weighted_error") < 0.9 * _known(found[group], "mean_error")
        assert _known(found[group], "auc") > 0.95
        assert _known(found[group], "honest_flagged") <= 0.01
        plain, weighted = (_known(honest[group], f"{name}_error") for name in ("mean", "weighted"))
        assert weighted == pytest.approx(plain, abs=0.003)


def _known(figures: crowd_labels.Figures, name: str) -> float:
    value = figures[name]
    assert value is not None
    return value


def test_colluders_say_the_same_and_spammers_do_not(data_folder: Path) -> None:
    scene = world.gather(crowd.Condition(spammers=0.2, colluders=0.2), 10, Random(1))
    spammers, ring = scene.people[:2], scene.people[2:4]

    def votes(people: list) -> list:
        return [[scene.vote(person, item, 0) for item in scene.items[:40]] for person in people]

    assert votes(ring)[0] == votes(ring)[1]
    assert votes(spammers)[0] != votes(spammers)[1]
    assert sum(item.line is None for item in scene.items) == pytest.approx(
        len(scene.items) * world.JUNK, abs=1
    )


@pytest.mark.full
def test_benchmark_prints_its_figures_as_json(data_folder: Path) -> None:
    figures = figures_of("crowd", "--seeds", "1")

    for found in (figures, *figures["conditions"].values()):
        assert _keys(found) >= {*crowd.METHODS, "spammer_auc", "honest_flagged"}
        assert all(_keys(found[m]) == {"accuracy", "tau", "reviews"} for m in crowd.METHODS)
    assert _keys(figures["conditions"]) == crowd.CONDITIONS.keys() - {crowd.MAIN}
    assert crowd_plot.svg(figures).count("<polyline") == 3


def _keys(found: Mapping) -> set[str]:
    return set(found)
