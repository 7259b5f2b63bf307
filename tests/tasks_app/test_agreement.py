"""Agreement, against a published worked example, numbers worked out by hand, and other programs."""

import json
from collections import defaultdict
from pathlib import Path
from random import Random

import krippendorff
import numpy as np
import pytest
from scipy import stats

from tasks_app.agreement import (
    NOTHING,
    Estimate,
    Level,
    alpha,
    estimate_ratio,
    estimates,
    krippendorff_alpha,
    percent_agreement,
    profiles_of,
)
from tasks_app.ranking import concordance, kendall_tau

pytestmark = pytest.mark.slow

# Four observers, twelve units, some values missing: Krippendorff 2011, part C.
EXAMPLE = [
    [1, 1, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [5, 5, 5],
    [1, 1],
    [3],
]
EXACT = 1e-9
SEEDS = range(20)


def chance() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize(
    ("level", "expected"), [(Level.NOMINAL, 0.743), (Level.ORDINAL, 0.815), (Level.INTERVAL, 0.849)]
)
def test_alpha_of_the_published_example(level: Level, expected: float) -> None:
    assert krippendorff_alpha(EXAMPLE, level) == pytest.approx(expected, abs=5e-4)


def test_alpha_of_two_raters_who_never_agree_is_below_chance() -> None:
    # Two units, values 0 and 1 each: D_o = 1, D_e = 2·2·2 / (4·3).
    assert krippendorff_alpha([[0, 1], [0, 1]], Level.NOMINAL) == pytest.approx(1 - 1 / (8 / 12))


@pytest.mark.parametrize("level", Level)
def test_alpha_of_full_agreement_is_one(level: Level) -> None:
    assert krippendorff_alpha([[0, 0], [0.5, 0.5, 0.5], [1, 1]], level) == 1


@pytest.mark.parametrize("units", [[], [[1], [0]], [[1, 1], [1, 1, 1]]])
def test_alpha_of_values_that_say_nothing_is_undefined(units: list[list[float]]) -> None:
    assert krippendorff_alpha(units, Level.NOMINAL) is None


def test_percent_agreement_counts_pairs_of_people() -> None:
    # Of three people two agree: one pair of three. Of two people both do. Five values in all.
    assert percent_agreement(profiles_of([[0, 0, 1], [1, 1], [1]])[1]) == pytest.approx(
        (3 * 1 / 3 + 2 * 1) / 5
    )
    assert percent_agreement({}) is None


def random_units(seed: int) -> list[list[float]]:
    """Up to six people who judge up to 40 units on up to five steps and leave some out."""
    rng = Random(seed)
    people, steps = rng.randint(3, 6), rng.randint(2, 5)
    return [
        [value / 4 for value in (rng.randrange(steps) for _ in range(people)) if rng.random() < 0.7]
        for _ in range(rng.randint(8, 40))
    ]


def by_package(units: list[list[float]], level: Level) -> float:
    """The same from the `krippendorff` package, which takes a row a person."""
    most = max(len(unit) for unit in units)
    rows = [[unit[n] if n < len(unit) else np.nan for unit in units] for n in range(most)]
    return float(krippendorff.alpha(reliability_data=rows, level_of_measurement=str(level)))


@pytest.mark.parametrize("level", Level)
def test_alpha_is_that_of_the_krippendorff_package(level: Level) -> None:
    for seed in SEEDS:
        units = random_units(seed)

        assert krippendorff_alpha(units, level) == pytest.approx(
            by_package(units, level), abs=EXACT
        )


def random_ranking(rng: Random, ids: str) -> list[list[str]]:
    """A ranking with ties, in random order within them."""
    places = {i: rng.randrange(len(ids)) for i in ids}
    return [[i for i in ids if places[i] == n] for n in sorted(set(places.values()))]


def places(ranking: list[list[str]], ids: str) -> list[float]:
    place = {i: n for n, group in enumerate(ranking) for i in group}
    return list(stats.rankdata([place[i] for i in ids]))


def friedman_w(rows: list[list[float]]) -> float:
    """W from scipy's test of Friedman: its statistic, corrected for ties, is m (n − 1) W."""
    found = stats.friedmanchisquare(*zip(*rows, strict=True))
    return float(found.statistic) / (len(rows) * (len(rows[0]) - 1))


def test_tau_and_w_are_those_of_scipy() -> None:
    compared = 0
    for seed in range(60):
        rng = Random(seed)
        ids = "abcdef"[: rng.randint(3, 6)]
        rankings = [random_ranking(rng, ids) for _ in range(rng.randint(3, 5))]
        if any(len(ranking) == 1 for ranking in rankings):
            continue  # all ties: not defined
        rows = [places(ranking, ids) for ranking in rankings]

        tau = stats.kendalltau(rows[0], rows[1]).statistic
        assert kendall_tau(rankings[0], rankings[1]) == pytest.approx(tau, abs=EXACT)
        assert concordance(rankings) == pytest.approx(friedman_w(rows), abs=EXACT)
        compared += 1
    assert compared > 40


def test_concordance_needs_two_rankings_with_two_ids_in_common() -> None:
    assert concordance([[["a"], ["b"]], [["b"], ["c"]]]) is None
    assert concordance([[["a"], ["b"]]]) is None
    assert concordance([[["a"], ["b"], ["x"]], [["a"], ["b"]]]) == 1


@pytest.mark.real_data
@pytest.mark.parametrize("level", Level)
def test_alpha_of_real_people_is_that_of_the_package(data_folder: Path, level: Level) -> None:
    units = [[row[f"annotator{n}"] for n in (1, 2, 3)] for row in verdicts(data_folder)]

    assert len(units) == 529
    assert krippendorff_alpha(units, level) == pytest.approx(by_package(units, level), abs=EXACT)


@pytest.mark.real_data
def test_orders_of_real_people_agree_as_scipy_says(data_folder: Path) -> None:
    compared = 0
    for rankings in orders(data_folder):
        ids = sorted(i for group in rankings[0] for i in group)
        rows = [places(ranking, ids) for ranking in rankings]
        tau = stats.kendalltau(rows[0], rows[1]).statistic
        if np.isnan(tau) or any(len(ranking) == 1 for ranking in rankings):
            continue
        assert kendall_tau(rankings[0], rankings[1]) == pytest.approx(tau, abs=EXACT)
        assert concordance(rankings) == pytest.approx(friedman_w(rows), abs=EXACT)
        compared += 1
    assert compared > 50


def verdicts(data_folder: Path) -> list[dict]:
    """Three people's verdicts on pairs of answers: 0 tie, 1 the first, 2 the second."""
    path = data_folder / "preferences" / "pandalm_3annotators.dev.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def orders(data_folder: Path) -> list[list[list[list[str]]]]:
    """Each prompt's models as the three put them in order by the number of verdicts won."""
    won: dict[tuple, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in verdicts(data_folder):
        models = row["cmp_key"].split("_")
        for person in (1, 2, 3):
            score = won[row["instruction"], row["input"]][person]
            for number, model in enumerate(models, 1):
                verdict = row[f"annotator{person}"]
                score[model] = score.get(model, 0.0) + (0.5 if verdict == 0 else verdict == number)
    return [
        [groups(score) for score in people.values()]
        for people in won.values()
        if len(people[1]) > 2
    ]


def groups(score: dict[str, float]) -> list[list[str]]:
    values = sorted(set(score.values()), reverse=True)
    return [[model for model in score if score[model] == value] for value in values]


def test_interval_holds_the_value_and_narrows_with_more_units() -> None:
    scale, few = profiles_of(random_units(3))
    many = {profile: 25 * n for profile, n in few.items()}

    one, other = (estimates(p, scale, Level.ORDINAL, chance())[0] for p in (few, many))

    assert one.value is not None
    assert one.low < one.value < one.high
    assert (one.high - one.low) > 3 * (other.high - other.low)
    assert other.n == 25 * one.n


def test_interval_is_that_of_drawing_the_units_themselves() -> None:
    units = [unit for unit in random_units(11) if len(unit) > 1] * 3
    scale, profiles = profiles_of(units)
    rng = Random(1)
    drawn = sorted(
        krippendorff_alpha(rng.choices(units, k=len(units)), Level.INTERVAL) for _ in range(400)
    )

    found, _percent = estimates(profiles, scale, Level.INTERVAL, chance())

    assert found.value == alpha(profiles, scale, Level.INTERVAL)
    assert found.low == pytest.approx(drawn[10], abs=0.03)
    assert found.high == pytest.approx(drawn[390], abs=0.03)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng, draws = np.random.default_rng(2), Random(2)
    truth = 0.8**2 + 0.2**2  # two people, each of whom sees the truth in four of five
    inside = 0
    for _ in range(200):
        units = [[draws.random() < 0.8, draws.random() < 0.8] for _ in range(150)]
        found = estimates(profiles_of(units)[1], [0, 1], Level.NOMINAL, rng)[1]
        inside += found.low <= truth <= found.high
    assert 180 <= inside <= 199


def test_same_chance_gives_the_same_interval() -> None:
    one, other = (
        estimates({(3, 0): 30, (2, 1): 8}, [0, 1], Level.NOMINAL, chance()) for _ in range(2)
    )

    assert one == other


def test_ratio_draws_units_and_not_the_pairs_within_them() -> None:
    # Ten pairs per unit that say the same are no ten units.
    together = estimate_ratio([10.0, 0.0], [10, 10], [6, 6], chance())
    apart = estimate_ratio([1.0, 0.0], [1, 1], [60, 60], chance())

    assert (together.value, together.n) == (0.5, 12)
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_nothing_has_no_estimate() -> None:
    assert estimates({(1, 0): 9}, [0, 1], Level.NOMINAL, chance()) == (NOTHING, NOTHING)
    assert estimate_ratio([], [], [], chance()) == NOTHING


def test_values_without_any_difference_have_no_alpha_but_full_percent() -> None:
    found, percent = estimates({(4, 0): 50}, [0, 1], Level.NOMINAL, chance())

    assert (found.value, found.low, found.n) == (None, None, 50)
    assert percent == Estimate(1.0, 1.0, 1.0, 50)
