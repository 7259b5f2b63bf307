"""Farming does not pay: what farmers have beyond the points of the honest part of their work.

Decision 0012 says what is farmed, and why.
"""

import pytest

from leaderboard_app import ledger, rules
from leaderboard_app.models import PointEntry
from tests.leaderboard_app.evening import Evening, Kind

HONEST = 14  # beside seven who farm
# Of the few orders of somebody who only ranks, some agree with the others by luck.
LIMITS = {Kind.RANKER: 0.2}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_way_of_farming_pays_in_an_evening() -> None:
    # In an evening as short as this some seeds let somebody keep more by luck.
    _check(Evening(honest=HONEST, seed=101), rounds=36)


@pytest.mark.full
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(8))
def test_no_way_of_farming_pays_in_the_long_run(seed: int) -> None:
    _check(Evening(honest=HONEST, seed=seed), rounds=90)


def _check(evening: Evening, *, rounds: int) -> None:
    evening.play(rounds)

    farmed = evening.farmed()
    too_much = {kind: s for kind, s in farmed.items() if s > LIMITS.get(kind, 0.1)}
    assert too_much == {}
    assert evening.typical() >= rounds * rules.POINTS["review_full"]
    held = PointEntry.objects.filter(user__in=evening.honest, why="held")
    assert not held.exists()
    assert list(ledger.disagreements()) == []
