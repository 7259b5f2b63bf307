"""From the rankings below a parent to the ranks of its replies."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, F, PositiveIntegerField, Value, When

from tasks_app import reliability
from tasks_app.facts import TreeFacts
from tasks_app.models import Message, Ranking, RankingConsensus
from tasks_app.ranking import Consensus, ranked_pairs


def update_tree(facts: TreeFacts, *, now: datetime) -> None:
    """Compute the ranks below every message whose replies people have ranked.

    Caller holds the tree's row lock.
    """
    for node in facts.nodes:
        if node.rankings:
            update_parent(node.id, now=now)


@dataclass(frozen=True)
class Outcome:
    """What the rankings below a message say: `consensus` is None if they agree on no order."""

    consensus: Consensus[str] | None
    usable: int
    refused: int

    @property
    def order(self) -> list[str]:
        """Ids of the replies that get a rank, best first."""
        return self.consensus.order if self.consensus else []


def update_parent(parent_id: uuid.UUID, *, now: datetime) -> None:
    """Compute the ranks of the replies to one message. Caller holds the tree's row lock."""
    rankings = list(Ranking.objects.filter(parent=parent_id).order_by("id"))
    if not rankings:
        return  # ranks of an imported tree stay as published
    rankable = Message.objects.rankable_below(parent_id).values_list("pk", flat=True)
    result = outcome(rankings, {str(pk) for pk in rankable})
    _write_ranks(parent_id, result.order)
    RankingConsensus.objects.update_or_create(
        parent_id=parent_id,
        defaults={
            "order": result.order,
            "margins": _margins(result.consensus) if result.consensus else [],
            "agreement": result.consensus.agreement if result.consensus else None,
            "rankings": result.usable,
            "not_rankable": result.refused,
            "computed_at": now,
        },
    )


def outcome(rankings: Sequence[Ranking], rankable: Collection[str]) -> Outcome:
    """Aggregate the rankings, in order of id, below one message.

    Rankings that call the replies not rankable count as votes: if they are more than half,
    no reply gets a rank. Replies that not everybody ranked, or that are not in `rankable` (deleted
    or rejected by now), get none either.
    """
    usable = [ranking for ranking in rankings if not ranking.not_rankable]
    refused = len(rankings) - len(usable)
    consensus = _aggregate(usable, rankable) if refused * 2 <= len(rankings) else None
    return Outcome(consensus, len(usable), refused)


def _aggregate(rankings: list[Ranking], rankable: Collection[str]) -> Consensus[str] | None:
    groups = [
        [[pk for pk in group if pk in rankable] for group in ranking.groups] for ranking in rankings
    ]
    common = set.intersection(*({pk for group in g for pk in group} for g in groups))
    if len(common) < 2:
        return None
    return ranked_pairs(groups, reliability.weights([ranking.user_id for ranking in rankings]))


def _margins(consensus: Consensus[str]) -> list[list]:
    """Each pair once, the better placed reply first."""
    place = {pk: index for index, pk in enumerate(consensus.order)}
    return [[a, b, m] for (a, b), m in consensus.margins.items() if place[a] < place[b]]


def _write_ranks(parent_id: uuid.UUID, order: list[str]) -> None:
    replies = Message.objects.filter(parent=parent_id)
    if not order:
        replies.filter(rank__isnull=False).update(rank=None)
        return
    cases = [When(pk=pk, then=Value(rank)) for rank, pk in enumerate(order)]
    replies.update(rank=Case(*cases, default=None, output_field=PositiveIntegerField()))


def count_ranking(shown: list[str]) -> None:
    """Note on each reply that one more person ranked it."""
    Message.objects.filter(pk__in=shown).update(ranking_count=F("ranking_count") + 1)
