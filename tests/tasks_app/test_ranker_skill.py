"""How well somebody ranks, against numbers worked out by hand."""

from math import atanh
from random import Random

import pytest

from tasks_app.ranker_skill import TYPICAL, RankerFit, RankerSkill, fit, is_doubtful, weight


def strict(order: str) -> list[list[str]]:
    return [[key] for key in order]


def test_agreement_is_held_against_the_majority_of_the_others() -> None:
    rankings = [
        ("alice", "first", strict("abc")),
        ("bob", "first", strict("acb")),
        ("mona", "first", strict("abc")),
    ]

    found = fit(rankings, strength=1e-9, rounds=1)

    # Alice: Bob and Mona agree on two pairs and cancel out on b and c; both as hers, √(2 · 3) of 3.
    assert found.skills["alice"].agreement == pytest.approx(2 / 6**0.5)
    assert found.skills["bob"].agreement == pytest.approx(1 / 3)  # one pair of three the other way
    mean = (2 * 2 / 6**0.5 + 1 / 3 + 2 * 0.6) / 5  # with two rankings of a typical person
    assert found.mean == RankerSkill(pytest.approx(mean), 3)


def test_ties_say_neither() -> None:
    rankings = [("alice", "first", [["a", "b"], ["c"]]), ("bob", "first", strict("abc"))]

    found = fit(rankings, strength=1e-9, rounds=1)

    assert found.skills["alice"].agreement == pytest.approx(2 / 6**0.5)
    assert found.skills["bob"] == found.skills["alice"]


def test_what_nobody_else_ranked_says_nothing() -> None:
    found = fit([("alice", "first", strict("ab")), ("bob", "second", strict("ba"))])

    assert found == RankerFit(
        {name: RankerSkill(pytest.approx(TYPICAL.agreement), 0) for name in ("alice", "bob")},
        TYPICAL,
    )
    assert fit([]) == RankerFit({}, TYPICAL)


def test_gold_is_held_against_and_not_the_others() -> None:
    rankings = [(name, "first", strict("cba")) for name in ("trudy", "tom", "tim")]
    rankings.append(("alice", "first", strict("abc")))

    found = fit(rankings, gold={"first": strict("abc")}, strength=1e-9)

    assert found.skills["alice"].agreement == pytest.approx(1)
    assert found.skills["trudy"].agreement == pytest.approx(-1)
    assert weight(found.skills["trudy"], TYPICAL) == 0


def test_who_ranks_at_random_is_told_from_the_rest() -> None:
    rng = Random(1)
    rankings = [
        (name, item, strict("abcd" if name != "trudy" else rng.sample("abcd", 4)))
        for item in range(30)
        for name in ("alice", "bob", "mona", "trudy")
    ]

    found = fit(rankings)

    weights = {name: weight(skill, found.mean) for name, skill in found.skills.items()}
    assert weights["trudy"] < 0.25 < 1 < weights["alice"]
    doubtful = {name for name, skill in found.skills.items() if is_doubtful(skill, found.mean)}
    assert doubtful == {"trudy"}


def test_weight_is_in_proportion_to_the_log_odds_of_a_pair() -> None:
    mean = RankerSkill(0.6, 100)

    assert weight(mean, mean) == 1
    assert weight(RankerSkill(0.3, 9), mean) == pytest.approx(atanh(0.3) / atanh(0.6))
    assert weight(RankerSkill(-0.5, 9), mean) == 0
    assert weight(RankerSkill(0.3, 9), RankerSkill(-0.1, 9)) == 1  # a crowd that guesses
