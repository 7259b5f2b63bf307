"""Jobs of training: runs on the queue `training`, and the periodic ones on `default`."""

import ctypes
import logging
import signal
import sys
from functools import partial
from uuid import UUID

from django.utils import timezone
from redis.exceptions import RedisError
from rq import get_current_job
from rq.worker import BaseWorker

from training import (
    execution,
    registry,
    rounds,
    runs,
    snapshot_checks,
    snapshot_requests,
    snapshots,
    usage,
)
from training.enums import RoundState
from training.errors import RoundUnderWay, RunUnderWay
from training.models import Round, TrainingRun

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1


def run_training(run_id: str) -> None:
    """Run one attempt of a run; quietly nothing if it is gone or somebody else's."""
    run = TrainingRun.objects.filter(pk=UUID(run_id)).first()
    if run is None:
        return
    _end_with_worker()
    try:
        execution.attempt(run, should_stop=_worker_ends)
    except RunUnderWay:
        logger.info("run %s is not waiting", run_id)


def reap_runs() -> None:
    """Queue again or end what dead workers left, and call workers for what waits."""
    found = runs.reap(now=timezone.now(), is_alive=execution.is_alive)
    if found:
        logger.info("took care of %d abandoned runs", found)
    rounds.wake_abandoned()


def heed_withdrawn_chats() -> None:
    """Mark snapshots with chats that their owners have forbidden or deleted since."""
    snapshots.supersede_withdrawn(now=timezone.now())


def heed_deleted_messages() -> None:
    """Mark snapshots with messages that were deleted since, and no more once these are back."""
    snapshots.heed_deletions(now=timezone.now())


def tell_usage() -> None:
    """Tell the data collection of snapshots and models that it does not know as they are."""
    for snapshot in usage.untold_snapshots():
        usage.tell_of_snapshot(snapshot)
    for checkpoint in usage.untold_models():
        registry.tell_usage(checkpoint)


def make_snapshot(request_id: int) -> None:
    """Freeze the data as somebody asked for on a page."""
    snapshot_requests.make(request_id)


def reap_snapshot_requests() -> None:
    """Call workers for snapshots that no process makes."""
    found = snapshot_requests.reap()
    if found:
        logger.info("called for %d snapshots", found)


def answer_snapshot_check(check_id: int) -> None:
    """Read the files of a snapshot, and write down what somebody asked for on its page."""
    snapshot_checks.answer(check_id)


def reap_snapshot_checks() -> None:
    """Ask again what dead workers left, and call workers for what waits."""
    found = snapshot_checks.reap()
    if found:
        logger.info("took care of %d abandoned checks of snapshots", found)


def _end_with_worker() -> None:
    """Let Linux send this process SIGTERM when its RQ worker dies, also of SIGKILL."""
    if sys.platform == "linux" and get_current_job() is not None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _worker_ends() -> bool:
    """Whether somebody asked the worker of this job to end: RQ itself waits for the job's end,
    which may be days away."""
    job = get_current_job()
    if job is None or not job.worker_name:
        return False
    try:
        key = BaseWorker.redis_worker_namespace_prefix + job.worker_name
        return bool(job.connection.hget(key, "shutdown_requested_date"))
    except RedisError:
        return False


def run_round(round_id: int) -> None:
    """Run a round to its end; nothing if it is gone, has ended or is under way elsewhere."""
    wanted = Round.objects.filter(state__in=[RoundState.QUEUED, RoundState.RUNNING])
    found = wanted.filter(pk=round_id).first()
    if found is None:
        return
    _end_with_worker()
    try:
        rounds.run(found, execute=partial(execution.run_now, should_stop=_worker_ends))
    except RoundUnderWay:
        logger.info("round %s is under way already", found.name)
