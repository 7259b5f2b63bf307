"""Taking a review back in the moment after it was sent."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oasst.lib import database, queue
from tasks_app import journal, labels, reviewing, trees, turns
from tasks_app.config import TreeConfig
from tasks_app.enums import REVIEWING_STATES, TreeState
from tasks_app.errors import DecidedMeanwhile, GoldAnswerStays, TooLateToUndo, WrongTaskKind
from tasks_app.models import Draft, MessageTree, Task, TextLabels
from tasks_app.selection import reservation

if TYPE_CHECKING:
    from oasst.accounts.models import User

# The button is there for ten seconds after the next page has come; that page takes its time too.
ACCEPTED_FOR = timedelta(seconds=15)


def is_offered(label_set: TextLabels) -> bool:
    """True unless the review itself, or somebody since, has moved the tree on. One query."""
    trees_in_review = MessageTree.objects.filter(state__in=REVIEWING_STATES)
    return trees_in_review.filter(messages=label_set.message_id).exists()


@database.retried
def undo_labels(task_id: uuid.UUID, user: "User", *, now: datetime) -> Task:
    """Take a review back: its person has the task again, with the answers as a draft.

    Taking back what is taken back already changes nothing. Raises TooLateToUndo, DecidedMeanwhile,
    WrongTaskKind, TaskNotFound, NotAllowed.
    """
    config, task, tree = turns.begin(task_id, user, now)
    if not task.type.is_labeling:
        raise WrongTaskKind
    if task.is_open:
        return task
    if task.gold_id:
        raise GoldAnswerStays
    if task.done_at is None or now - task.done_at > ACCEPTED_FOR:
        raise TooLateToUndo
    # Beyond these the conversation has moved on, and what it became rests on the review.
    if tree is None or TreeState(tree.state) not in REVIEWING_STATES:
        raise DecidedMeanwhile
    label_set = TextLabels.objects.select_related("message__imported_labels").get(task=task)
    reviewing.take_back(label_set, tree, config=config, now=now)
    journal.strike(task)
    # By name, for it lives above: what is struck from the journal leaves nothing to read there.
    queue.enqueue("leaderboard_app.jobs.follow_taken_back", str(user.pk), str(tree.pk))
    _reopen(task, tree, config, now)
    entered = labels.as_entered(label_set.values)
    Draft.objects.create(task=task, body=entered, saved_at=now)
    trees.advance(tree, config=config, now=now)
    return task


def _reopen(task: Task, tree: MessageTree, config: TreeConfig, now: datetime) -> None:
    """Give the task back, with a place if its message still wants a review."""
    until = now + reservation(task.type, config)
    task.done_at, task.submission = None, None
    task.holds_slot = turns.is_free(task, tree, config)
    task.reserved_until, task.expires_at = until, max(until, task.expires_at)
    task.save(update_fields=["done_at", "submission", "holds_slot", "reserved_until", "expires_at"])
