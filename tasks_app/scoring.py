"""From the rankings below a parent to the ranks of its replies."""

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connections, router
from django.db.models import Exists, OuterRef

from tasks_app import reliability
from tasks_app.config import TreeConfig
from tasks_app.errors import SelfReview
from tasks_app.facts import TreeFacts
from tasks_app.models import Message, MessageTree, Ranking, RankingConsensus, Task
from tasks_app.ranking import Consensus, ranked_pairs

if TYPE_CHECKING:
    from oasst.accounts.models import User


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


# One query, for a submit that ends a tree has few to spend. A reply's rank is its place in `order`.
_WRITE = """
    WITH result AS (
        SELECT * FROM jsonb_to_recordset(%(results)s::jsonb) result (parent_id uuid, "order" jsonb,
            margins jsonb, agreement float8, rankings int, not_rankable int)
    ), ranked AS (
        UPDATE tasks_app_message m SET rank = (
            SELECT place.number - 1
            FROM jsonb_array_elements_text(result."order") WITH ORDINALITY place (id, number)
            WHERE place.id = m.id::text
        ) FROM result WHERE m.parent_id = result.parent_id
    )
    INSERT INTO tasks_app_rankingconsensus
        (parent_id, "order", margins, agreement, rankings, not_rankable, computed_at)
    SELECT result.*, %(now)s FROM result
    ON CONFLICT (parent_id) DO UPDATE SET "order" = excluded."order", margins = excluded.margins,
        agreement = excluded.agreement, rankings = excluded.rankings,
        not_rankable = excluded.not_rankable, computed_at = excluded.computed_at
"""


def write(results: Mapping[uuid.UUID, Outcome], *, now: datetime) -> None:
    """Store ranks and consensus; other siblings lose their rank. Caller holds the tree's lock."""
    if not results:
        return  # ranks of an imported tree stay as published
    rows = [_row(parent_id, result) for parent_id, result in results.items()]
    with connections[router.db_for_write(Message)].cursor() as cursor:
        cursor.execute(_WRITE, {"results": json.dumps(rows), "now": now})


def _row(parent_id: uuid.UUID, result: Outcome) -> dict[str, Any]:
    return {
        "parent_id": str(parent_id),
        "order": result.order,
        "margins": _margins(result.consensus) if result.consensus else [],
        "agreement": result.consensus.agreement if result.consensus else None,
        "rankings": result.usable,
        "not_rankable": result.refused,
    }


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


_COUNT = """
    UPDATE tasks_app_message SET ranking_count = ranking_count + 1 WHERE id = ANY(%s::uuid[])
    RETURNING user_id
"""


def count_ranking(task: Task, user: "User") -> None:
    """Note on each reply shown that one more person ranked it. Raises SelfReview if one is theirs.

    One query for both.
    """
    with connections[router.db_for_write(Message)].cursor() as cursor:
        cursor.execute(_COUNT, [task.shown_ids])
        if (user.pk,) in cursor.fetchall():
            raise SelfReview
