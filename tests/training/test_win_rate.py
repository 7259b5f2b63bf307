"""Win-rates from rankings, worked out by hand."""

import random

import pytest

from training.win_rate import MIN_COMPARISONS, Ballot, WinRate, wilson, win_rate

pytestmark = pytest.mark.slow


def rate(ballots: list[Ballot], side: str = "new", other: str = "human") -> WinRate:
    return win_rate(ballots, side, other, rng=random.Random(1))


def many(*groups: list[str], prompts: int = 40) -> list[Ballot]:
    return [Ballot(f"prompt {number}", groups) for number in range(prompts)]


def test_win_rate_counts_wins_and_half_of_the_ties() -> None:
    ballots = many(["new"], ["human"], prompts=20) + many(["new", "human"], prompts=20)

    found = rate(ballots)

    assert (found.wins, found.ties, found.n, found.prompts) == (20, 20, 40, 20)
    assert found.value == 0.75


def test_win_rate_of_the_other_side_is_what_is_left() -> None:
    ballots = many(["new"], ["previous", "human"]) + many(["human"], ["new"], prompts=10)

    assert rate(ballots).value == 0.8
    assert rate(ballots, "human", "new").value == pytest.approx(0.2)


def test_several_replies_of_a_side_are_each_compared() -> None:
    # new beats both human replies once, and one of them with its second reply
    found = rate([Ballot("prompt", [["new"], ["human"], ["new"], ["human"]])])

    assert (found.wins, found.ties, found.n, found.rankings) == (3, 0, 4, 1)


def test_a_ranking_without_one_of_the_sides_does_not_count() -> None:
    found = rate([*many(["new"], ["previous"]), *many(["new"], ["human"], prompts=2)])

    assert (found.n, found.prompts, found.rankings) == (2, 2, 2)


def test_few_comparisons_give_no_number() -> None:
    few = rate(many(["new"], ["human"], prompts=MIN_COMPARISONS - 1))
    one_prompt = rate([Ballot("prompt", [["new"], ["human"]])] * 100)

    for found in (few, one_prompt):
        assert not found.is_enough
        assert (found.value, found.low, found.wilson_high) == (None, None, None)
    assert rate(many(["new"], ["human"], prompts=MIN_COMPARISONS)).value == 1.0


def test_no_rankings_at_all_are_not_enough() -> None:
    assert not rate([]).is_enough


def test_interval_holds_the_share_and_grows_with_alike_comparisons() -> None:
    """Ten rankings of one prompt that all say the same tell little more than one."""
    apart = many(["new"], ["human"], prompts=60) + many(["human"], ["new"], prompts=40)
    spread = [Ballot(str(n), ballot.groups) for n, ballot in enumerate(apart)]
    alike = [Ballot(str(n // 10), ballot.groups) for n, ballot in enumerate(apart)]

    loose, tight = rate(alike), rate(spread)

    assert loose.value == tight.value == 0.6
    assert loose.low < tight.low < 0.6 < tight.high < loose.high
    assert (loose.wilson_low, loose.wilson_high) == (tight.wilson_low, tight.wilson_high)


def test_wilson_interval_is_that_of_the_tables() -> None:
    # Newcombe 1998, table I: 81 of 263, method 3
    low, high = wilson(81, 263)

    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_wilson_interval_stays_within_shares() -> None:
    assert wilson(0, 30)[0] == 0.0
    assert wilson(30, 30)[1] == pytest.approx(1.0)


def test_same_rng_gives_the_same_interval() -> None:
    ballots = many(["new"], ["human"]) + many(["human"], ["new"], prompts=15)

    assert rate(ballots) == rate(ballots)
