"""Snapshots that somebody asks for on a page: made by a worker, watched while they grow.

One row a request, gone once the snapshot is there. Whoever makes it holds a lock that ends with the
process, so that another worker begins again where one died; how far it is stands in the cache.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oasst.lib import database, queue
from oasst.lib.session_lock import SessionLock
from tasks_app.exporting import Selection, count_trees
from training import snapshots
from training.data_gate import GateRules
from training.enums import RequestState
from training.errors import SnapshotExists
from training.models import Snapshot, SnapshotRequest

if TYPE_CHECKING:
    from oasst.accounts.models import User

logger = logging.getLogger(__name__)

JOB = "training.jobs.make_snapshot"
MOST_ATTEMPTS = 3  # workers that may die over one
TELL_EVERY_S = 1.0
REMEMBERED_S = 60  # how long the cache knows how far it is


@dataclass(frozen=True)
class Wish:
    """What a page lets one ask for; the command has more filters."""

    langs: tuple[str, ...] = ()
    synthetic: bool = False
    chats: bool = False
    gate: bool = True
    scrub_pii: bool = False

    def selection(self) -> Selection:
        """Its trees."""
        return Selection(langs=tuple(self.langs), synthetic=None if self.synthetic else False)

    def filter(self) -> snapshots.Filter:
        """All of it."""
        gate = GateRules() if self.gate else None
        return snapshots.Filter(
            self.selection(), chats=self.chats, gate=gate, scrub_pii=self.scrub_pii
        )


@transaction.atomic
def ask(name: str, wish: Wish, *, now: datetime, by: User | None = None) -> SnapshotRequest:
    """Have a worker make a snapshot; one that failed is asked for again. Raises SnapshotExists if
    one of that name is there, or being made."""
    if Snapshot.objects.filter(name=name).exists():
        raise SnapshotExists(_("There is a snapshot called %s already.") % name)
    columns: dict[str, Any] = {"wish": asdict(wish), "asked_by": by, "asked_at": now}
    rows = SnapshotRequest.objects.select_for_update(of=("self",))
    request, is_new = rows.get_or_create(name=name, defaults=columns)
    if not is_new:
        if request.is_open:
            raise SnapshotExists(_("A snapshot called %s is being made already.") % name)
        database.write(request, **columns, state=RequestState.QUEUED, message="", attempt=0)
    _call_worker(request)
    return request


def withdraw(name: str) -> None:
    """Forget a request that failed; nothing if it is open or gone."""
    SnapshotRequest.objects.filter(name=name, state=RequestState.FAILED).delete()


def make(request_id: int) -> None:
    """Make what was asked for; nothing if it is gone, has failed or is in another process."""
    with SessionLock(_lock_name(request_id)).alone() as is_ours:
        request = SnapshotRequest.objects.filter(pk=request_id).first()
        if is_ours and request is not None and request.is_open:
            _make(request)


def _make(request: SnapshotRequest) -> None:
    if request.attempt and Snapshot.objects.filter(name=request.name).exists():
        request.delete()  # a process died between the two
        return
    if request.attempt >= MOST_ATTEMPTS:
        _fail(request, _("Its worker died %d times.") % request.attempt)
        return
    wish = Wish(**request.wish)
    database.write(
        request,
        state=RequestState.RUNNING,
        attempt=request.attempt + 1,
        trees=count_trees(wish.selection()),
    )
    progress = _Progress(request)
    try:
        snapshots.create(
            request.name, wish.filter(), now=timezone.now(), by=request.asked_by, watch=progress
        )
    except SnapshotExists as error:
        _fail(request, error.message)
    except Exception as error:  # the outer edge of a job
        _fail(request, f"{type(error).__name__}: {error}")
        raise
    else:
        request.delete()


def reap() -> int:
    """Call workers for what is in no process; how many requests that are."""
    open_ = SnapshotRequest.objects.exclude(state=RequestState.FAILED)
    lost = [request for request in open_ if SessionLock(_lock_name(request.pk)).is_free()]
    for request in lost:
        _call_worker(request)
    return len(lost)


class _Progress:
    """Says how far it is while the trees pass: in the cache, for the transaction that reads them
    may write nothing."""

    def __init__(self, request: SnapshotRequest) -> None:
        self._request = request
        self._read = 0
        self._told = 0.0

    def __call__(self, trees: Iterable[Any]) -> Iterator[Any]:
        for tree in trees:
            yield tree
            self._read += 1
            if time.monotonic() - self._told >= TELL_EVERY_S:
                self._told = time.monotonic()
                cache.set(_progress_key(self._request), self._read, REMEMBERED_S)


def trees_read(request: SnapshotRequest) -> int:
    """How many of its trees were read; 0 if that is not known."""
    return min(cache.get(_progress_key(request), 0), request.trees)


def _progress_key(request: SnapshotRequest) -> str:
    return f"snapshot-request:{request.pk}:{request.attempt}"


def _lock_name(request_id: int) -> str:
    return f"training.snapshot.{request_id}"


def _call_worker(request: SnapshotRequest) -> None:
    queue.enqueue(JOB, request.pk, key=f"snapshot-{request.pk}", long=True)


def _fail(request: SnapshotRequest, message: str) -> None:
    database.write(request, state=RequestState.FAILED, message=message)
    logger.warning("snapshot %s was not made: %s", request.name, message)
