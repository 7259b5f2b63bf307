"""What the rules need to know about one tree, as plain values read in one query."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from django.db import connections, router

from tasks_app.config import TreeConfig
from tasks_app.enums import Role, TreeState
from tasks_app.models import Message, MessageTree


@dataclass(frozen=True, slots=True)
class Node:
    """A message as the rules see it, with the offer it has now."""

    id: uuid.UUID
    parent_id: uuid.UUID | None
    role: str
    depth: int
    lang: str
    deleted: bool
    review_count: int
    review_result: bool | None
    children_count: int
    reviews_wanted: int | None = None
    is_split: bool = False
    offer_kind: str | None = None
    offer_slots: int | None = None
    offer_lonely: bool | None = None
    reserved: int = 0
    rankings: int = 0
    held: bool = False

    @property
    def is_root(self) -> bool:
        """True for the initial prompt."""
        return self.parent_id is None

    @property
    def is_accepted(self) -> bool:
        """Accepted and not deleted."""
        return self.review_result is True and not self.deleted

    def missing_reviews(self, config: TreeConfig) -> int:
        """Reviews until it is decided; at least one for an undecided message, however imported.

        None while a moderator is to decide.
        """
        if self.deleted or self.held or self.review_result is True:
            return 0
        if self.waits_for_moderator(config):
            return 0
        needed = config.reviews_needed(
            is_root=self.is_root,
            wanted=self.reviews_wanted,
            is_decided=self.review_result is not None,
        )
        return max(needed - self.review_count, int(self.review_result is None))

    def waits_for_moderator(self, config: TreeConfig) -> bool:
        """The reviewers differ. Without adaptive overlap one more of them decides."""
        is_undecided = self.review_result is None and not (self.deleted or self.held)
        return config.adaptive_overlap and self.is_split and is_undecided

    def in_review(self, config: TreeConfig) -> bool:
        """Neither deleted, held back nor accepted, and not reviewed enough to be left out."""
        return self.missing_reviews(config) > 0 or self.waits_for_moderator(config)

    def takes_place(self, config: TreeConfig) -> bool:
        """Counts towards limits: accepted, or may still be."""
        return self.is_accepted or self.in_review(config)


@dataclass(frozen=True)
class TreeFacts:
    """One tree: its limits, state and messages (root first, then by depth)."""

    state: TreeState
    goal_tree_size: int
    max_depth: int
    max_children_count: int
    num_prompter_replies: int
    nodes: tuple[Node, ...]

    @cached_property
    def children(self) -> dict[uuid.UUID | None, list[Node]]:
        """Replies by the id of their parent."""
        children: dict[uuid.UUID | None, list[Node]] = {}
        for node in self.nodes:
            children.setdefault(node.parent_id, []).append(node)
        return children

    @property
    def root(self) -> Node:
        """The initial prompt."""
        return self.nodes[0]

    def replies(self, node: Node) -> list[Node]:
        """Direct replies to `node`."""
        return self.children.get(node.id, [])

    def after_move(self, state: TreeState) -> "TreeFacts":
        """The same tree once it has entered `state`, which ends all reservations."""
        nodes = tuple(replace(node, reserved=0) if node.reserved else node for node in self.nodes)
        return replace(self, state=state, nodes=nodes)

    def reply_limit(self, node: Node) -> int:
        """How many replies `node` may have."""
        if node.depth >= self.max_depth:
            return 0
        if node.role == Role.ASSISTANT:
            return min(self.num_prompter_replies, self.max_children_count)
        return self.max_children_count

    def to_rank(self, config: TreeConfig) -> Iterator[Node]:
        """Parents with at least two accepted replies of a role that gets ranked."""
        for node in self.nodes:
            reply_role = Role(node.role).other
            if node.deleted or (reply_role == Role.PROMPTER and not config.rank_prompter_replies):
                continue
            if sum(reply.is_accepted for reply in self.replies(node)) > 1:
                yield node


# Every change of a tree reads this, so it is written in SQL: the columns of `Node`, in order.
_NODES = """
    SELECT m.tree_id, m.id, m.parent_id, m.role, m.depth, m.lang, m.deleted,
        m.review_count, m.review_result, m.children_count,
        m.reviews_wanted, m.split_at IS NOT NULL, o.kind, o.slots, o.lonely,
        (SELECT count(*) FROM tasks_app_task t WHERE t.message_id = m.id AND t.holds_slot),
        (SELECT count(*) FROM tasks_app_ranking r WHERE r.parent_id = m.id AND NOT r.held), m.held
    FROM tasks_app_message m LEFT JOIN tasks_app_offer o ON o.message_id = m.id
    WHERE m.tree_id = ANY(%s)
    ORDER BY m.depth, m.created_at, m.id
"""


def load(tree: MessageTree) -> TreeFacts:
    """Read the facts of `tree`. The caller holds its row lock if it acts on them."""
    return load_many([tree])[tree.pk]


def load_many(trees: Sequence[MessageTree]) -> dict[uuid.UUID, TreeFacts]:
    """Read the facts of several trees in one query, by tree."""
    nodes: dict[uuid.UUID, list[Node]] = {tree.pk: [] for tree in trees}
    with connections[router.db_for_read(Message)].cursor() as cursor:
        cursor.execute(_NODES, [list(nodes)])
        for tree_id, *columns in cursor:
            nodes[tree_id].append(Node(*columns))
    return {tree.pk: of_nodes(tree, nodes[tree.pk]) for tree in trees}


def of_nodes(tree: MessageTree, nodes: Iterable[Node]) -> TreeFacts:
    """The facts of `tree` if `nodes`, root first, are its messages."""
    return TreeFacts(
        state=TreeState(tree.state),
        goal_tree_size=tree.goal_tree_size,
        max_depth=tree.max_depth,
        max_children_count=tree.max_children_count,
        num_prompter_replies=tree.num_prompter_replies,
        nodes=tuple(nodes),
    )
