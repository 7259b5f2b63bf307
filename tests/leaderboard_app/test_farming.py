"""Farming does not pay: what farmers have beyond the points of the honest part of their work.

Decision 0012 says what is farmed, and why.
"""

import pytest

from leaderboard_app import ledger, rules
from leaderboard_app.models import PointEntry
from tests.leaderboard_app.evening import Evening

HONEST = 14  # beside seven who farm
MOST = 0.1


@pytest.mark.full
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

    assert {kind: share for kind, share in evening.farmed().items() if share > MOST} == {}
    assert evening.typical() >= rounds * rules.POINTS["review_full"]
    held = PointEntry.objects.filter(user__in=evening.honest, why="held")
    assert not held.exists()
    assert list(ledger.disagreements()) == []
