"""Which work each message of a tree invites: a pure plan, and writing what differs from it."""

import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connections, router
from django.db.models import Case, F, PositiveIntegerField, Value, When

from tasks_app.config import TreeConfig
from tasks_app.enums import REPLY_TASKS, Role, TaskType, TreeState
from tasks_app.facts import Node, TreeFacts
from tasks_app.models import Message, MessageTree, Offer

_REPLY_KIND = {Role.PROMPTER: TaskType.ASSISTANT_REPLY, Role.ASSISTANT: TaskType.PROMPTER_REPLY}
_LABEL_KIND = {
    Role.PROMPTER: TaskType.LABEL_PROMPTER_REPLY,
    Role.ASSISTANT: TaskType.LABEL_ASSISTANT_REPLY,
}
# By the role of the parent: its replies have the other role.
_RANK_KIND = {
    Role.PROMPTER: TaskType.RANK_ASSISTANT_REPLIES,
    Role.ASSISTANT: TaskType.RANK_PROMPTER_REPLIES,
}


@dataclass(frozen=True, slots=True)
class PlannedOffer:
    """What a message should invite."""

    kind: TaskType
    slots: int
    lonely: bool = False


@dataclass
class Plan:
    """What the derived columns of a tree should hold."""

    offers: dict[uuid.UUID, PlannedOffer] = field(default_factory=dict)
    children_counts: dict[uuid.UUID, int] = field(default_factory=dict)
    open_places: int = 0


def plan(facts: TreeFacts, config: TreeConfig) -> Plan:
    """Offers with free slots, children counts and open places of a tree. Pure."""
    result = Plan(children_counts=_children_counts(facts, config))
    if facts.state == TreeState.INITIAL_PROMPT_REVIEW:
        _offer_review(result, facts.root, config)
    elif facts.state == TreeState.GROWING:
        result.open_places = _open_places(facts, config)
        for node in facts.nodes:
            if node.is_accepted:
                _offer_reply(result, node, facts, config)
            elif not node.is_root:
                _offer_review(result, node, config)
    elif facts.state == TreeState.RANKING:
        for node in facts.to_rank(config):
            _offer_ranking(result, node, config)
    return result


def free_reply_slots(node: Node, facts: TreeFacts, config: TreeConfig) -> int:
    """Replies `node` may still get, reservations not taken off."""
    if not node.is_accepted:
        return 0
    taken = sum(reply.takes_place(config) for reply in facts.replies(node))
    return facts.reply_limit(node) - taken


def _children_counts(facts: TreeFacts, config: TreeConfig) -> dict[uuid.UUID, int]:
    return {
        node.id: sum(reply.takes_place(config) for reply in facts.replies(node))
        for node in facts.nodes
    }


def _open_places(facts: TreeFacts, config: TreeConfig) -> int:
    size = sum(node.takes_place(config) for node in facts.nodes)
    reserved = sum(node.reserved for node in facts.nodes if node.is_accepted)
    return facts.goal_tree_size - size - reserved


def _offer_review(result: Plan, node: Node, config: TreeConfig) -> None:
    slots = node.missing_reviews(config) - node.reserved
    kind = TaskType.LABEL_INITIAL_PROMPT if node.is_root else _LABEL_KIND[Role(node.role)]
    if slots > 0:
        result.offers[node.id] = PlannedOffer(kind, slots)


def _offer_reply(result: Plan, node: Node, facts: TreeFacts, config: TreeConfig) -> None:
    slots = free_reply_slots(node, facts, config) - node.reserved
    if slots <= 0 or result.open_places <= 0:
        return
    replies = result.children_counts[node.id]
    lonely = node.role == Role.PROMPTER and 0 < replies < config.lonely_children_count
    result.offers[node.id] = PlannedOffer(_REPLY_KIND[Role(node.role)], slots, lonely)


def _offer_ranking(result: Plan, node: Node, config: TreeConfig) -> None:
    slots = config.num_required_rankings - node.rankings - node.reserved
    if slots > 0:
        result.offers[node.id] = PlannedOffer(_RANK_KIND[Role(node.role)], slots)


def write(tree: MessageTree, facts: TreeFacts, planned: Plan, *, now: datetime) -> None:
    """Store what differs from `planned`. Caller holds the tree's row lock."""
    _write_offers(tree, facts, planned, now)
    changed = {
        node.id: planned.children_counts[node.id]
        for node in facts.nodes
        if node.children_count != planned.children_counts[node.id]
    }
    if changed:
        cases = [When(pk=pk, then=Value(count)) for pk, count in changed.items()]
        Message.objects.filter(pk__in=changed).update(
            children_count=Case(*cases, output_field=PositiveIntegerField())
        )
    if tree.open_places != planned.open_places:
        tree.open_places = planned.open_places
        tree.save(update_fields=["open_places"])


def _write_offers(tree: MessageTree, facts: TreeFacts, planned: Plan, now: datetime) -> None:
    gone, changed = [], []
    for node in facts.nodes:
        wanted = planned.offers.get(node.id)
        if wanted is None:
            if node.offer_kind is not None:
                gone.append(node.id)
        elif (node.offer_kind, node.offer_slots, node.offer_lonely) != (
            wanted.kind,
            wanted.slots,
            wanted.lonely,
        ):
            changed.append(_row(tree, node, wanted, now))
    if gone:
        Offer.objects.filter(pk__in=gone)._raw_delete("default")  # nothing refers to offers
    if changed:
        Offer.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["message"],
            update_fields=["kind", "lang", "slots", "lonely", "shuffle"],
        )


def _row(tree: MessageTree, node: Node, wanted: PlannedOffer, now: datetime) -> Offer:
    return Offer(
        message_id=node.id,
        tree=tree,
        kind=wanted.kind,
        lang=node.lang,
        slots=wanted.slots,
        lonely=wanted.lonely,
        # Drawn anew whenever the offer changes, yet repeatable for the same tree.
        shuffle=random.Random(f"{node.id} {node.review_count} {wanted}").random(),
        since=now,
    )


# The last place of a tree closes its other offers of this kind too.
_TAKE_PLACE = """
    WITH taken AS (
        UPDATE tasks_app_offer o
        SET slots = CASE WHEN t.open_places > 1 THEN o.slots - 1 ELSE 0 END
        FROM tasks_app_messagetree t
        WHERE o.message_id = %(message)s AND o.kind = %(kind)s AND o.slots > 0
            AND t.id = o.tree_id AND t.open_places > 0
        RETURNING t.id, t.open_places - 1 AS places
    ), placed AS (
        UPDATE tasks_app_messagetree t SET open_places = taken.places
        FROM taken WHERE t.id = taken.id
    ), closed AS (
        UPDATE tasks_app_offer o SET slots = 0 FROM taken
        WHERE taken.places = 0 AND o.tree_id = taken.id
            AND o.message_id <> %(message)s AND o.kind = ANY(%(replies)s)
    )
    SELECT count(*) FROM taken
"""


def take_slot(offer: Offer) -> bool:
    """Reserve one slot of `offer`, and a place of its tree for a reply.

    Caller holds the tree's row lock. False if the slot or the place is gone meanwhile.
    """
    if not TaskType(offer.kind).is_reply:
        free = Offer.objects.filter(pk=offer.pk, kind=offer.kind, slots__gt=0)
        return bool(free.update(slots=F("slots") - 1))
    with connections[router.db_for_write(Offer)].cursor() as cursor:
        replies = [str(kind) for kind in REPLY_TASKS]
        names = {"message": offer.pk, "kind": str(offer.kind), "replies": replies}
        cursor.execute(_TAKE_PLACE, names)
        return bool(cursor.fetchone()[0])


_TAKE_RANKING = """
    UPDATE tasks_app_offer SET slots = slots - 1 WHERE message_id = %s AND kind = %s AND slots > 0
    RETURNING ARRAY({replies})
"""


def take_ranking(offer: Offer) -> list[uuid.UUID] | None:
    """Reserve one slot of a ranking and give the replies to be ranked; None if the slot is gone.

    One query for both. Caller holds the tree's row lock.
    """
    replies = Message.objects.rankable_below(offer.pk).values_list("pk", flat=True)
    sql, params = replies.query.sql_with_params()
    with connections[router.db_for_write(Offer)].cursor() as cursor:
        cursor.execute(_TAKE_RANKING.format(replies=sql), [offer.pk, str(offer.kind), *params])
        taken = cursor.fetchone()
    return taken[0] if taken else None
