"""A person's turn at a task: may they, the locks, and the task as it is once they are held."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model

from tasks_app import facts as tree_facts
from tasks_app import offers
from tasks_app.config import TreeConfig
from tasks_app.errors import NotAllowed, TaskExpired, TaskNotFound, TaskSkipped
from tasks_app.models import MessageTree, Task

if TYPE_CHECKING:
    from oasst.accounts.models import User


def require_contributor(user: "User", now: datetime) -> None:
    """Raise NotAllowed for people who are banned, muted or gone."""
    if not user.may_contribute(now):
        raise NotAllowed


def require_contributor_still(user: "User", now: datetime) -> None:
    """The same, as the database knows it now: ask this once the locks are held.

    A ban or a mute may have come while the request waited for them.
    """
    require_contributor(get_user_model().objects.get(pk=user.pk), now)


def lock_user(user: "User") -> TreeConfig:
    """Let one hand-out or submit run per person at a time, until the transaction ends.

    Gives the configuration for it, which the same query reads.
    """
    return TreeConfig.current(lock=user.pk.int >> 65)


def begin(
    task_id: uuid.UUID, user: "User", now: datetime, *, lock_tree: bool = True
) -> tuple[TreeConfig, Task, MessageTree | None]:
    """Lock the person and the tree, then read the task and the person as they are now.

    Raises TaskNotFound, NotAllowed.
    """
    require_contributor(user, now)
    config = lock_user(user)
    tree = None
    # One at most, so nothing is put in order: each submit asks this.
    if lock_tree:
        trees = MessageTree.objects.locked().filter(tasks=task_id, tasks__user=user)
        tree = next(iter(trees), None)
    tasks = Task.objects.select_related("message__imported_labels", "draft", "user")
    found = tasks.defer("message__search_vector").filter(pk=task_id, user=user)
    task = next(iter(found), None)
    if task is None:
        raise TaskNotFound
    require_contributor(task.user, now)
    return config, task, tree


def require_open(task: Task, now: datetime) -> None:
    """Raise TaskSkipped or TaskExpired for a task that takes no answer any more."""
    if task.skipped_at:
        raise TaskSkipped
    if task.is_expired(now):
        raise TaskExpired


def is_free(task: Task, tree: MessageTree, config: TreeConfig) -> bool:
    """True if the task's message invites this kind of work and has a slot left."""
    planned = offers.plan(tree_facts.load(tree), config).offers
    offer = planned.get(task.message_id) if task.message_id else None
    return offer is not None and offer.kind == task.kind
