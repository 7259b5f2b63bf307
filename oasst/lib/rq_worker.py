"""The worker of job queues: RQ's, but what it forks ends with it, however it ends."""

import ctypes
import os
import signal
import sys
from typing import Any

from rq import Worker as RQWorker

PR_SET_PDEATHSIG = 1


class Worker(RQWorker):
    """Forks a scheduler and a process per job, which would outlive it if it is killed: another
    worker is started in its place, and the old scheduler would go on, with the old code."""

    def work(self, *args: Any, **options: Any) -> bool:
        """Take jobs until it is stopped."""
        if sys.platform == "linux":
            os.register_at_fork(after_in_child=_end_with_parent)
        return super().work(*args, **options)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
