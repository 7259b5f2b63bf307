"""Rounds: once through all steps, unattended, gone on with at the step at which one broke off.

A round is in one process at a time. Its steps leave their records in RoundStep; what they do is
in round_steps.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import django_rq
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from redis.exceptions import RedisError
from rq.registry import FailedJobRegistry

from oasst.lib import database
from oasst.lib.errors import DomainError
from oasst.lib.queue import redis_client
from oasst.lib.session_lock import SessionLock
from training import config as configs
from training import execution, standings
from training.config import ConfigError
from training.enums import RoundState, StepState
from training.errors import NotResumable, RoundUnderWay
from training.models import Round, RoundStep, TrainingRun
from training.round_config import RoundConfig, check
from training.round_steps import STEPS
from training.round_work import Cancelled, Failed, Skipped, Work
from training.runs import KEEP_FAILED_JOB_S, QUEUE

if TYPE_CHECKING:
    from oasst.accounts.models import User

logger = logging.getLogger(__name__)

Execute = Callable[[TrainingRun], TrainingRun]
# With which step that a key of the config matters to its work begins; a stage's own is its step's.
FIRST_USED = {
    "data": "snapshot",
    "languages": "snapshot",
    "base": "sft",
    "start": "sft",
    "eval_share": "sft",
    "seed": "sft",
    "ranking": "sample",
}
MOST_LOSSES = 3  # processes that may die over a round before it is left alone
TRACE = 10_000  # characters that are kept of where a step broke
UNFINISHED = (RoundState.QUEUED, RoundState.RUNNING, RoundState.FAILED, RoundState.CANCELLED)


# Beginning


def begin(
    config: RoundConfig, *, now: datetime, by: User | None = None, config_yaml: str = ""
) -> Round:
    """The round to go on with: the last one of this name if it has not come to its end, else a
    new one. One that broke off takes the config that is given now, and does anew what a changed
    key of it matters to.

    Raises ConfigError, and RoundUnderWay if a process is at work on it.
    """
    check(config)
    last = _last(config.name)
    plain = configs.to_dict(config)
    written: dict[str, Any] = {
        "config": plain,
        "config_yaml": config_yaml or configs.to_yaml(config),
        "state": RoundState.QUEUED,
    }
    if last is None or last.state not in UNFINISHED:
        number = number_of(last) + 1 if last else 1
        name = f"{_slug(config.name)}-{number}"
        return _made(name, queued_by=by, created_at=now, **written)
    with _alone(last), transaction.atomic():
        _reset_steps(last, plain)
        database.write(last, **written, ended_at=None, message="", losses=0)
    return last


@transaction.atomic
def _made(name: str, **columns: Any) -> Round:
    made = Round.objects.create(name=name, **columns)
    RoundStep.objects.bulk_create(
        RoundStep(round=made, kind=kind, position=place) for place, kind in enumerate(STEPS)
    )
    logger.info("round %s begins", name)
    return made


def _reset_steps(round: Round, config: dict[str, Any]) -> None:
    """Have the steps done that work otherwise under `config`, and those after them. A run that
    comes out the same is not run again."""
    changed = {key for key, value in config.items() if round.config.get(key) != value}
    first = [list(STEPS).index(FIRST_USED.get(key, key)) for key in changed - {"name", "stage"}]
    if first:
        later = round.steps.filter(position__gte=min(first))
        later.update(state=StepState.WAITING, message="", record={}, started_at=None, ended_at=None)


def before(round: Round) -> list[Round]:
    """The rounds of the same name that came to their end, in order."""
    stem, number = round.name.rpartition("-")[0], number_of(round)
    done = [found for found in _family(stem) if found.state == RoundState.DONE]
    return sorted((r for r in done if number_of(r) < number), key=number_of)


def number_of(round: Round) -> int:
    """1 for the first of its name."""
    return int(round.name.rpartition("-")[2])


def _last(name: str) -> Round | None:
    return max(_family(_slug(name)), key=number_of, default=None)


def _family(stem: str) -> list[Round]:
    return list(Round.objects.filter(name__regex=rf"^{re.escape(stem)}-[0-9]+$"))


def _slug(name: str) -> str:
    return slugify(name)[:80] or "round"


def resume(round: Round) -> None:
    """Have a worker go on with a round that broke off. Raises NotResumable."""
    if round.state not in UNFINISHED:
        raise NotResumable(_("This round has come to its end."))
    if round.state != RoundState.RUNNING:
        database.write(round, state=RoundState.QUEUED, message="", ended_at=None, losses=0)
    call_worker(round)


def wake_abandoned() -> list[Round]:
    """Call a worker for rounds that are in no process: theirs died, or Redis forgot the job."""
    lost = [
        found
        for found in Round.objects.filter(state__in=[RoundState.QUEUED, RoundState.RUNNING])
        if _lock(found).is_free() and call_worker(found)
    ]
    for found in lost:
        logger.warning("round %s: in no process, a worker is called", found.name)
    return lost


def call_worker(round: Round) -> bool:
    """Put a job of a round on the queue; False if one waits there already, or Redis is away: cron
    calls again.

    Each has a name of its own: RQ keeps those that failed, and those whose worker was killed, and
    would take a later one of the same name for them.
    """
    prefix = _job_prefix(round)
    try:
        jobs = django_rq.get_queue(QUEUE, commit_mode="auto", connection=redis_client())
        if any(waiting.startswith(prefix) for waiting in jobs.job_ids):
            return False
        jobs.enqueue(
            "training.jobs.run_round",
            round.pk,
            job_id=f"{prefix}{uuid4().hex[:8]}",
            description=f"round {round.name}",
            job_timeout=-1,
            result_ttl=0,
            failure_ttl=KEEP_FAILED_JOB_S,
        )
    except RedisError as error:
        logger.warning("round %s waits for cron: %s", round.name, type(error).__name__)
        return False
    return True


def _job_prefix(round: Round) -> str:
    return f"round-{round.pk}-"


# Running


def run(round: Round, *, execute: Execute = execution.run_now) -> Round:
    """Take every step that is not done yet, until the end or the first that fails. A round over
    which processes died again and again is not taken up any more: it fails.

    `execute` runs a training run to its end. Raises RoundUnderWay if another process has it.
    """
    with _alone(round):
        round.refresh_from_db()
        if round.state == RoundState.DONE:
            return round
        if round.state == RoundState.RUNNING and _is_given_up(round):
            return round
        database.write(
            round, state=RoundState.RUNNING, started_at=round.started_at or timezone.now()
        )
        work = Work(round, configs.build(round.config, of=RoundConfig), before(round), execute)
        if work.before is not None:
            standings.record(work.before)
        state, message = _take_steps(work)
        database.write(round, state=state, message=message, ended_at=timezone.now())
        logger.info("round %s: %s", round.name, state)
    return round


def _is_given_up(round: Round) -> bool:
    """Count the process that died over a round, which this one alone holds now. After some it is
    enough: the next would die as well, and cron would never end to call one."""
    losses = round.losses + 1
    database.write(round, losses=losses)
    if losses < MOST_LOSSES:
        return False
    message = _("Its process died %d times, the last time in the step %s.") % (losses, round.step)
    step = round.steps.filter(kind=round.step).first()
    if step is not None:
        _fail(step, message, _last_words(round))
    database.write(round, state=RoundState.FAILED, message=message, ended_at=timezone.now())
    logger.warning("round %s: given up after %d lost processes", round.name, losses)
    return True


def _last_words(round: Round) -> str:
    """What RQ wrote down of the last job of the round that failed; nothing if it was no job, or
    Redis is away."""
    try:
        jobs = django_rq.get_queue(QUEUE, connection=redis_client())
        failed = FailedJobRegistry(queue=jobs)
        prefix = _job_prefix(round)
        of_round = [key for key in failed.get_job_ids() if key.startswith(prefix)]
        job = jobs.fetch_job(of_round[-1]) if of_round else None
        result = job.latest_result() if job else None
    except RedisError as error:
        logger.warning("round %s: Redis is away: %s", round.name, type(error).__name__)
        return ""
    return (result.exc_string or "") if result else ""


def _take_steps(work: Work) -> tuple[RoundState, str]:
    for step in work.round.steps.order_by("position"):
        if step.state in (StepState.DONE, StepState.SKIPPED):
            continue
        _stay_alone(work.round)
        database.write(work.round, step=step.kind)
        ended = _take(work, step)
        if ended is not None:
            return ended
    return RoundState.DONE, ""


def _take(work: Work, step: RoundStep) -> tuple[RoundState, str] | None:
    """Take one step; how the round ends, if it ends here."""
    now = timezone.now()
    database.write(step, state=StepState.RUNNING, started_at=step.started_at or now, message="")
    try:
        record = STEPS[step.kind](work, step)
    except Skipped as skipped:
        _end_step(step, StepState.SKIPPED, str(skipped), skipped.record)
    except Cancelled as cancelled:
        _end_step(step, StepState.WAITING, str(cancelled))
        return RoundState.CANCELLED, str(cancelled)
    except (Failed, DomainError, ConfigError, OSError) as error:
        _end_step(step, StepState.FAILED, str(error))
        return RoundState.FAILED, _("%(step)s: %(error)s") % {"step": step.kind, "error": error}
    except execution.Stopped as stopped:
        _end_step(step, StepState.WAITING, "")
        return RoundState.QUEUED, str(stopped)
    except BaseException as error:  # the outer edge: whatever it was, the round says so
        message = f"{type(error).__name__}: {error}"
        _fail(step, message, traceback.format_exc())
        database.write(
            work.round, state=RoundState.FAILED, message=message, ended_at=timezone.now()
        )
        raise
    else:
        _end_step(step, StepState.DONE, "", record)
        database.write(work.round, losses=0)
    return None


def _fail(step: RoundStep, message: str, trace: str) -> None:
    """End a step that broke in a way nobody foresaw; where, is kept for those who can read it."""
    _end_step(step, StepState.FAILED, message, step.record | {"traceback": trace[-TRACE:]})


def _end_step(
    step: RoundStep, state: StepState, message: str, record: dict[str, Any] | None = None
) -> None:
    database.write(
        step,
        state=state,
        message=message,
        record=step.record if record is None else record,
        ended_at=timezone.now(),
    )
    logger.info("round %s: step %s: %s", step.round_id, step.kind, state)


@contextmanager
def _alone(round: Round) -> Iterator[None]:
    """Hold the round in this process; the database lets go of it when the process dies."""
    with _lock(round).alone() as is_ours:
        if not is_ours:
            raise RoundUnderWay
        yield


def _stay_alone(round: Round) -> None:
    """Hold the round again, if the connection that held it was lost during the last step, as while
    the database was away. Raises RoundUnderWay if another process goes on with it by now."""
    lock = _lock(round)
    if not lock.is_held() and not lock.take():
        raise RoundUnderWay


def _lock(round: Round) -> SessionLock:
    return SessionLock(f"training.round.{round.pk}")
