"""Why a run may end before its end, and the wish that it should.

It loads no library of training, which would take seconds: a run that was cancelled before it
began, or that waits for its folder, needs none.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from training.rundir import RunDir

_stop = threading.Event()


class Cancelled(Exception):
    """Somebody asked the run to end. What was learned so far is saved."""


class LossNotFinite(RuntimeError):
    """The loss is no number any more. The text says what to do."""


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Take SIGTERM and SIGINT as the wish to save and end."""
    _stop.clear()
    before = {
        number: signal.signal(number, lambda *_: _stop.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def should_stop(run: RunDir) -> bool:
    """Cheap enough to ask between any two steps, also while answers are generated."""
    return _stop.is_set() or run.is_cancelled
