"""What must hold of any database, worked out anew from its rows."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from django.db.models import F

from oasst.accounts.models import User
from tasks_app import facts, offers
from tasks_app.config import TreeConfig
from tasks_app.enums import LABEL_TASKS, RANK_TASKS, WRITING_TASKS, LabelKind, TaskType, TreeState
from tasks_app.facts import Node, TreeFacts
from tasks_app.models import (
    Contribution,
    Message,
    MessageTree,
    Ranking,
    Reaction,
    Task,
    TextLabels,
    TreeTransition,
)
from tasks_app.trees import TRANSITIONS, next_state


def check_trees(trees: Iterable[MessageTree]) -> list[str]:
    """What is wrong with trees: derived columns, limits, states."""
    config = TreeConfig.current()
    return [
        f"tree {tree.pk} ({tree.state}): {problem}"
        for tree in trees
        for problem in _check_tree(tree, facts.load(tree), config)
    ]


def _check_tree(tree: MessageTree, loaded: TreeFacts, config: TreeConfig) -> Iterable[str]:
    if next_state(loaded, config):
        yield f"should move: {next_state(loaded, config)}"
    planned = offers.plan(loaded, config)
    if tree.open_places != planned.open_places:
        yield f"open places {tree.open_places}, not {planned.open_places}"
    for node in loaded.nodes:
        if node.children_count != planned.children_counts[node.id]:
            yield f"{node.id}: children {node.children_count}"
        yield from _check_offer(node, planned)
        yield from _check_limits(node, loaded, config)
    reserved = sum(node.reserved for node in loaded.nodes)
    free = any(offer.slots for offer in planned.offers.values())
    if tree.active and not free and not reserved:
        yield "is stuck: nothing to do and nobody at work"


def _check_offer(node: Node, planned: offers.Plan) -> Iterable[str]:
    wanted = planned.offers.get(node.id)
    stale = node.offer_slots and (planned.open_places > 0 or "reply" not in (node.offer_kind or ""))
    if wanted is None and stale and not str(node.offer_kind).endswith("_reply"):
        yield f"{node.id}: offer {node.offer_kind} should not be"
    if wanted and (node.offer_kind, node.offer_slots) != (wanted.kind, wanted.slots):
        yield f"{node.id}: offer {node.offer_kind} {node.offer_slots}, not {wanted}"


def _check_limits(node: Node, loaded: TreeFacts, config: TreeConfig) -> Iterable[str]:
    replies = sum(reply.takes_place(config) for reply in loaded.replies(node))
    writing = node.reserved if loaded.state == TreeState.GROWING and node.is_accepted else 0
    if writing and replies + writing > loaded.reply_limit(node):
        yield f"{node.id}: {replies} replies and {writing} reserved"
    if replies and not node.is_accepted:
        yield f"{node.id}: not accepted, but has {replies} replies"


def check_everything() -> list[str]:
    """What is wrong anywhere."""
    return [
        *check_trees(MessageTree.objects.all()),
        *_check_structure(),
        *_check_counters(),
        *_check_people(),
        *_check_tasks(),
        *_check_transitions(),
        *_check_ranks(),
    ]


def _check_structure() -> Iterable[str]:
    replies = Message.objects.exclude(parent=None)
    if replies.exclude(depth=F("parent__depth") + 1).exists():
        yield "a depth is not that of the parent plus one"
    if replies.exclude(tree=F("parent__tree")).exists():
        yield "a reply stands in another tree than its parent"
    if replies.filter(role=F("parent__role")).exists():
        yield "a role does not alternate"
    if MessageTree.objects.exclude(
        pk__in=Message.objects.filter(parent=None).values("pk")
    ).exists():
        yield "a tree has no root"


def _check_counters() -> Iterable[str]:
    reviews = Counter(
        TextLabels.objects.filter(kind=LabelKind.TASK).values_list("message", flat=True)
    )
    rankings = Counter(
        pk
        for groups in Ranking.objects.values_list("groups", flat=True)
        for group in groups
        for pk in group
    )
    emojis: dict[object, Counter[str]] = {}
    for message_id, code in Reaction.objects.values_list("message", "code"):
        emojis.setdefault(message_id, Counter())[code] += 1
    for message in Message.objects.all():
        found = (message.review_count, message.ranking_count, message.emojis)
        wanted = (reviews[message.pk], rankings[str(message.pk)], emojis.get(message.pk, {}))
        if found != wanted:
            yield f"message {message.pk}: counters {found}, not {wanted}"


def _check_people() -> Iterable[str]:
    if TextLabels.objects.filter(kind=LabelKind.TASK, user=F("message__user")).exists():
        yield "somebody reviewed an own message"
    authors = dict(Message.objects.values_list("pk", "user"))
    for ranking in Ranking.objects.all():
        ids = {pk for group in ranking.groups for pk in group}
        if ranking.user_id in {author for pk, author in authors.items() if str(pk) in ids}:
            yield f"ranking {ranking.pk}: of an own reply"
    siblings = Message.objects.filter(deleted=False).exclude(parent=None).exclude(user=None)
    if max(Counter(siblings.values_list("parent", "user")).values(), default=1) > 1:
        yield "somebody replied twice to a message"


def _check_tasks() -> Iterable[str]:
    if Task.objects.filter(holds_slot=True).exclude(tree__active=True).exists():
        yield "a slot is held in a tree that is not active"
    for task in Task.objects.select_related("result", "label_set", "ranking"):
        results = [bool(task.result), hasattr(task, "label_set"), hasattr(task, "ranking")]
        if sum(results) != bool(task.done_at):
            yield f"task {task.pk}: done at {task.done_at}, with {sum(results)} results"
    kinds = Counter(Contribution.objects.values_list("kind", flat=True))
    found = (kinds["prompt"] + kinds["reply"], kinds["labels"], kinds["ranking"])
    done = Counter(
        TaskType(kind) for kind in Task.objects.exclude(done_at=None).values_list("kind", flat=True)
    )
    wanted = tuple(
        sum(count for kind, count in done.items() if kind in group)
        for group in (WRITING_TASKS, LABEL_TASKS, RANK_TASKS)
    )
    if found != wanted:
        yield f"journal {found}, not {wanted}"


def _check_transitions() -> Iterable[str]:
    paths: dict[object, list[str]] = {}
    for tree_id, before, after in TreeTransition.objects.order_by("id").values_list(
        "tree", "from_state", "to_state"
    ):
        path = paths.setdefault(tree_id, [""])
        if path[-1] != before:
            yield f"tree {tree_id}: the log jumps from {path[-1]} to {before}"
        path.append(after)
    for tree in MessageTree.objects.all():
        path = paths[tree.pk]
        if path[-1] != tree.state:
            yield f"tree {tree.pk}: {tree.state}, but the log ends at {path[-1]}"
        for before, after in pairwise(path[1:]):
            if after not in TRANSITIONS[TreeState(before)]:
                yield f"tree {tree.pk}: illegal move {before} to {after}"


def _check_ranks() -> Iterable[str]:
    ranks: dict[object, list[int]] = {}
    exported = Message.objects.filter(tree__state=TreeState.READY_FOR_EXPORT, rank__isnull=False)
    for parent_id, rank in exported.values_list("parent", "rank"):
        ranks.setdefault(parent_id, []).append(rank)
    for parent_id, found in ranks.items():
        if sorted(found) != list(range(len(found))):
            yield f"ranks below {parent_id}: {sorted(found)}"


def count_effects() -> tuple[int, int, int, int]:
    """How much people have done: messages, reviews, rankings, journal entries."""
    return (
        Message.objects.count(),
        TextLabels.objects.filter(kind=LabelKind.TASK).count(),
        Ranking.objects.count(),
        Contribution.objects.count(),
    )


def assert_fits(task: Task, user: User) -> None:
    """A task just handed out is one that this person may do."""
    assert task.user_id == user.pk
    assert user.is_active
    assert task.lang in user.contribution_languages
    message = task.message
    if message is None:
        return
    assert task.holds_slot
    assert not message.deleted
    if task.type.is_labeling:
        assert message.user_id != user.pk
        assert not message.label_sets.filter(user=user, kind=LabelKind.TASK).exists()
    elif task.type.is_ranking:
        assert len(task.shown_ids) > 1
        assert not Message.objects.filter(pk__in=task.shown_ids, user=user).exists()
    else:
        assert not message.children.filter(user=user, deleted=False).exists()
