"""From the rankings below a parent to the ranks of its replies."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, Exists, F, OuterRef, PositiveIntegerField, Value, When

from tasks_app import reliability
from tasks_app.config import TreeConfig
from tasks_app.facts import TreeFacts
from tasks_app.models import Message, MessageTree, Ranking, RankingConsensus
from tasks_app.ranking import Consensus, ranked_pairs


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


def update_parent(parent: Message, *, config: TreeConfig, now: datetime) -> None:
    """Compute the ranks of the replies to one message. Caller holds the tree's row lock."""
    ids = Message.objects.rankable_below(parent.pk).values_list("pk", flat=True)
    rankable = {parent.pk: {str(pk) for pk in ids}}
    write(outcomes(rankable, lang=parent.lang, config=config), now=now)


def rankable_below(facts: TreeFacts) -> dict[uuid.UUID, set[str]]:
    """The replies that may get a rank, by parent, below every message that people have ranked."""
    return {
        node.id: {str(reply.id) for reply in facts.replies(node) if reply.is_accepted}
        for node in facts.nodes
        if node.rankings
    }


def outcomes(
    rankable: Mapping[uuid.UUID, Collection[str]], *, lang: str, config: TreeConfig
) -> dict[uuid.UUID, Outcome]:
    """What people's rankings say, by parent. Parents that nobody ranked are left out.

    Fixes what each ranking counts if it counts for the first time. Raises ValueError if a stored
    ranking makes no sense.
    """
    rankings: dict[uuid.UUID, list[Ranking]] = defaultdict(list)
    for ranking in reliability.weighted_rankings(rankable, lang=lang, config=config):
        if ranking.parent_id:  # rankings of prompts have none
            rankings[ranking.parent_id].append(ranking)
    return {parent: outcome(votes, rankable[parent]) for parent, votes in rankings.items()}


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
    weights = [1.0 if ranking.weight is None else ranking.weight for ranking in rankings]
    return ranked_pairs(groups, weights)


def _margins(consensus: Consensus[str]) -> list[list]:
    """Each pair once, the better placed reply first."""
    place = {pk: index for index, pk in enumerate(consensus.order)}
    return [[a, b, m] for (a, b), m in consensus.margins.items() if place[a] < place[b]]


def write(results: Mapping[uuid.UUID, Outcome], *, now: datetime) -> None:
    """Store ranks and consensus; other siblings lose their rank. Caller holds the tree's lock."""
    if not results:
        return  # ranks of an imported tree stay as published
    ranks = [
        When(pk=pk, then=Value(rank))
        for result in results.values()
        for rank, pk in enumerate(result.order)
    ]
    rank = Case(*ranks, default=None, output_field=PositiveIntegerField())
    Message.objects.filter(parent__in=results).update(rank=rank)
    RankingConsensus.objects.bulk_create(
        [_row(parent_id, result, now) for parent_id, result in results.items()],
        update_conflicts=True,
        unique_fields=["parent"],
        update_fields=_CONSENSUS,
    )


_CONSENSUS = ["order", "margins", "agreement", "rankings", "not_rankable", "computed_at"]


def _row(parent_id: uuid.UUID, result: Outcome, now: datetime) -> RankingConsensus:
    return RankingConsensus(
        parent_id=parent_id,
        order=result.order,
        margins=_margins(result.consensus) if result.consensus else [],
        agreement=result.consensus.agreement if result.consensus else None,
        rankings=result.usable,
        not_rankable=result.refused,
        computed_at=now,
    )


def forget_unranked(tree: MessageTree) -> None:
    """A consensus of nobody is none. Ranks of imported trees have no consensus and stay.

    Caller holds the tree's row lock.
    """
    ranked = Ranking.objects.counted().filter(parent=OuterRef("parent"))
    empty = RankingConsensus.objects.filter(~Exists(ranked), parent__tree=tree)
    parents = list(empty.values_list("pk", flat=True))
    if parents:
        Message.objects.filter(parent__in=parents).update(rank=None)
        RankingConsensus.objects.filter(pk__in=parents).delete()


def count_ranking(shown: list[str]) -> None:
    """Note on each reply that one more person ranked it."""
    Message.objects.filter(pk__in=shown).update(ranking_count=F("ranking_count") + 1)
