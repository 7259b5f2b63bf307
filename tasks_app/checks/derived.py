"""Invariants of what the rules derive: offers, places, limits, ranks, and trees that must move on.

Walks all trees, some hundred at a time, and asks the rules themselves what should stand there.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator

from django.db.models import QuerySet

from tasks_app import facts as tree_facts
from tasks_app import offers, scoring, trees
from tasks_app.config import TreeConfig
from tasks_app.enums import ModerationKind, TaskType, TreeState
from tasks_app.facts import Node, TreeFacts
from tasks_app.models import (
    Message,
    MessageTree,
    ModerationAction,
    Ranking,
    RankingConsensus,
    Recount,
)

TREES_PER_QUERY = 200
PUTS_BACK = (
    ModerationKind.RESTORE_MESSAGE,
    ModerationKind.RELEASE_MESSAGE,
    ModerationKind.PURGE_USER,
    ModerationKind.UNDO,
)

Finding = tuple[str, str, str]  # rule, id, detail


def findings(config: TreeConfig) -> Iterator[Finding]:
    """What is wrong, tree by tree."""
    chunk: list[MessageTree] = []
    for tree in MessageTree.objects.order_by("pk").iterator(chunk_size=TREES_PER_QUERY):
        chunk.append(tree)
        if len(chunk) == TREES_PER_QUERY:
            yield from _of_chunk(chunk, config)
            chunk = []
    yield from _of_chunk(chunk, config)


def _of_chunk(chunk: list[MessageTree], config: TreeConfig) -> Iterator[Finding]:
    waiting = Recount.objects.filter(tree__in=chunk).values_list("pk", flat=True)
    chunk = [tree for tree in chunk if tree.pk not in set(waiting)]
    facts = tree_facts.load_many(chunk)
    widened = _widened(chunk)
    for tree in chunk:
        if not facts[tree.pk].nodes:
            continue  # the root is missing, which is a rule of its own
        yield from _of_tree(tree, facts[tree.pk], config)
        if tree.pk not in widened:
            yield from _limits(facts[tree.pk])
    yield from _ranks([tree for tree in chunk if tree.state == TreeState.READY_FOR_EXPORT])


def _of_tree(tree: MessageTree, facts: TreeFacts, config: TreeConfig) -> Iterator[Finding]:
    planned = offers.plan(facts, config)
    if tree.open_places != planned.open_places:
        detail = f"{tree.open_places} stored, {planned.open_places} planned"
        yield "open_places_are_as_planned", str(tree.pk), detail
    for node in facts.nodes:
        count = planned.children_counts[node.id]
        if node.children_count != count:
            detail = f"{node.children_count} counted, {count} found"
            yield "children_count_is_the_number_of_replies", str(node.id), detail
        yield from _offer(node, planned)
    if tree.active:
        yield from _progress(tree, facts, planned, config)


def _offer(node: Node, planned: offers.Plan) -> Iterator[Finding]:
    """An offer whose last slot was taken may stay, and so may those for replies in a full tree."""
    wanted = planned.offers.get(node.id)
    found = (node.offer_kind, node.offer_slots, node.offer_lonely) if node.offer_slots else None
    expected = (wanted.kind, wanted.slots, wanted.lonely) if wanted else None
    is_reply = node.offer_kind is not None and TaskType(node.offer_kind).is_reply
    if expected is None and is_reply and planned.open_places <= 0:
        return
    if found != expected:
        yield "offers_are_as_planned", str(node.id), f"{_told(found)} stored, {_told(expected)} due"


def _told(offer: tuple | None) -> str:
    return f"{offer[0]} with {offer[1]} slots" if offer else "nothing"


def _progress(
    tree: MessageTree, facts: TreeFacts, planned: offers.Plan, config: TreeConfig
) -> Iterator[Finding]:
    moved = trees.next_state(facts, config)
    if moved:
        yield "trees_move_when_they_can", str(tree.pk), f"{tree.state} -> {moved[0]}: {moved[1]}"
    elif facts.root.held:
        return  # it waits for a moderator
    elif not planned.offers and not any(
        node.reserved or node.waits_for_moderator(config) for node in facts.nodes
    ):
        yield "active_trees_have_work", str(tree.pk), f"nothing to do while {tree.state}"


def _widened(chunk: list[MessageTree]) -> set[uuid.UUID]:
    """Trees in which a moderator put messages back, whatever the limits."""
    restored = ModerationAction.objects.filter(
        action__in=PUTS_BACK, tree_id__in=[tree.pk for tree in chunk]
    )
    return {pk for pk in restored.values_list("tree_id", flat=True) if pk}


def _limits(facts: TreeFacts) -> Iterator[Finding]:
    for node in facts.nodes:
        replies = [r for r in facts.replies(node) if not r.deleted and not r.held]
        taken = sum(r.review_result is not False for r in replies)
        writing = node.reserved if facts.state == TreeState.GROWING and node.is_accepted else 0
        limit = facts.reply_limit(node)
        if taken + writing > limit:
            detail = f"{taken} replies and {writing} reserved, {limit} allowed"
            yield "replies_within_the_limit", str(node.id), detail


def _ranks(finished: list[MessageTree]) -> Iterator[Finding]:
    """The consensus of a finished tree is that of its rankings."""
    rankings: dict[uuid.UUID, list[Ranking]] = defaultdict(list)
    for ranking in Ranking.objects.counted().filter(parent__tree__in=finished).order_by("id"):
        if ranking.parent_id:
            rankings[ranking.parent_id].append(ranking)
    rankable: dict[uuid.UUID | None, set[str]] = defaultdict(set)
    for pk, parent in _accepted_below(rankings):
        rankable[parent].add(str(pk))
    stored = dict(
        RankingConsensus.objects.filter(parent__in=rankings).values_list("parent", "order")
    )
    for parent, votes in rankings.items():
        order = scoring.outcome(votes, rankable[parent]).order
        if stored.get(parent) != order:
            detail = f"{stored.get(parent)} stored, {order} voted"
            yield "consensus_is_that_of_the_rankings", str(parent), detail


def _accepted_below(parents: dict[uuid.UUID, list[Ranking]]) -> QuerySet:
    return Message.objects.accepted().filter(parent__in=parents).values_list("pk", "parent")
