"""What conversations are about: up to three topics a tree, of the catalogue `enums.Topic`.

They are suggested by the words of a prompt and chosen by its author; its reviewers and moderators
may choose others later. Every choice of a person is recorded.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from tasks_app import browsing, topic_hints, turns
from tasks_app.enums import LabelKind, Topic
from tasks_app.errors import MessageNotFound, TooManyTopics, TopicsNotYours
from tasks_app.models import Message, MessageTree, TextLabels
from tasks_app.topic_records import TopicChange, TreeTopic

if TYPE_CHECKING:
    from oasst.accounts.models import User

MOST = 3


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
    return Message.objects.filter(pk=tree_id, user=user).exists() or reviews.exists()


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
    TreeTopic.objects.bulk_create(
        TreeTopic(tree_id=tree_id, topic=str(name), suggested=suggested) for name in names
    )
