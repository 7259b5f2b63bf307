"""Whose contributions count nothing: numbers worked out by hand."""

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


def test_what_gives_somebody_away_reaches_back_but_not_for_ever() -> None:
    found = reliance.held(votes(*[0.95] * 120, *[0.4] * 100))

    assert found.index(True) == 120 - 53  # 0.7 takes 54 good ones of a hundred
    assert all(found[found.index(True) :])


def test_good_work_that_follows_makes_up_for_a_bad_beginning() -> None:
    assert all_held(votes(*[0.4] * 4))
    assert not all_held(votes(*[0.4] * 4, *[0.95] * 4))
