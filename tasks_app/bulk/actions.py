"""Bulk actions from the first step to the last, and back. A job carries them on, tree by tree."""

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from oasst.accounts.models import User
from oasst.lib import queue
from oasst.lib.errors import DomainError
from tasks_app.bulk import reverting, steps
from tasks_app.bulk.plans import Plan
from tasks_app.enums import UNFINISHED, BulkKind, BulkState
from tasks_app.enums import ModerationKind as Kind
from tasks_app.models import BulkAction, BulkStep
from tasks_app.moderation import lock_person
from tasks_app.moderation_log import record, require_reason

logger = logging.getLogger(__name__)

UNDONE_WITHIN = timedelta(days=30)
STEPS_PER_JOB = 200
# So few trees are done at once; more are left to a job.
DONE_AT_ONCE = 20


class NothingToDo(DomainError):
    """The action would change nothing."""

    code = "nothing_to_do"
    status = 409
    default_message = _("Nothing would change: somebody was quicker, or it is so already.")


class BulkNotFound(DomainError):
    """No bulk action with this id."""

    code = "bulk_not_found"
    status = 404
    default_message = _("This action does not exist.")


class CannotUndo(DomainError):
    """Too late, not finished, or undone already."""

    code = "cannot_undo"
    status = 409
    default_message = _(
        "This cannot be undone: it is not finished yet, was undone before, or lies more than "
        "30 days back."
    )


@transaction.atomic
def begin(
    plan: Plan, *, actor: Any, reason: str, now: datetime, with_job: bool = True
) -> BulkAction:
    """Write down what is to be done, and have a job do it; without one, cron comes after a while.

    Raises NothingToDo, and what `lock_person` raises.
    """
    require_reason(reason)
    if plan.kind == BulkKind.PURGE:
        lock_person(plan.person.pk, actor)
    elif not plan.targets:
        raise NothingToDo
    bulk = BulkAction.objects.create(
        kind=plan.kind,
        actor=actor,
        reason=reason,
        person=plan.person,
        label=plan.label,
        messages=plan.messages,
        trees=plan.trees,
        people=plan.people,
        votes=plan.votes,
        created_at=now,
    )
    BulkStep.objects.bulk_create(
        (
            BulkStep(bulk=bulk, tree_id=tree, targets=[str(pk) for pk in ids])
            for tree, ids in plan.targets.items()
        ),
        batch_size=1000,
    )
    if plan.person:
        data = {"messages": plan.messages, "votes": plan.votes}
        about: dict[str, Any] = {"user": plan.person, "data": data, "bulk_id": bulk.pk}
        record(Kind.PURGE_USER, actor=actor, reason=reason, now=now, **about)
    if with_job:
        _queue(bulk.pk)
    return bulk


def do_now(plan: Plan, *, actor: Any, reason: str, now: datetime) -> BulkAction:
    """Begin, and if it is little, also finish before returning."""
    is_little = plan.trees <= DONE_AT_ONCE
    bulk = begin(plan, actor=actor, reason=reason, now=now, with_job=not is_little)
    if is_little:
        carry_on(bulk.pk, now=now)
        bulk.refresh_from_db()
    return bulk


@transaction.atomic
def undo(
    bulk_id: uuid.UUID, *, actor: Any, reason: str, now: datetime, with_job: bool = True
) -> BulkAction:
    """Take a finished bulk action back. Raises CannotUndo, and what `lock_person` raises."""
    require_reason(reason)
    bulk = BulkAction.objects.select_for_update(of=("self",)).filter(pk=bulk_id).first()
    if bulk is None:
        raise BulkNotFound
    if not may_be_undone(bulk, now):
        raise CannotUndo
    if bulk.person_id:
        lock_person(bulk.person_id, actor)
    bulk.state, bulk.undo_actor, bulk.undo_reason = BulkState.UNDOING, actor, reason
    bulk.save(update_fields=["state", "undo_actor", "undo_reason"])
    record(Kind.UNDO, actor=actor, reason=reason, now=now, user=bulk.person, bulk_id=bulk.pk)
    if with_job:
        _queue(bulk.pk)
    return bulk


def may_be_undone(bulk: BulkAction, now: datetime) -> bool:
    """Whether it is finished, and not for too long."""
    return bulk.state == BulkState.DONE and now - bulk.created_at < UNDONE_WITHIN


def undo_now(bulk_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> BulkAction:
    """Undo, and if it is little, also finish before returning."""
    is_little = BulkAction.objects.filter(pk=bulk_id, trees__lte=DONE_AT_ONCE).exists()
    bulk = undo(bulk_id, actor=actor, reason=reason, now=now, with_job=not is_little)
    if is_little:
        carry_on(bulk.pk, now=now)
        bulk.refresh_from_db()
    return bulk


def carry_on(bulk_id: uuid.UUID, *, now: datetime, limit: int = STEPS_PER_JOB) -> bool:
    """Do or undo up to `limit` steps; True if it is finished. Two may do this at once."""
    for _number in range(limit):
        if not _next_step(bulk_id, now):
            return _finish(bulk_id, now)
    return False


@transaction.atomic
def _next_step(bulk_id: uuid.UUID, now: datetime) -> bool:
    bulk = BulkAction.objects.filter(pk=bulk_id).first()
    if bulk is None or bulk.state in {BulkState.DONE, BulkState.UNDONE}:
        return False
    is_undoing = bulk.state == BulkState.UNDOING
    waiting = _to_undo(bulk_id) if is_undoing else _to_do(bulk_id)
    rows = waiting.select_related("bulk__actor", "bulk__person", "bulk__undo_actor")
    step = rows.select_for_update(of=("self",), skip_locked=True).first()
    if step is None:
        return False
    try:
        with transaction.atomic():
            (reverting.undo if is_undoing else steps.do)(step, now=now)
    except DomainError as error:  # one tree that has gone its own way must not stop the others
        logger.warning("bulk action %s left tree %s out: %s", bulk_id, step.tree_id, error.code)
        about: dict[str, Any] = {"bulk_id": bulk_id, "data": {"tree": str(step.tree_id)}}
        record(Kind.LEAVE_OUT_TREE, actor=None, reason=error.message, now=now, **about)
        step.before = step.before or {"error": error.code}
        step.save(update_fields=["before"])
    if is_undoing:
        step.is_undone = True
        step.save(update_fields=["is_undone"])
    return True


def _to_do(bulk_id: uuid.UUID) -> Any:
    return BulkStep.objects.filter(bulk=bulk_id, before__isnull=True).order_by("pk")


def _to_undo(bulk_id: uuid.UUID) -> Any:
    return BulkStep.objects.filter(bulk=bulk_id, is_undone=False).order_by("-pk")


@transaction.atomic
def _finish(bulk_id: uuid.UUID, now: datetime) -> bool:
    bulk = BulkAction.objects.select_for_update(of=("self",)).filter(pk=bulk_id).first()
    if bulk is None:
        return True
    if bulk.state == BulkState.WAITING:
        left, end = _to_do(bulk_id), BulkState.DONE
    elif bulk.state == BulkState.UNDOING:
        left, end = _to_undo(bulk_id), BulkState.UNDONE
    else:
        return True
    if left.exists():
        return False  # another job is at the last ones
    bulk.state, bulk.ended_at = end, now
    bulk.save(update_fields=["state", "ended_at"])
    return True


def progress(bulk: BulkAction) -> tuple[int, int]:
    """How many steps are done, or undone, of how many."""
    every = bulk.steps.all()
    is_back = bulk.state in {BulkState.UNDOING, BulkState.UNDONE}
    left = (_to_undo if is_back else _to_do)(bulk.pk).count()
    total = every.count()
    return total - left, total


def unfinished() -> list[uuid.UUID]:
    """Bulk actions that a lost job has left lying, oldest first."""
    rows = BulkAction.objects.filter(state__in=UNFINISHED).order_by("created_at")
    return list(rows.values_list("pk", flat=True)[:20])


def forget_reasons(person: User) -> None:
    """Take out of what an undo would bring back why `person` ranked so: their words."""
    purged = BulkStep.objects.filter(bulk__person=person, bulk__kind=BulkKind.PURGE)
    for pk in list(purged.filter(before__has_key="rankings").values_list("pk", flat=True)):
        with transaction.atomic():
            step = BulkStep.objects.select_for_update().get(pk=pk)
            kept = (step.before or {}).get("rankings", [])
            if any(row["reason"] for row in kept):
                rankings = [row | {"reason": ""} for row in kept]
                step.before = (step.before or {}) | {"rankings": rankings}
                step.save(update_fields=["before"])


def forget_old(*, now: datetime) -> int:
    """Throw away what only an undo needed, once it is too late for one."""
    old = BulkStep.objects.filter(bulk__created_at__lte=now - UNDONE_WITHIN).exclude(before={})
    return old.exclude(before__isnull=True).update(before={})


def _queue(bulk_id: uuid.UUID) -> None:
    queue.enqueue("tasks_app.jobs.carry_on_bulk_action", str(bulk_id), key=f"bulk-{bulk_id}")
