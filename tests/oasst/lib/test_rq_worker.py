"""The worker of job queues, as a process that may be killed."""

import sys
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests import stack
from tests.waiting import wait_until


def schedulers(worker: int) -> list[psutil.Process]:
    """The processes that a worker became by forking; it starts others for a moment as well."""
    children = psutil.Process(worker).children()
    return [child for child in children if "rqworker" in child.cmdline()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a kill")
@pytest.mark.django_db(transaction=True)
def test_worker_that_is_killed_leaves_no_scheduler_behind(tmp_path: Path) -> None:
    words = ["manage.py", "rqworker", "default", "--with-scheduler", "-v", "0"]
    log, env = tmp_path / "worker.log", stack.environment()
    with stack.running(words, log, env) as worker:
        wait_until(partial(schedulers, worker.pid), patience_s=stack.START_TIMEOUT_S)
        (scheduler,) = schedulers(worker.pid)

        worker.kill()

        wait_until(lambda: not scheduler.is_running())
