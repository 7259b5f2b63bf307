"""Following a message tree: who does, and of what they are told.

Told are accepted replies and the end of a tree, and nothing of who wrote what. Readers from whom
replies are kept, because they review or rank there or because a copy is ranked blind, are not told
of them meanwhile: that something came would tell which one it is.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from tasks_app import browsing
from tasks_app.enums import TreeState
from tasks_app.errors import FollowsTooMany, MessageNotFound
from tasks_app.follow_records import TreeFollow
from tasks_app.models import Message, Task

if TYPE_CHECKING:
    from oasst.accounts.models import User

MOST_FOLLOWED = 200
_OPEN_STATES = (TreeState.INITIAL_PROMPT_REVIEW, TreeState.GROWING)


def follow(tree_id: uuid.UUID, user: "User", *, now: datetime) -> None:
    """Tell the user of a tree that they can read. Twice is fine.

    Raises MessageNotFound, FollowsTooMany.
    """
    if not browsing.tree_messages(tree_id, user):
        raise MessageNotFound
    mine = TreeFollow.objects.filter(user=user)
    if mine.exclude(tree=tree_id).count() >= MOST_FOLLOWED:
        raise FollowsTooMany
    row = TreeFollow(user=user, tree_id=tree_id, since=now)
    TreeFollow.objects.bulk_create([row], ignore_conflicts=True)


def unfollow(tree_id: uuid.UUID, user: "User") -> None:
    """Tell the user no more. Twice is fine."""
    TreeFollow.objects.filter(user=user, tree=tree_id).delete()


def is_followed(tree_id: uuid.UUID, user: "User") -> bool:
    """Whether the user follows a tree. One query."""
    return TreeFollow.objects.filter(user=user, tree=tree_id).exists()


def told_of_replies(ids: Collection[uuid.UUID]) -> Iterator[tuple[uuid.UUID, Message]]:
    """Followers and the accepted replies, of some messages, that they are told of. Two queries.

    Only while the tree grows: later, whoever ranks must not learn what came last.
    """
    rows = Message.objects.filter(pk__in=ids, depth__gt=0, review_result=True)
    visible = rows.visible().not_veiled().filter(tree__state__in=_OPEN_STATES)
    yield from _with_followers(list(visible.order_by("created_at", "pk")))


def told_of_ends(trees: Collection[uuid.UUID]) -> Iterator[tuple[uuid.UUID, Message]]:
    """Followers and the prompts of finished trees that they are told of. Two queries."""
    yield from _with_followers(list(Message.objects.filter(pk__in=trees).visible().order_by("pk")))


def _with_followers(messages: list[Message]) -> Iterator[tuple[uuid.UUID, Message]]:
    here = OuterRef("tree")
    is_there = Q(tree=here) | Q(tree__copy_of=here) | Q(message__tree=here)
    held = Task.objects.filter(is_there, user=OuterRef("user"), done_at=None, skipped_at=None)
    rows = TreeFollow.objects.filter(tree__in={each.tree_id for each in messages})
    followers: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for tree, user in rows.exclude(Exists(held)).order_by("pk").values_list("tree", "user"):
        followers[tree].append(user)
    for message in messages:
        for user in followers[message.tree_id]:
            if user != message.user_id:
                yield user, message
