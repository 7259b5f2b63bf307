"""Ranked pairs and rank correlation, against worked examples and a plain brute force."""

from collections.abc import Sequence
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.ranking import kendall_tau, ranked_pairs

Ranking = list[list[str]]
Pair = tuple[str, str]

IDS = "abcde"


def strict(order: Sequence[str]) -> Ranking:
    """The ranking without ties that `order`, a string of ids, spells."""
    return [[i] for i in order]


def ballots(**counts: int) -> list[Ranking]:
    """So many voters for each order: `ballots(abc=4, bca=3)`."""
    return [strict(order) for order, n in counts.items() for _ in range(n)]


@st.composite
def tied_rankings(draw: st.DrawFn, ids: str = IDS) -> Ranking:
    """A ranking of all `ids` with random ties."""
    places = {i: draw(st.integers(0, len(ids) - 1)) for i in ids}
    return [[i for i in ids if places[i] == n] for n in sorted(set(places.values()))]


strict_rankings = st.permutations(IDS).map(strict)


def reference_order(rankings: list[Ranking]) -> list[str]:
    """Ranked pairs as the original states them: lock, look for a cycle, drop, read off sources."""
    ids = sorted(i for group in rankings[0] for i in group)
    place = [{i: n for n, group in enumerate(r) for i in group} for r in rankings]

    def margin(a: str, b: str) -> int:
        return sum((p[a] < p[b]) - (p[a] > p[b]) for p in place)

    pairs = sorted(
        (pair for pair in permutations(ids, 2) if margin(*pair) >= 0), key=lambda p: -margin(*p)
    )
    locked: list[Pair] = []
    for pair in pairs:
        if not has_cycle([*locked, pair]):
            locked.append(pair)
    return sources_first(ids, locked)


def has_cycle(pairs: list[Pair]) -> bool:
    while pairs:
        kept = [(a, b) for a, b in pairs if any(b == winner for winner, _ in pairs)]
        if kept == pairs:
            return True
        pairs = kept
    return False


def sources_first(ids: list[str], locked: list[Pair]) -> list[str]:
    order: list[str] = []
    while len(order) < len(ids):
        left = [i for i in ids if i not in order]
        order.append(next(i for i in left if not any((j, i) in locked for j in left)))
    return order


def test_ranked_pairs_of_a_cycle_drops_its_weakest_pair() -> None:
    result = ranked_pairs(ballots(abc=4, bca=3, cab=2))

    assert result.order == ["a", "b", "c"]
    assert result.margins == {
        ("a", "b"): 3,
        ("b", "a"): -3,
        ("b", "c"): 5,
        ("c", "b"): -5,
        ("c", "a"): 1,
        ("a", "c"): -1,
    }
    assert result.voters == 9


def test_ranked_pairs_of_two_opposed_voters_puts_the_lower_id_first() -> None:
    result = ranked_pairs(ballots(ab=1, ba=1))

    assert result.order == ["a", "b"]
    assert result.agreement == 0


def test_ranked_pairs_of_one_voter_is_what_he_said() -> None:
    result = ranked_pairs(ballots(cab=1))

    assert result.order == ["c", "a", "b"]
    assert result.agreement is None


def test_ranked_pairs_of_ties_give_no_margin() -> None:
    result = ranked_pairs([[["a", "b"], ["c"]], strict("bca")])

    assert result.margins["a", "b"] == -1
    assert result.margins["a", "c"] == 0
    assert result.margins["b", "c"] == 2
    assert result.order == ["b", "a", "c"]


def test_ranked_pairs_where_all_is_tied_breaks_on_the_id() -> None:
    result = ranked_pairs([[["c", "a", "b"]], [["b", "c", "a"]]])

    assert result.order == ["a", "b", "c"]
    assert set(result.margins.values()) == {0}
    assert result.agreement is None


def test_ranked_pairs_of_different_candidates_keeps_the_common_ones() -> None:
    result = ranked_pairs([strict("xbac"), strict("abyc"), strict("bcza")])

    assert result.order == ["b", "a", "c"]
    assert not {"x", "y", "z"} & set(result.order)


@pytest.mark.parametrize(
    "rankings",
    [
        [],
        [strict("a")],
        [strict("ab"), strict("bc")],
        [strict("aba")],
        [[["a", "a"], ["b"]]],
        [[["a", "b"], ["b"]]],
    ],
)
def test_ranked_pairs_of_unusable_rankings_are_refused(rankings: list[Ranking]) -> None:
    with pytest.raises(ValueError, match=r"ids in common|names an id twice"):
        ranked_pairs(rankings)


@pytest.mark.parametrize("weights", [[1], [1, -1], [1, float("nan")]])
def test_ranked_pairs_with_bad_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        ranked_pairs(ballots(ab=1, ba=1), weights)


def test_ranked_pairs_with_weights_follow_the_heavier_voter() -> None:
    result = ranked_pairs(ballots(ab=1, ba=1), weights=[1, 2.5])

    assert result.order == ["b", "a"]
    assert result.margins["b", "a"] == 1.5


@given(st.lists(strict_rankings, min_size=1, max_size=6))
def test_ranked_pairs_of_complete_rankings_equal_the_reference(rankings: list[Ranking]) -> None:
    assert ranked_pairs(rankings).order == reference_order(rankings)


@given(st.lists(tied_rankings(), min_size=1, max_size=6))
def test_ranked_pairs_of_rankings_with_ties_equal_the_reference(rankings: list[Ranking]) -> None:
    assert ranked_pairs(rankings).order == reference_order(rankings)


@given(st.lists(tied_rankings(), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_ranked_pairs_do_not_depend_on_the_order_of_voters_or_of_ties(
    rankings: list[Ranking], rng: Random
) -> None:
    shuffled = [[rng.sample(group, len(group)) for group in ranking] for ranking in rankings]
    rng.shuffle(shuffled)

    assert ranked_pairs(shuffled) == ranked_pairs(rankings)


@given(st.lists(strict_rankings, min_size=1, max_size=7))
def test_ranked_pairs_put_a_condorcet_winner_first(rankings: list[Ranking]) -> None:
    result = ranked_pairs(rankings)

    winners = [i for i in IDS if all(result.margins[i, j] > 0 for j in IDS if j != i)]
    assert winners in ([], result.order[:1])


@given(tied_rankings(), st.integers(2, 5))
def test_ranked_pairs_of_agreeing_voters_agree_fully(ranking: Ranking, voters: int) -> None:
    result = ranked_pairs([ranking] * voters)

    assert result.agreement == (None if len(ranking) == 1 else pytest.approx(1))
    assert [i for group in ranking for i in sorted(group)] == result.order


def test_agreement_of_a_textbook_example() -> None:
    # Rank sums 5, 6, 11, 8 around 7.5: S = 21; W = 12·21 / (9·60).
    result = ranked_pairs(ballots(abcd=1, abdc=1, dbac=1))

    assert result.agreement == pytest.approx(12 * 21 / 540)


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [
        (strict("abc"), strict("abc"), 1),
        (strict("abc"), strict("cba"), -1),
        (strict("abcd"), strict("abdc"), 4 / 6),
        (strict("axbc"), strict("abyc"), 1),
        ([["a"], ["b", "c"]], strict("abc"), 2 / 6**0.5),
        ([["a", "b"]], strict("ab"), None),
        (strict("a"), strict("a"), None),
        (strict("ab"), strict("cd"), None),
    ],
)
def test_kendall_tau_of_two_rankings(first: Ranking, second: Ranking, tau: float | None) -> None:
    assert kendall_tau(first, second) == (None if tau is None else pytest.approx(tau))
