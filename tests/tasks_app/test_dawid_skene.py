"""Dawid and Skene's model, against numbers worked out by hand and the crowd-kit package."""

import json
from math import log
from pathlib import Path
from random import Random

import pandas
import pytest
from crowdkit.aggregation import DawidSkene
from hypothesis import given
from hypothesis import strategies as st

from tasks_app import dawid_skene
from tasks_app.dawid_skene import TYPICAL, Fit, Skill, fit, posterior, weight

pytestmark = pytest.mark.filterwarnings("ignore:::crowdkit")  # not ours to mend

Vote = tuple[str, int, bool]
PEOPLE = {"alice": 0.95, "bob": 0.85, "mona": 0.9, "carol": 0.75, "trudy": 0.5}


def some_votes(seed: int, items: int = 400) -> tuple[list[Vote], list[bool]]:
    """What the cast says of items of which 70 % are true, each person right so often."""
    rng = Random(seed)
    truths = [rng.random() < 0.7 for _ in range(items)]
    votes = [
        (name, item, truth if rng.random() < right else not truth)
        for item, truth in enumerate(truths)
        for name, right in PEOPLE.items()
    ]
    return votes, truths


def test_estimates_are_those_of_crowd_kit_where_nothing_is_shrunk() -> None:
    for seed in (1, 2, 3):
        assert_like_crowd_kit(some_votes(seed)[0])


@pytest.mark.real_data
def test_estimates_on_real_annotators_are_those_of_crowd_kit(data_folder: Path) -> None:
    path = data_folder / "preferences" / "pandalm_3annotators.dev.jsonl"
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    names = ("annotator1", "annotator2", "annotator3")
    assert_like_crowd_kit([(n, i, row[n] == 1) for i, row in enumerate(rows) for n in names])


def assert_like_crowd_kit(votes: list[Vote]) -> None:
    """Ours starts with two typical votes of the crowd and two items, which moves it a little."""
    table = pandas.DataFrame(votes, columns=["worker", "task", "label"])
    oracle = DawidSkene(n_iter=300, tol=1e-9).fit(table)

    found = fit(votes, strength=1e-9)

    for name, skill in found.skills.items():
        errors = oracle.errors_.loc[name]
        assert skill.sensitivity == pytest.approx(errors.loc[True, True], abs=1e-3)
        assert skill.specificity == pytest.approx(errors.loc[False, False], abs=1e-3)
    truths = oracle.probas_[True].to_dict()
    assert found.truths == pytest.approx(truths, abs=0.02)
    assert {i: p > 0.5 for i, p in found.truths.items()} == {i: p > 0.5 for i, p in truths.items()}


def test_skills_of_known_items_are_what_one_works_out_by_hand() -> None:
    votes = [("alice", "one", True), ("alice", "two", True), ("alice", "three", False)]

    found = fit(votes, gold={"one": True, "two": True, "three": False}, strength=1)

    # The crowd's mean starts with two votes of 0.9: (2 + 1.8) / 4 and (1 + 1.8) / 3.
    assert found.mean == Skill(pytest.approx(0.95), pytest.approx(2.8 / 3), 3)
    # And Alice with one of the mean: (2 + 0.95) / 3 and (1 + 0.9333) / 2.
    alice = Skill(pytest.approx(2.95 / 3), pytest.approx((1 + 2.8 / 3) / 2), 3)
    assert found.skills == {"alice": alice}
    assert found.truths == {"one": 1, "two": 1, "three": 0}
    assert found.prior == 0.5


def test_posterior_is_bayes_rule() -> None:
    votes = [(True, Skill(0.8, 0.9, 0)), (False, Skill(0.6, 0.7, 0))]

    # Odds 1/4 · (0.8 / 0.1) · (0.4 / 0.7) = 8 / 7.
    assert posterior(votes, 0.2) == pytest.approx(8 / 15)
    assert posterior([], 0.2) == pytest.approx(0.2)


def test_a_guesser_is_told_from_the_rest_and_loses_influence() -> None:
    votes, truths = some_votes(2)

    found = fit(votes)

    weights = {name: weight(skill, found.mean) for name, skill in found.skills.items()}
    assert sorted(weights, key=lambda name: -weights[name])[-1] == "trudy"
    assert weights["trudy"] < 0.2 < weights["carol"] < weights["alice"] == 1
    assert dawid_skene.is_doubtful(found.skills["trudy"], found.mean)
    assert not any(
        dawid_skene.is_doubtful(s, found.mean) for n, s in found.skills.items() if n != "trudy"
    )
    right = sum((found.truths[item] > 0.5) == truth for item, truth in enumerate(truths))
    assert right / len(truths) > 0.97


def test_gold_shows_that_a_majority_errs() -> None:
    """Three say yes to everything; what is known shows that they do not look."""
    lazy = [(name, item, True) for name in ("trudy", "tom", "tim") for item in range(40)]
    votes = lazy + [("alice", item, item % 2 == 0) for item in range(40)]

    without = fit(votes)
    found = fit(votes, gold={item: item % 2 == 0 for item in range(20)})

    assert without.truths[31] > 0.5
    assert found.truths[31] < 0.1
    assert weight(found.skills["trudy"], found.mean) < 0.5 < weight(found.skills["alice"])


def test_newcomers_count_like_the_mean_of_the_crowd() -> None:
    votes, _ = some_votes(3)

    found = fit([*votes, ("newcomer", 0, True)])

    newcomer = found.skills["newcomer"]
    assert newcomer.sensitivity == pytest.approx(found.mean.sensitivity, abs=0.05)
    assert newcomer.specificity == pytest.approx(found.mean.specificity, abs=0.05)
    assert weight(found.mean, found.mean) == 1
    assert not dawid_skene.is_doubtful(Skill(0.5, 0.5, 3), found.mean)


def test_nothing_to_go_by_gives_a_typical_crowd() -> None:
    assert fit([]) == Fit({}, {}, 0.5, TYPICAL)


def test_equal_votes_give_equal_results() -> None:
    votes, _ = some_votes(4)

    assert fit(votes) == fit(list(votes))


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.001, 0.3))
def test_weight_is_never_negative_and_grows_with_skill(a: float, b: float, more: float) -> None:
    lower, higher = Skill(a, b, 9), Skill(min(0.99, a + more), b, 9)

    assert 0 <= weight(lower) <= weight(higher) <= dawid_skene.MOST_WEIGHT
    assert weight(lower, Skill(0.4, 0.5, 9)) == 1  # a crowd that guesses


def test_weight_is_in_proportion_to_the_log_odds() -> None:
    assert weight(Skill(0.7, 0.9, 9), Skill(0.9, 0.9, 9)) == pytest.approx(log(4) / log(9))
    assert weight(Skill(0.2, 0.7, 9)) == 0
