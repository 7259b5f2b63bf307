"""Keeps several programs running: restarts what dies, stops all together, names their output."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

TICK_S = 0.2
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 10.0
STOP_TIMEOUT_S = 15.0
# Asks Linux to end the program with whoever started it, even if that one is killed (prctl's
# PR_SET_PDEATHSIG, SIGTERM), then becomes the program.
LAUNCHER = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execvp(sys.argv[1], sys.argv[1:])"
)


def pause_before_restart(failures: int) -> float:
    """Seconds to wait after `failures` early deaths in a row: none, then 1, 2, 4, … at most 30."""
    return min(FIRST_PAUSE_S * 2 ** (failures - 1), LONGEST_PAUSE_S) if failures else 0.0


@dataclass
class Program:
    """One program to keep running."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    # Open files that it takes over, such as a socket to listen on.
    files: Sequence[int] = ()
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    failures: int = 0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, now: float, width: int) -> None:
        # A session of its own: Ctrl-C in the terminal reaches the supervisor alone.
        self.process = subprocess.Popen(
            tied_to_parent(self.command),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=self.files,
        )
        self.started_at = now
        arguments = (self.process, self.name.ljust(width))
        threading.Thread(target=_copy_output, args=arguments, daemon=True).start()

    def note_death(self, now: float) -> None:
        """Decide when to start again: at once if it ran well for a while, else ever later."""
        assert self.process is not None
        ran_well = now - self.started_at >= HEALTHY_AFTER_S
        self.failures = 0 if ran_well else self.failures + 1
        pause = pause_before_restart(self.failures)
        logger.warning(
            "%s ended with status %s, starts again in %.0f s",
            self.name,
            self.process.returncode,
            pause,
        )
        self.process = None
        self.start_again_at = now + pause

    def send(self, number: signal.Signals) -> None:
        """Signal the program and whatever it has started."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def supervise(programs: Sequence[Program], *, each_tick: Callable[[], None]) -> None:
    """Run `programs` until SIGINT or SIGTERM; `each_tick` is called a few times a second."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    width = max(len(program.name) for program in programs)
    try:
        while not stopping.wait(TICK_S):
            _tend(programs, width, time.monotonic())
            each_tick()
    finally:
        stop(programs)


def _tend(programs: Sequence[Program], width: int, now: float) -> None:
    for program in programs:
        if program.is_running:
            continue
        if program.process is not None:
            program.note_death(now)
        elif now >= program.start_again_at:
            program.start(now, width)


def stop(programs: Sequence[Program]) -> None:
    """Ask all to end, wait for them together, then kill those that did not."""
    for program in programs:
        program.send(signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while any(program.is_running for program in programs) and time.monotonic() < deadline:
        time.sleep(0.05)
    for program in programs:
        if program.is_running:
            logger.warning("%s did not end in time and is killed", program.name)
        program.send(signal.SIGKILL)
        if program.process is not None:
            program.process.wait()


def _copy_output(process: subprocess.Popen[str], prefix: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(f"{prefix} | {line}")
        sys.stdout.flush()


def tied_to_parent(command: Sequence[str]) -> list[str]:
    """A command that Linux ends, by SIGTERM, together with the process that starts it."""
    return [sys.executable, "-c", LAUNCHER, *command] if sys.platform == "linux" else [*command]
