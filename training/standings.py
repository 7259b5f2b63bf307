"""What people's blind rankings say of a round's model: read from the rankings, at any time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from uuid import UUID

from tasks_app.models import Message, Ranking
from training.models import Checkpoint, Round
from training.win_rate import Ballot, WinRate, win_rate

PAIRS = (("new", "previous"), ("new", "human"), ("previous", "human"))
EARLIER, LATER = "earlier", "later"


@dataclass(frozen=True)
class Standing:
    """What is known so far. `position` is how often the reply shown earlier was preferred."""

    rates: list[WinRate]
    position: WinRate
    trees: int
    rankings: int
    not_rankable: int


def standing(round: Round) -> Standing | None:
    """None before answers of the round are there to be ranked. Three queries."""
    record = round.steps.filter(kind="rank").values_list("record", flat=True).first() or {}
    if not record.get("trees"):
        return None
    trees = [UUID(key) for key in record["trees"]]
    sides = _sides(trees, record["sides"])
    counted = Ranking.objects.counted().filter(parent__in=trees)
    rankings = list(counted.select_related("task"))
    usable = [ranking for ranking in rankings if not ranking.not_rankable]
    ballots = [_ballot(ranking, sides) for ranking in usable]
    shown = [ballot for ranking in usable for ballot in _by_position(ranking)]
    seed = round.pk
    return Standing(
        rates=[
            win_rate(ballots, *pair, rng=random.Random(seed))
            for pair in PAIRS
            if {*pair} <= {*sides.values()}
        ],
        position=win_rate(shown, EARLIER, LATER, rng=random.Random(seed)),
        trees=len(trees),
        rankings=len(rankings),
        not_rankable=len(rankings) - len(usable),
    )


def record(round: Round) -> WinRate | None:
    """Write how the round's model does against the one before into its evaluation, where the gate
    and the page of the model read it. None if too few have ranked yet."""
    known = standing(round)
    rates = [rate for rate in known.rates if rate.other == "previous"] if known else []
    if not rates or rates[0].value is None:
        return None
    (rate,) = rates
    figure = {"value": rate.value, "low": rate.low, "high": rate.high, "n": rate.n}
    for checkpoint in Checkpoint.objects.filter(run__steps__round=round, run__steps__kind="ppo"):
        checkpoint.evaluation = (checkpoint.evaluation or {}) | {"win_rate": figure}
        checkpoint.save(update_fields=["evaluation"])
    return rate


def _sides(trees: list[UUID], names: dict[str, str]) -> dict[str, str]:
    """The side of every reply that still stands, by id."""
    by_model = {model: side for side, model in names.items() if model}
    rows = Message.objects.filter(tree__in=trees, depth=1, deleted=False)
    return {
        str(pk): by_model.get(model, "other") if synthetic else "human"
        for pk, synthetic, model in rows.values_list("pk", "synthetic", "model_name")
    }


def _ballot(ranking: Ranking, sides: dict[str, str]) -> Ballot:
    groups = [[sides[pk] for pk in group if pk in sides] for group in ranking.groups]
    return Ballot(str(ranking.parent_id), groups)


def _by_position(ranking: Ranking) -> Iterator[Ballot]:
    """Every pair of replies as a comparison of the one shown earlier with the one shown later."""
    shown: list[Any] = ranking.task.shown_ids if ranking.task else []
    place = {pk: number for number, group in enumerate(ranking.groups) for pk in group}
    for earlier, later in combinations([pk for pk in shown if pk in place], 2):
        if place[earlier] == place[later]:
            groups = [[EARLIER, LATER]]
        else:
            groups = [[EARLIER], [LATER]] if place[earlier] < place[later] else [[LATER], [EARLIER]]
        yield Ballot(str(ranking.parent_id), groups)
