"""What conversations are about: up to three topics a tree, of the catalogue `enums.Topic`.

They are suggested by the words of a prompt and chosen by its author; its reviewers and moderators
may choose others later. Every choice of a person is recorded.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from tasks_app import browsing, topic_hints, turns
from tasks_app.enums import LabelKind, Topic
from tasks_app.errors import MessageNotFound, TooManyTopics, TopicsNotYours
from tasks_app.models import Message, MessageTree, TextLabels
from tasks_app.topic_records import TopicChange, TreeTopic

if TYPE_CHECKING:
    from oasst.accounts.models import User

MOST = 3
BATCH = 200  # trees that are locked while topics are suggested for them


@dataclass(frozen=True)
class Filled:
    """Trees that were looked at in the order of their ids: the last, how many, how many have
    topics now."""

    last: uuid.UUID
    seen: int
    filled: int


def suggest(text: str, lang: str) -> list[Topic]:
    """The topics that the words of a text tell of, the likeliest first."""
    return [Topic(found.topic) for found in topic_hints.suggest(text, lang, most=MOST)]


def begin(prompt: Message, chosen: Sequence[str], *, now: datetime) -> None:
    """Give a new tree the topics that its author chose, else those that its words tell of."""
    if chosen:
        _choose(prompt.tree, prompt.user, chosen, now)
    else:
        _add(prompt.tree_id, suggest(prompt.text, prompt.lang), suggested=True)


def reconsider(prompt: Message) -> None:
    """Suggest anew for another text of a prompt, unless somebody has chosen."""
    chosen = TreeTopic.objects.filter(tree=prompt.tree_id, suggested=False)
    if not chosen.exists() and not TopicChange.objects.filter(tree=prompt.tree_id).exists():
        _store(prompt.tree_id, suggest(prompt.text, prompt.lang), suggested=True)


@transaction.atomic
def suggest_slice(after: uuid.UUID | None = None) -> Filled | None:
    """Suggest topics for some trees with ids beyond `after` that have none, as those begun before
    there were topics and imported ones; None if there are no more. What somebody chose stays.

    Locks the trees. Copies of trees are left out: nobody looks for them.
    """
    chosen = TopicChange.objects.filter(tree=OuterRef("pk"))
    told = TreeTopic.objects.filter(tree=OuterRef("pk"))
    trees = MessageTree.objects.filter(~Exists(chosen), ~Exists(told), copy_of=None)
    beyond = trees.filter(pk__gt=after) if after else trees
    ids = list(beyond.order_by("pk").values_list("pk", flat=True)[:BATCH])
    locked = MessageTree.objects.locked().filter(pk__in=ids).order_by("pk")
    found = list(locked.values_list("pk", flat=True))
    if not found:
        return None
    # Anew: somebody may have chosen while the lock was waited for.
    waiting = trees.filter(pk__in=found).values("pk")
    rows: list[TreeTopic] = []
    for prompt in Message.objects.filter(pk__in=waiting, deleted=False):
        rows += _rows(prompt.tree_id, suggest(prompt.text, prompt.lang), suggested=True)
    TreeTopic.objects.bulk_create(rows)
    return Filled(found[-1], len(found), len({row.tree_id for row in rows}))


@transaction.atomic
def choose(tree_id: uuid.UUID, user: "User", chosen: Sequence[str], *, now: datetime) -> None:
    """Give a tree that somebody reads these topics, or none. The same again changes nothing.

    Raises MessageNotFound, NotAllowed, TopicsNotYours, TooManyTopics.
    """
    turns.require_contributor(user, now)
    turns.lock_user(user)
    turns.require_contributor_still(user, now)
    tree = MessageTree.objects.locked().filter(pk=tree_id).first()
    if tree is None:
        raise MessageNotFound
    require_choice(tree_id, user)
    if not is_told(tree_id, chosen):
        _choose(tree, user, chosen, now)


def is_told(tree_id: uuid.UUID, chosen: Iterable[str]) -> bool:
    """Whether somebody has chosen just these topics before. One query."""
    rows = TreeTopic.objects.filter(tree=tree_id).values_list("topic", "suggested")
    has_chosen = TopicChange.objects.filter(tree=tree_id).exists()
    return has_chosen and {topic for topic, _suggested in rows} == set(chosen)


def require_choice(tree_id: uuid.UUID, user: "User") -> Message:
    """The prompt of a tree that somebody reads and whose topics they may choose.

    Raises MessageNotFound, TopicsNotYours.
    """
    rows = browsing.tree_messages(tree_id, user)
    if not rows:
        raise MessageNotFound
    if not may_choose(tree_id, user):
        raise TopicsNotYours
    return rows[0]


def may_choose(tree_id: uuid.UUID, user: "User") -> bool:
    """True for the author and the reviewers of a tree's prompt, and for moderators."""
    if user.is_moderator:
        return True
    reviews = TextLabels.objects.filter(message=tree_id, user=user, kind=LabelKind.TASK)
    prompts = Message.objects.filter(pk=tree_id)
    return prompts.filter(Q(user=user) | Exists(reviews)).exists()


def of(tree_id: uuid.UUID) -> list[TreeTopic]:
    """The topics of a tree that are in the catalogue, in its order. One query."""
    order = list(Topic)
    rows = TreeTopic.objects.filter(tree=tree_id, topic__in=order)
    return sorted(rows, key=lambda row: order.index(Topic(row.topic)))


def of_trees(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """All topics of some trees, by name. One query."""
    found: dict[uuid.UUID, list[str]] = {}
    rows = TreeTopic.objects.filter(tree__in=ids).order_by("topic")
    for tree, topic in rows.values_list("tree", "topic"):
        found.setdefault(tree, []).append(topic)
    return found


def forget(tree: MessageTree) -> None:
    """Keep nothing of what a tree was about."""
    TreeTopic.objects.filter(tree=tree).delete()
    TopicChange.objects.filter(tree=tree).delete()


def _choose(tree: MessageTree, user: "User | None", chosen: Sequence[str], now: datetime) -> None:
    names = [topic.value for topic in Topic if topic in chosen]
    if len(names) > MOST:
        raise TooManyTopics
    _store(tree.pk, names, suggested=False)
    TopicChange.objects.create(tree=tree, user=user, topics=names, created_at=now)


def _store(tree_id: uuid.UUID, names: Iterable[str], *, suggested: bool) -> None:
    TreeTopic.objects.filter(tree=tree_id).delete()
    _add(tree_id, names, suggested=suggested)


def _add(tree_id: uuid.UUID, names: Iterable[str], *, suggested: bool) -> None:
    TreeTopic.objects.bulk_create(_rows(tree_id, names, suggested=suggested))


def _rows(tree_id: uuid.UUID, names: Iterable[str], *, suggested: bool) -> list[TreeTopic]:
    return [TreeTopic(tree_id=tree_id, topic=str(name), suggested=suggested) for name in names]
