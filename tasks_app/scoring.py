"""From the rankings below a parent to the ranks of its replies."""

import uuid
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


def update_parent(parent_id: uuid.UUID, *, now: datetime) -> None:
    """Compute the ranks of the replies to one message. Caller holds the tree's row lock.

    Rankings that call the replies not rankable count as votes: if they are more than half,
    no reply gets a rank. Replies that not everybody ranked, or that are deleted or rejected by
    now, get none either.
    """
    rankings = list(Ranking.objects.filter(parent=parent_id).order_by("id"))
    if not rankings:
        return  # ranks of an imported tree stay as published
    usable = [ranking for ranking in rankings if not ranking.not_rankable]
    refused = len(rankings) - len(usable)
    consensus = _aggregate(usable, parent_id) if refused * 2 <= len(rankings) else None
    _write_ranks(parent_id, consensus.order if consensus else [])
    RankingConsensus.objects.update_or_create(
        parent_id=parent_id,
        defaults={
            "order": consensus.order if consensus else [],
            "margins": _margins(consensus) if consensus else [],
            "agreement": consensus.agreement if consensus else None,
            "rankings": len(usable),
            "not_rankable": refused,
            "computed_at": now,
        },
    )


def _aggregate(rankings: list[Ranking], parent_id: uuid.UUID) -> Consensus[str] | None:
    """The consensus of stored rankings, or None if they share fewer than two accepted replies."""
    rankable = Message.objects.rankable_below(parent_id).values_list("pk", flat=True)
    accepted = {str(pk) for pk in rankable}
    groups = [
        [[pk for pk in group if pk in accepted] for group in ranking.groups] for ranking in rankings
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
