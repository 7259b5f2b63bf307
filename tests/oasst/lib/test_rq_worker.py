"""The worker of job queues, as a process that may be killed."""

import sys
from pathlib import Path

import psutil
import pytest

from tests import stack
from tests.waiting import wait_until


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a kill")
@pytest.mark.django_db(transaction=True)
def test_worker_that_is_killed_leaves_no_scheduler_behind(tmp_path: Path) -> None:
    words = ["manage.py", "rqworker", "default", "--with-scheduler", "-v", "0"]
    log, env = tmp_path / "worker.log", stack.environment()
    with stack.running(words, log, env) as worker:
        wait_until(psutil.Process(worker.pid).children, patience_s=stack.START_TIMEOUT_S)
        (scheduler,) = psutil.Process(worker.pid).children()

        worker.kill()

        wait_until(lambda: not scheduler.is_running())
