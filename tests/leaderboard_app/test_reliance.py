"""Whose contributions count nothing: numbers worked out by hand."""

from math import comb

import pytest

from leaderboard_app import reliance
from leaderboard_app.reliance import Outcome


def votes(*closeness: float) -> list[Outcome]:
    return [Outcome(vote=each) for each in closeness]


def sense(*known: int) -> list[Outcome]:
    return [Outcome(vote=0.95, knows=float(each)) for each in known]


def all_held(outcomes: list[Outcome]) -> bool:
    found = reliance.held(outcomes)
    assert len(found) == len(outcomes)
    assert len(set(found)) == 1
    return found[0]


def test_votes_like_those_of_nobody_who_reads_are_held_from_the_seventh_on() -> None:
    assert not all_held(votes(*[0.6] * 6))
    assert all_held(votes(*[0.6] * 7))
    assert not all_held(votes(*[0.75] * 100))


@pytest.mark.parametrize("outcomes", [votes(0.3), votes(0.4, 0.5), sense(0), sense(1, 0)])
def test_newcomer_may_be_far_off_once_or_twice(outcomes: list[Outcome]) -> None:
    assert not all_held(outcomes)
    assert reliance.held([]) == []


def test_who_does_not_know_what_belongs_here_is_held_until_they_do() -> None:
    assert all_held(sense(0, 0))
    assert not all_held(sense(0, 0, 1, 1))
    assert all_held(sense(*[0, 1] * 20))
    assert not all_held(sense(*[0, 1, 1] * 20))


def test_everything_is_held_with_one_record() -> None:
    assert all_held([*sense(1, 1), *votes(*[0.3] * 7)])


def all_unsure(outcomes: list[Outcome]) -> bool:
    found = reliance.unsure(outcomes)
    assert len(set(found)) == 1
    return found[0]


def test_good_votes_are_luck_until_there_are_some() -> None:
    assert [all_unsure(votes(*[1.0] * n)) for n in (1, 3, 4)] == [True, True, False]
    assert [all_unsure(votes(*[0.93] * n)) for n in (6, 7)] == [True, False]
    assert all_unsure(votes(*[1.0] * 7, 0.0))
    assert not all_unsure(votes(*[1.0] * 13, 0.0, 0.0))
    assert all_unsure([Outcome(knows=1.0)])
    assert reliance.unsure([]) == []


@pytest.mark.parametrize(("orders", "most"), [(5, 0.032), (8, 0.004), (10, 0.011), (13, 0.002)])
def test_few_of_those_who_order_two_replies_at_random_get_by(orders: int, most: float) -> None:
    every = range(orders + 1)
    by_luck = [n for n in every if not all_unsure(votes(*[1.0] * n, *[0.0] * (orders - n)))]

    assert sum(comb(orders, n) for n in by_luck) / 2**orders <= most


@pytest.mark.parametrize(
    ("right", "wrong", "is_early"),
    [(0, 0, False), (9, 0, False), (1, 1, False), (0, 1, True), (2, 2, True), (6, 2, True),
     (7, 2, False), (8, 3, True), (9, 3, False), (13, 8, True)],
)  # fmt: skip
def test_who_was_wrong_waits_until_they_are_right_by_more_than_luck(
    right: int, wrong: int, is_early: bool
) -> None:
    assert reliance.early(sense(*[0] * wrong, *[1] * right)) is is_early


def test_nobody_waits_whose_span_is_full() -> None:
    half = sense(*[0, 1] * 20)

    assert reliance.early([*half, *votes(*[0.9] * 59)])
    assert not reliance.early([*half, *votes(*[0.9] * 60)])


def test_lower_end_of_the_interval_is_worked_out_by_hand() -> None:
    # 8 of 10: (0.8 + 0.08192 − 1.28 √(0.016 + 0.004096)) / 1.16384
    assert reliance.at_least(0.8, 10, 1.28) == pytest.approx(0.60182, abs=1e-4)


def test_what_gives_somebody_away_reaches_back_but_not_for_ever() -> None:
    found = reliance.held(votes(*[0.95] * 120, *[0.4] * 100))

    assert found.index(True) == 120 - 53  # 0.7 takes 54 good ones of a hundred
    assert all(found[found.index(True) :])


def test_good_work_that_follows_makes_up_for_a_bad_beginning() -> None:
    assert all_held(votes(*[0.4] * 4))
    assert not all_held(votes(*[0.4] * 4, *[0.95] * 4))
