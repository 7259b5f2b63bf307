"""Holding a person back: their new messages wait for a moderator, unseen by others, and their
reviews and rankings count for nothing.

The person notices nothing: a held message looks to them like one in review. For everybody else,
and for its tree, it is not there: it takes no place, is not reviewed, counted or exported. A held
vote is stored and counted like any, but decides nothing: somebody else is asked in its place.
"""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from oasst.lib import queue
from oasst.lib.errors import DomainError
from tasks_app import reliability, reviewing, scoring, trees, turns
from tasks_app.config import TreeConfig
from tasks_app.enums import LabelKind, SkillGroup
from tasks_app.enums import ModerationKind as Kind
from tasks_app.models import MessageTree, Ranking, Recount, TextLabels
from tasks_app.moderation import lock_person, locked_message, locked_tree
from tasks_app.moderation_log import record, require_reason


class NotHeld(DomainError):
    """Somebody has decided on the message meanwhile."""

    code = "not_held"
    status = 409
    default_message = _("This message is not held back any more.")


@transaction.atomic
def hold_user(user_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> Any:
    """Let every message that a person writes from now on wait for a moderator.

    None of their votes counts, late or early, until they are released; what was decided stays.
    Doing it twice is fine. Raises PersonNotFound, NotYours.
    """
    require_reason(reason)
    person = lock_person(user_id, actor)
    if person.held_since is None:
        set_held(person, now, now=now)
        record(Kind.HOLD_USER, actor=actor, reason=reason, now=now, user=person)
    return person


@transaction.atomic
def unhold_user(user_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> Any:
    """Let a person's messages appear at once again, and all their votes count.

    Messages that are held stay so until they are decided.
    """
    require_reason(reason)
    person = lock_person(user_id, actor)
    if person.held_since is not None:
        data = {"since": person.held_since.isoformat()}
        set_held(person, None, now=now)
        record(Kind.UNHOLD_USER, actor=actor, reason=reason, now=now, user=person, data=data)
    return person


def set_held(person: Any, since: datetime | None, *, now: datetime) -> None:
    """Begin or end a hold, and have the trees with votes of the person counted anew by a job.

    A submit of theirs that is under way comes to its end first. Caller holds the person's row
    lock, writes the log, and commits.
    """
    turns.lock_user(person)
    person.held_since = since
    person.save(update_fields=["held_since"])
    reviews = TextLabels.objects.filter(user=person, kind=LabelKind.TASK)
    rankings = Ranking.objects.filter(user=person)
    for votes in (reviews, rankings):
        votes.exclude(held=person.is_held).update(held=person.is_held)
    rankings = rankings.exclude(parent=None)
    for group, langs in (
        (SkillGroup.ACCEPTANCE, reviews.values_list("message__lang", flat=True)),
        (SkillGroup.RANKING, rankings.values_list("parent__tree__lang", flat=True)),
    ):
        reliability.forget_means(group, langs)
    # What is decided stays, so only open reviews matter.
    open_reviews = reviews.filter(message__review_result=None).values_list(
        "message__tree", flat=True
    )
    ranked = rankings.values_list("parent__tree", flat=True)
    Recount.objects.bulk_create(
        [Recount(tree_id=tree_id, since=now) for tree_id in {*open_reviews, *ranked}],
        # An update: a recount under way waits for it, so that none is lost.
        update_conflicts=True,
        unique_fields=["tree"],
        update_fields=["since"],
    )
    queue.enqueue("tasks_app.jobs.recount_trees", key="recount-trees")


def recount_slice(size: int, *, now: datetime) -> bool:
    """Count up to `size` trees anew, each in a transaction of its own; False if none is left."""
    waiting = Recount.objects.order_by("since", "pk").values_list("pk", flat=True)
    ids = list(waiting[:size])
    for tree_id in ids:
        with transaction.atomic():
            _recount(locked_tree(tree_id), now)
    return len(ids) == size


def _recount(tree: MessageTree, now: datetime) -> None:
    """Verdicts that are still open, ranks, and what the tree needs, by the votes that count."""
    Recount.objects.filter(pk=tree.pk).delete()
    config = TreeConfig.current()
    undecided = tree.messages.filter(review_result=None, deleted=False, review_count__gt=0)
    for message in undecided.select_related("imported_labels").order_by("depth", "pk"):
        message.tree = tree
        reviewing.count_anew(message, config=config)
    scoring.forget_unranked(tree)
    trees.advance(tree, config=config, now=now)


@transaction.atomic
def release_message(message_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> None:
    """Let a held message out: reviewers get it as if it had just been written. Raises NotHeld."""
    require_reason(reason)
    message, tree = locked_message(message_id)
    if not message.held:
        raise NotHeld
    message.held = False
    message.save(update_fields=["held"])
    record(Kind.RELEASE_MESSAGE, actor=actor, reason=reason, now=now, message=message)
    trees.advance(tree, config=TreeConfig.current(), now=now, actor=actor)
