"""Coordinated accounts against the functions that aggregate: they move next to nothing."""

from random import Random

import pytest

from tasks_app import dawid_skene
from tasks_app.favourites import favourites
from tasks_app.ranker_skill import fit, weight
from tasks_app.ranking import ranked_pairs

SIDES = "abcdef"  # by strength
GAP, TASTE = 0.5, 2.5  # so near to each other, and so different are people
HONEST, ATTACKERS, EACH, TOGETHER = 80, 20, 25, 5
Cast = list[tuple[str, list[list[str]]]]


def votes(seed: int, *, target: str, attackers: int = ATTACKERS) -> Cast:
    """Everybody's rankings of all sides; attackers put the target first and else are honest."""
    rng = Random(seed)
    cast: Cast = []
    for number in range((HONEST + attackers) * EACH):
        who = number % (HONEST + attackers)
        liked = {s: rng.gauss(-GAP * place, TASTE) for place, s in enumerate(SIDES)}
        if who >= HONEST:
            liked[target] = 100.0
        order = [[side] for side in sorted(SIDES, key=lambda side: -liked[side])]
        cast.append((f"honest {who}" if who < HONEST else f"attacker {who}", order))
    rng.shuffle(cast)
    return cast


def place_of(target: str, cast: Cast) -> int:
    """Where all rankings together put it, weighted by skill; five people rank the same replies."""
    skills = fit((who, number // TOGETHER, order) for number, (who, order) in enumerate(cast))
    out = favourites(cast)
    weights = [
        0.0 if target in out.get(who, ()) else weight(skills.skills[who], skills.mean)
        for who, _ in cast
    ]
    return ranked_pairs([order for _, order in cast], weights).order.index(target)


@pytest.mark.parametrize("target", ["c", pytest.param("f", marks=pytest.mark.full)])
def test_five_hundred_coordinated_votes_move_a_target_by_one_place_at_most(target: str) -> None:
    cast = votes(1, target=target)

    quiet = place_of(target, votes(1, target=target, attackers=0))

    assert sum(who.startswith("attacker") for who, _ in cast) == 500
    assert abs(place_of(target, cast) - quiet) <= 1


def test_all_attackers_and_hardly_an_honest_account_are_named() -> None:
    named = [favourites(votes(seed, target="e")) for seed in range(3)]

    attackers = [who for found in named for who in found if who.startswith("attacker")]
    honest = [who for found in named for who in found if who.startswith("honest")]
    assert len(attackers) == 3 * ATTACKERS
    assert len(honest) <= 0.01 * 3 * HONEST
    assert all("e" in found[who] for found in named for who in found if who.startswith("attacker"))


def test_few_rankings_are_taste() -> None:
    cast = votes(1, target="e")[:300]

    assert favourites(cast) == {}


def test_accounts_that_wave_junk_through_do_not_decide_on_it() -> None:
    """Twenty accounts accept their own junk, 25 times each; known items tell who looks."""
    rng = Random(1)
    people = [(f"honest {n}", 0.92) for n in range(HONEST)]
    junk = [(f"attacker {n}", item, True) for n in range(ATTACKERS) for item in range(EACH)]
    gold = {f"gold {n}": n % 2 == 0 for n in range(8)}
    cast = [(who, item, rng.random() < 0.08) for who, _ in people[:40] for item in range(EACH)]
    cast += [
        (who, key, truth == (rng.random() < p)) for who, p in people for key, truth in gold.items()
    ]
    cast += [(f"attacker {n}", key, True) for n in range(ATTACKERS) for key in gold]

    found = dawid_skene.fit(junk + cast, gold=gold)

    assert all(found.truths[item] < 0.05 for item in range(EACH))
    doubtful = {who for who, s in found.skills.items() if dawid_skene.is_doubtful(s, found.mean)}
    assert not any(who.startswith("honest") for who in doubtful)
    assert doubtful == {f"attacker {n}" for n in range(ATTACKERS)}
