"""Real RQ workers: a run is done once however long it takes, and outlives the death of both."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from django.utils import timezone
from pytest_django import Settings

from tests import stack
from tests.training import given
from training import execution, runs
from training.enums import RunState
from training.models import TrainingRun

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PATIENCE_S = 60
LEASE_S = 2
# An RQ worker of the queue with every timeout cut down to a second or two.
WORKER = """
import django
django.setup()
import django_rq
from rq import Worker
worker = Worker([django_rq.get_queue("training")], job_monitoring_interval=1, worker_ttl=2,
                maintenance_interval=1)
worker.work(logging_level="WARNING")
"""
Work = subprocess.Popen[bytes]


class Crew:
    """Workers that are started once for all these tests; who is killed is replaced."""

    def __init__(self, folder: Path, begin: Callable[..., Work]) -> None:
        self.runs = folder / "runs"
        self._folder, self._begin = folder, begin
        self._workers: list[Work] = []

    def of_two(self, environment: dict[str, str]) -> list[Work]:
        self._workers = [work for work in self._workers if work.poll() is None]
        while len(self._workers) < 2:
            log = self._folder / f"worker-{uuid4().hex}.log"
            self._workers.append(self._begin(["-c", WORKER], log, environment))
        return self._workers


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    with ExitStack() as started:
        yield Crew(
            tmp_path_factory.mktemp("crew"),
            lambda *how: started.enter_context(stack.running(*how)),
        )


@pytest.fixture
def workers(crew: Crew, runs_dir: Path, settings: Settings) -> list[Work]:
    """Two workers that live."""
    settings.RUNS_DIR = crew.runs
    environment = stack.environment() | given.environment()
    environment |= {"TRAINING_LEASE_S": str(LEASE_S), "TRAINING_FAKE_STEP_S": "0.1"}
    return crew.of_two(environment)


def _reap_until(run: TrainingRun, *states: str, step: int = 0) -> TrainingRun:
    """What cron does, until the run is where it should be."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        runs.reap(now=timezone.now(), is_alive=execution.is_alive)
        run.refresh_from_db()
        if run.state in states and run.step >= step:
            return run
        time.sleep(0.1)
    raise AssertionError(f"the run is {run.state} at step {run.step}: {run.message}")


def _child(run: TrainingRun) -> int:
    return int((run.folder.path / "starts.txt").read_text().splitlines()[-1])


@pytest.mark.usefixtures("workers")
def test_a_run_that_outlasts_every_timeout_is_done_once() -> None:
    run = given.queued(steps=35, wake=True)  # over three seconds: more than any timeout
    runs.call_worker(run.pk, 1)
    runs.call_worker(run.pk, 2)

    run = _reap_until(run, *(s for s in RunState if s.is_final))

    assert (run.state, run.attempt, given.starts(run)) == (RunState.DONE, 1, 1)
    assert run.logged_metrics.filter(phase="train").count() == 35


def _family(pid: int) -> list[int]:
    """The processes that a worker has started, the nearest first."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def test_a_run_goes_on_elsewhere_when_its_worker_is_killed(workers: list[Work]) -> None:
    run = _reap_until(given.queued(steps=25, wake=True), RunState.RUNNING, step=3)
    busy = next(work for work in workers if _child(run) in _family(work.pid))

    for pid in [busy.pid, *_family(busy.pid)][:2]:  # the worker and its work horse
        os.kill(pid, signal.SIGKILL)

    run = _reap_until(run, *(s for s in RunState if s.is_final))
    assert (run.state, run.step, given.starts(run)) == (RunState.DONE, 25, 2)
    assert run.losses == 1
    assert run.logged_metrics.filter(phase="train").count() == 25


@pytest.mark.full
def test_a_worker_that_is_asked_to_end_saves_the_run_for_the_other(workers: list[Work]) -> None:
    run = _reap_until(given.queued(steps=40, wake=True), RunState.RUNNING, step=3)
    busy = next(work for work in workers if _child(run) in _family(work.pid))

    busy.terminate()
    busy.wait(20)

    run = _reap_until(run, *(s for s in RunState if s.is_final))
    assert (run.state, run.losses, given.starts(run)) == (RunState.DONE, 0, 2)


@pytest.mark.full
@pytest.mark.usefixtures("workers")
def test_a_cancelled_run_ends_within_seconds() -> None:
    run = _reap_until(given.queued(steps=400, wake=True), RunState.RUNNING, step=2)

    runs.cancel(run.pk, now=timezone.now())

    run = _reap_until(run, RunState.CANCELLED)
    assert run.step < 100
    assert sys.platform != "linux" or not execution.is_alive(run)
