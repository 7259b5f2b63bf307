"""The life of one run, from the queue to its end. Nobody else writes its state.

Runs wait in the table; a worker takes one under a lease that only counts by the database's clock.
Every end goes through `_end`, under the attempt it belongs to.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import django_rq
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.text import slugify
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from oasst.lib.queue import redis_client
from training import config as configs
from training.enums import RunState
from training.errors import NotCancellable, NotResumable, RunUnderWay, SnapshotSuperseded
from training.models import Metric, Round, Snapshot, TrainingRun, below_runs

if TYPE_CHECKING:
    from oasst.accounts.models import User

logger = logging.getLogger(__name__)

QUEUE = "training"
# So many workers may die over a run before it is believed to be the run's fault.
MOST_LOSSES = 3
# A job that Redis forgot is queued again after this.
FORGOTTEN_AFTER = timedelta(seconds=30)
KEEP_FAILED_JOB_S = 7 * 24 * 3600


# Asking


@transaction.atomic
def queue(
    stage: str,
    config: Any,
    *,
    now: datetime,
    by: User | None = None,
    snapshot: Snapshot | None = None,
    round: Round | None = None,
    round_step: str = "",
    config_yaml: str = "",
    wake: bool = True,
) -> TrainingRun:
    """Ask for a run of `stage` with a config of training.config; `config_yaml` is it as written.

    Without `wake` no worker is called: whoever asks runs it with `execution.run_now`.
    Raises SnapshotSuperseded if it would learn from a text that somebody had erased.
    """
    plain = configs.to_dict(config)
    sources = snapshots_of(plain, snapshot)
    _check_current(sources)
    run_id = uuid4()
    name = slugify(config.name)[:80] or stage
    run = TrainingRun.objects.create(
        id=run_id,
        name=config.name[:100],
        stage=stage,
        config=plain,
        config_yaml=config_yaml or configs.to_yaml(config),
        run_dir=f"{name}-{run_id.hex[:8]}",
        snapshot=snapshot or next(iter(sources), None),
        round=round,
        round_step=round_step,
        queued_by=by,
        queued_at=now,
    )
    logger.info("run %s: %s is queued", run.pk, stage)
    if wake:
        transaction.on_commit(partial(call_worker, run.pk, 1))
    return run


def snapshots_of(config: dict[str, Any], also: Snapshot | None = None) -> list[Snapshot]:
    """The snapshots that a config's sources are or lie in, the newest first, and `also`."""
    sources = (config.get("data") or {}).get("sources", ())
    paths = [Path(source["path"]).expanduser().resolve() for source in sources]
    folders = {below_runs(folder) for path in paths for folder in (path, path.parent)}
    wanted = Q(path__in=folders) | Q(pk=also.pk if also else None)
    return list(Snapshot.objects.filter(wanted).order_by("-created_at", "-pk"))


def _check_current(snapshots: list[Snapshot]) -> None:
    old = [snapshot.name for snapshot in snapshots if snapshot.superseded_at is not None]
    if old:
        raise SnapshotSuperseded(
            _("Something in the snapshot %s was erased since: make a new one.") % ", ".join(old)
        )


@transaction.atomic
def resume(run_id: UUID, *, now: datetime, by: User | None = None, wake: bool = True) -> None:
    """Go on with a run that was cancelled or failed, from its last checkpoint.

    Raises NotResumable, and SnapshotSuperseded as `queue` does.
    """
    run = _locked(run_id)
    if run is None or run.state not in (RunState.CANCELLED, RunState.FAILED):
        raise NotResumable
    _check_current(snapshots_of(run.config, run.snapshot))
    run.folder.allow()
    TrainingRun.objects.filter(pk=run_id).update(
        state=RunState.QUEUED,
        queued_at=now,
        queued_by=by or run.queued_by,
        ended_at=None,
        losses=0,
        cancel_requested=False,
        message="",
    )
    logger.info("run %s: queued again", run_id)
    if wake:
        transaction.on_commit(partial(call_worker, run_id, run.attempt + 1))


@transaction.atomic
def cancel(run_id: UUID, *, now: datetime) -> None:
    """End a run at somebody's wish: at once while it waits, else as soon as it has saved.

    Raises NotCancellable for one that has ended.
    """
    run = _locked(run_id)
    if run is None or run.is_final:
        raise NotCancellable
    if run.state == RunState.QUEUED:
        _end(run, RunState.CANCELLED, _("Cancelled before it began."), now)
        return
    TrainingRun.objects.filter(pk=run_id).update(cancel_requested=True)
    run.folder.make().cancel()
    logger.info("run %s: cancelling asked", run_id)


def call_worker(run_id: UUID, attempt: int) -> None:
    """Put the job of a run's next attempt on the queue, unless it waits there.

    Cron does so again if Redis forgets it.
    """
    job_id = f"run-{run_id}-{attempt}"
    try:
        jobs = django_rq.get_queue(QUEUE, commit_mode="auto", connection=redis_client())
        if jobs.get_job_position(job_id) is not None:
            return
        jobs.enqueue(
            "training.jobs.run_training",
            str(run_id),
            job_id=job_id,
            description=f"run {run_id}",
            job_timeout=-1,
            result_ttl=0,
            failure_ttl=KEEP_FAILED_JOB_S,
        )
    except RedisError as error:
        logger.warning("run %s waits for cron: %s", run_id, type(error).__name__)


# Working


def claim(run_id: UUID, *, now: datetime) -> TrainingRun:
    """Take a waiting run; one that would learn from what was erased since fails instead.

    Raises RunUnderWay if it does not wait (any more).
    """
    run = _take(run_id, now)
    if run is None:
        raise RunUnderWay
    logger.info("run %s: attempt %d on %s", run.pk, run.attempt, run.host)
    return run


@transaction.atomic
def _take(run_id: UUID, now: datetime) -> TrainingRun | None:
    run = _locked(run_id)
    if run is None or run.state != RunState.QUEUED or _is_refused(run, now):
        return None
    TrainingRun.objects.filter(pk=run_id).update(
        state=RunState.RUNNING,
        attempt=F("attempt") + 1,
        started_at=now,
        lease_until=_lease(),
        host=socket.gethostname(),
        pid=None,
        message="",
    )
    return TrainingRun.objects.get(pk=run_id)


def _is_refused(run: TrainingRun, now: datetime) -> bool:
    """End a waiting run whose data was superseded while it waited."""
    try:
        _check_current(snapshots_of(run.config, run.snapshot))
    except SnapshotSuperseded as error:
        _end(run, RunState.FAILED, error.message, now)
        return True
    return False


@transaction.atomic
def refuse_superseded(*, now: datetime) -> int:
    """End the waiting runs that would learn from what was erased; returns how many.

    One that learns already goes on: the registry knows what it learned from.
    """
    waiting = TrainingRun.objects.waiting().select_for_update(of=("self",))
    return sum(_is_refused(run, now) for run in waiting)


def _lease() -> Any:
    return Now() + timedelta(seconds=settings.TRAINING_LEASE_S)


def renew(run: TrainingRun, **changed: Any) -> bool:
    """Lengthen the lease and write what changed; False if this attempt is not the one that counts.

    `run.cancel_requested` is up to date afterwards.
    """
    mine = TrainingRun.objects.filter(pk=run.pk, attempt=run.attempt, state=RunState.RUNNING)
    if not mine.update(lease_until=_lease(), **changed):
        return False
    run.cancel_requested = mine.values_list("cancel_requested", flat=True).first() or False
    return True


# Ending


@transaction.atomic
def finish(
    run_id: UUID, attempt: int, state: RunState, *, now: datetime, message: str = ""
) -> bool:
    """End a running run. False if this attempt is not the one that counts."""
    run = _mine(run_id, attempt)
    if run is not None:
        _end(run, state, message, now)
    return run is not None


@transaction.atomic
def hand_back(run_id: UUID, attempt: int, *, now: datetime) -> bool:
    """Put a run back to the queue because its worker ends; it is no fault of the run's."""
    run = _mine(run_id, attempt)
    if run is None:
        return False
    if run.cancel_requested:
        _end(run, RunState.CANCELLED, "", now)
    else:
        _begin_again(run, run.losses)
    return True


@transaction.atomic
def lose(run_id: UUID, attempt: int, *, why: str, now: datetime) -> bool:
    """Take note that a run broke off: it goes on from its checkpoint, three times at most."""
    run = _mine(run_id, attempt)
    if run is not None:
        _bury_or_requeue(run, why, now)
    return run is not None


def reap(*, now: datetime, is_alive: Callable[[TrainingRun], bool]) -> int:
    """Take care of runs whose worker died, once their program is gone too; calls workers for the
    rest. Returns how many it found.
    """
    lost = [run for run in TrainingRun.objects.abandoned() if not is_alive(run)]
    for run in lost:
        with transaction.atomic():
            again = TrainingRun.objects.abandoned().filter(pk=run.pk, attempt=run.attempt)
            if mine := again.select_for_update(of=("self",), skip_locked=True).first():
                _bury_or_requeue(mine, _("Its worker was killed each time."), now)
    forgotten = TrainingRun.objects.waiting().filter(queued_at__lt=now - FORGOTTEN_AFTER)
    # Those of a round are run by the round, which cron wakes too.
    for run_id, attempt in forgotten.filter(round=None).values_list("pk", "attempt"):
        call_worker(run_id, attempt + 1)
    return len(lost)


def _bury_or_requeue(run: TrainingRun, why: str, now: datetime) -> None:
    losses = run.losses + 1
    TrainingRun.objects.filter(pk=run.pk).update(losses=losses)
    if run.cancel_requested:
        _end(run, RunState.CANCELLED, "", now)
    elif losses < MOST_LOSSES:
        _begin_again(run, losses)
    else:
        _end(run, RunState.FAILED, _("It broke off %d times. %s") % (losses, why), now)


def _begin_again(run: TrainingRun, losses: int) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(
        state=RunState.QUEUED, lease_until=None, pid=None, losses=losses
    )
    logger.warning("run %s: attempt %d broke off, queued again", run.pk, run.attempt)
    if run.round_id is None:  # a run of a round waits for the round
        transaction.on_commit(partial(call_worker, run.pk, run.attempt + 1))


def _end(run: TrainingRun, state: RunState, message: str, now: datetime) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(
        state=state, message=message, ended_at=now, lease_until=None, pid=None
    )
    logger.info("run %s: %s after attempt %d", run.pk, state, run.attempt)


def _mine(run_id: UUID, attempt: int) -> TrainingRun | None:
    run = _locked(run_id)
    counts = run is not None and run.attempt == attempt and run.state == RunState.RUNNING
    return run if counts else None


def _locked(run_id: UUID) -> TrainingRun | None:
    return TrainingRun.objects.filter(pk=run_id).select_for_update(of=("self",)).first()


# Metrics


@transaction.atomic
def log(run: TrainingRun, rows: list[dict[str, Any]], *, forget_after: int | None = None) -> None:
    """Copy lines of metrics.jsonl; lines of the same step and phase become one.

    Lines beyond `forget_after` are dropped first: a resumed run logs them again.
    """
    if forget_after is not None:
        run.logged_metrics.filter(step__gt=forget_after).delete()
    merged: dict[tuple[int, str], dict[str, Any]] = {}
    for row in rows:
        values = {name: v for name, v in row.items() if name not in ("step", "phase")}
        merged.setdefault((row["step"], row["phase"]), {}).update(values)
    steps = {step for step, _phase in merged}
    for known in run.logged_metrics.filter(step__in=steps):
        if (known.step, known.phase) in merged:
            merged[known.step, known.phase] = known.values | merged[known.step, known.phase]
    Metric.objects.bulk_create(
        [Metric(run=run, step=step, phase=phase, values=v) for (step, phase), v in merged.items()],
        update_conflicts=True,
        unique_fields=["run", "step", "phase"],
        update_fields=["values"],
    )
