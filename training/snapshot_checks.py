"""Questions about a snapshot's files, which may be large: asked on a page, answered by a worker.

One row a question; asking again begins it anew. A worker holds it under a lease; where one died,
another begins again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from oasst.lib import database, queue
from training import snapshots
from training.enums import CheckState
from training.errors import SnapshotBroken, SnapshotSuperseded
from training.models import Snapshot, SnapshotCheck

if TYPE_CHECKING:
    from oasst.accounts.models import User

logger = logging.getLogger(__name__)

JOB = "training.jobs.answer_snapshot_check"
LEASE = timedelta(minutes=5)
TELL_EVERY_S = 1.0
MOST_ATTEMPTS = 3  # workers that may die over one
MOST_SHOWN = 20


class _Lost(Exception):
    """Another worker has it by now, or its snapshot is gone."""


def ask(
    snapshot: Snapshot, *, old: Snapshot | None = None, now: datetime, by: User | None = None
) -> SnapshotCheck:
    """Have a worker hash the files anew, or say what changed since `old`. A question that is being
    answered is left alone. Raises SnapshotSuperseded where the texts were removed."""
    for read in (snapshot, old):
        if read is not None and snapshots.is_removed(read):
            raise SnapshotSuperseded(
                _("The texts of the snapshot %s were removed: nothing is left to be read.")
                % read.name
            )
    total = sum(read.counts.get("trees", 0) for read in (snapshot, old) if read is not None)
    asked: dict[str, Any] = {"asked_by": by, "asked_at": now, "max_steps": total}
    with transaction.atomic():
        check, is_new = SnapshotCheck.objects.select_for_update(of=("self",)).get_or_create(
            snapshot=snapshot, old=old, defaults=asked
        )
        if not is_new and not check.is_open:
            again = {"state": CheckState.QUEUED, "step": 0, "answer": {}, "message": ""}
            database.write(check, **asked, **again, attempt=0, ended_at=None)
        _call_worker(check)
    return check


def answer(check_id: int) -> None:
    """Read the files and write down what they say; nothing if it is gone or somebody else's."""
    check = _claim(check_id)
    if check is None:
        return
    try:
        found = _find_out(check, _Progress(check))
    except _Lost:
        logger.info("check %s is another worker's by now", check_id)
    except SnapshotBroken as error:
        _end(check, CheckState.FAILED, message=error.message)
    except Exception as error:  # the outer edge of a job
        _end(check, CheckState.FAILED, message=f"{type(error).__name__}: {error}")
        raise
    else:
        _end(check, CheckState.DONE, answer=found, step=check.max_steps)


def _find_out(check: SnapshotCheck, watch: _Progress) -> dict[str, Any]:
    if check.old is not None:
        trees, messages = snapshots.compare(check.old, check.snapshot, watch=watch)
        return {"trees": trees.to_dict(), "messages": messages.to_dict()}
    try:
        snapshots.verify(check.snapshot, watch=watch)
    except SnapshotBroken as error:
        return {"broken": error.message}
    return {"broken": None}


class _Progress:
    """Says how far it is while the lines pass, and keeps the lease."""

    def __init__(self, check: SnapshotCheck) -> None:
        self._check = check
        self._read = 0
        self._told = time.monotonic()

    def __call__(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            yield line
            self._read += 1
            if time.monotonic() - self._told >= TELL_EVERY_S:
                self.tell()

    def tell(self) -> None:
        """Raises _Lost."""
        self._told = time.monotonic()
        if not _held(self._check).update(step=self._read, lease_until=Now() + LEASE):
            raise _Lost


def _claim(check_id: int) -> SnapshotCheck | None:
    waiting = SnapshotCheck.objects.waiting().filter(pk=check_id).order_by()
    taken = waiting.update(
        state=CheckState.RUNNING, attempt=F("attempt") + 1, lease_until=Now() + LEASE
    )
    if not taken:
        return None
    return SnapshotCheck.objects.select_related("snapshot", "old").filter(pk=check_id).first()


def _held(check: SnapshotCheck) -> Any:
    """The row, as long as this attempt has it."""
    return SnapshotCheck.objects.filter(
        pk=check.pk, attempt=check.attempt, state=CheckState.RUNNING
    )


def _end(check: SnapshotCheck, state: CheckState, **columns: Any) -> None:
    _held(check).update(state=state, lease_until=None, ended_at=Now(), **columns)
    logger.info("check %s of snapshot %s: %s", check.pk, check.snapshot_id, state)


def reap() -> int:
    """Take what dead workers left, and call workers for what waits; how many were left."""
    lost = list(SnapshotCheck.objects.abandoned())
    for check in lost:
        if check.attempt >= MOST_ATTEMPTS:
            message = _("Its worker died %d times.") % check.attempt
            _end(check, CheckState.FAILED, message=message)
        else:
            _held(check).update(state=CheckState.QUEUED, lease_until=None, step=0)
    for check in SnapshotCheck.objects.waiting():
        _call_worker(check)
    return len(lost)


def newest(snapshot: Snapshot) -> list[SnapshotCheck]:
    """What was asked about a snapshot, the newest first. One query."""
    return list(snapshot.checks.select_related("old")[:MOST_SHOWN])


def _call_worker(check: SnapshotCheck) -> None:
    queue.enqueue(JOB, check.pk, key=f"snapshot-check-{check.pk}", long=True)
