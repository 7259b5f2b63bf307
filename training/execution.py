"""Runs the program of a run, `python -m training …`, and follows it until it ends.

The program is a child process without the site's secrets; it ends with whoever follows it, and
what it has saved is gone on with. Nothing here ends a run: runs.py does.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oasst.lib.supervisor import tied_to_parent
from training import registry, runs
from training.enums import RunState
from training.errors import RunUnderWay
from training.following import Follower
from training.models import TrainingRun
from training.rundir import RunDir, write_whole

logger = logging.getLogger(__name__)

TICK_S = 1.0
# Exit codes of `python -m training`.
DONE, FAILED, WRONG_CONFIG, CANCELLED = 0, 1, 2, 3
# All that the program knows of its surroundings: it reads files that strangers wrote, and a secret
# may have any name. Names, or beginnings of names that end in an underscore.
KNOWN = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_", "TZ", "TMPDIR", "TEMP", "TMP",
    "XDG_", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONHASHSEED", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "SYSTEMROOT", "CC", "CXX", "OASST_VAR_DIR", "TRAINING_",
    "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "NCCL_", "GLOO_", "TORCH_", "PYTORCH_", "TRITON_",
    "OMP_", "MKL_", "OPENBLAS_", "KMP_", "ACCELERATE_", "HF_", "TRANSFORMERS_", "TOKENIZERS_",
    "BITSANDBYTES_", "BNB_",
)  # fmt: skip
# Among those.
SECRET = ("TOKEN", "SECRET", "PASSWORD", "KEY")
LOG_TAIL_BYTES = 8_000
# What the newest attempt printed, beside the log that it keeps itself.
OUTPUT = "output.txt"
# How long a program that lost its worker may take to save before it is killed.
ORPHAN_GRACE_S = 15 * 60
# Tells the program, and whoever finds it, which process follows it.
FOLLOWER = "TRAINING_FOLLOWER"


class Stopped(Exception):
    """This process is to end. What the run has learned is saved, and it waits to go on."""


def run_now(run: TrainingRun, *, should_stop: Callable[[], bool] = lambda: False) -> TrainingRun:
    """Run a waiting run in this process until it ends; if a worker has it, wait for that one.

    One that broke off is gone on with here, three times at most. Raises Stopped.
    """
    while True:
        try:
            if not attempt(run, should_stop=should_stop):
                raise Stopped("It was asked to end. What it learned is saved.")
        except RunUnderWay:
            if should_stop():
                raise Stopped("It was asked to end while another process had the run.") from None
            # Cron may be away, and whoever had it may be dead.
            runs.reap(now=timezone.now(), is_alive=is_alive)
            time.sleep(TICK_S)
        run.refresh_from_db()
        if run.is_final:
            return run


def attempt(run: TrainingRun, *, should_stop: Callable[[], bool] = lambda: False) -> bool:
    """Claim a run, run its program to its end and write down how it ended.

    When `should_stop` or SIGTERM, to this process or to the program, says so, the program saves
    and the run goes back to the queue; then the answer is False. Raises RunUnderWay.
    """
    run = runs.claim(run.pk, now=timezone.now())
    with _on_sigterm() as terminated:
        code = _follow(run, lambda: terminated.is_set() or should_stop())
    if code is None or (code == CANCELLED and not _is_wanted_cancelled(run)):
        runs.hand_back(run.pk, run.attempt, now=timezone.now())
        return False
    _write_end(run, code)
    return True


def _follow(run: TrainingRun, should_stop: Callable[[], bool]) -> int | None:
    """The exit code; None if the program was stopped before its end by `should_stop`."""
    process = _start(run)
    follower = Follower(run)
    is_stopping = False
    try:
        while process.poll() is None:
            is_lost = not _tick(run, follower, process.pid)
            if not is_stopping and (is_lost or should_stop()):
                logger.warning("run %s: stopping, lost: %s", run.pk, is_lost)
                is_stopping = True
                process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(TICK_S)
    finally:
        if process.poll() is None:  # something went wrong here
            process.terminate()
            process.wait()
    _tick(run, follower, process.pid)
    return None if is_stopping and process.returncode != DONE else process.returncode


def _tick(run: TrainingRun, follower: Follower, pid: int) -> bool:
    """Copy what is new and renew the lease; a database that is away for a while is no reason to
    end a program that works. False if the run is somebody else's by now."""
    try:
        is_mine = runs.renew(run, pid=pid, **follower.look())
    except DatabaseError as error:
        logger.warning("run %s: not followed for now: %s", run.pk, type(error).__name__)
        connection.close()
        return True
    if run.cancel_requested and not run.folder.is_cancelled:
        run.folder.cancel()
    return is_mine


def _start(run: TrainingRun) -> subprocess.Popen[bytes]:
    folder = run.folder.make()
    write_whole(folder.config, run.config_yaml)
    words = [
        *settings.TRAINING_COMMAND,
        run.stage,
        str(folder.config),
        "--run-dir",
        str(folder.path),
    ]
    with (folder.path / OUTPUT).open("wb") as output:
        return subprocess.Popen(
            tied_to_parent(words),
            cwd=settings.BASE_DIR,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if _may_know(name)}
    folders = {"RUNS_DIR": settings.RUNS_DIR, "MODELS_DIR": settings.MODELS_DIR}
    found = {name: str(Path(path).resolve()) for name, path in folders.items()}
    return kept | found | {FOLLOWER: str(os.getpid())}


def _may_know(name: str) -> bool:
    is_known = any(name.startswith(k) if k.endswith("_") else name == k for k in KNOWN)
    return is_known and not any(word in name.split("_") for word in SECRET)


@contextmanager
def _on_sigterm() -> Iterator[threading.Event]:
    """Note SIGTERM instead of dying of it, where this is the main thread."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)


# The end


def _write_end(run: TrainingRun, code: int) -> None:
    now = timezone.now()
    if code == DONE:
        # Both or neither: a run that is done without its model would be so for ever.
        with transaction.atomic():
            if runs.finish(run.pk, run.attempt, RunState.DONE, now=now):
                registry.register(run)
    elif code == CANCELLED:
        saved = _("Cancelled at step %d. What it learned is saved.") % run.step
        runs.finish(run.pk, run.attempt, RunState.CANCELLED, now=now, message=saved)
    elif code < 0:
        why = _("The program was killed (%s).") % signal.Signals(-code).name
        if -code == signal.SIGKILL:
            why += " " + _("Often that means that the machine's memory ran out.")
        runs.lose(run.pk, run.attempt, why=why, now=now)
    else:
        message = _said(run.folder) or _("The program ended with status %d.") % code
        runs.finish(run.pk, run.attempt, RunState.FAILED, now=now, message=message)


def _is_wanted_cancelled(run: TrainingRun) -> bool:
    """Somebody's wish, and no SIGTERM that reached the program before its follower, as when a
    whole group of processes is asked to end."""
    return run.cancel_requested or run.folder.is_cancelled


def _said(folder: RunDir) -> str:
    """What the program said at its end: in its status, else in the last line that it printed."""
    status = folder.read_status()
    if status is not None and status.state == "failed" and status.message:
        return status.message
    lines = tail(folder.path / OUTPUT).strip().splitlines()
    return lines[-1] if lines else ""


def tail(path: Path, *, size_bytes: int = LOG_TAIL_BYTES) -> str:
    """The end of a text file, in whole lines; nothing if it is not there."""
    try:
        with path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - size_bytes))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return text.partition("\n")[2] if length > size_bytes else text


# Orphans


def is_alive(run: TrainingRun) -> bool:
    """Whether the program of a run lives on this machine. One that outlived its follower and does
    not end is killed, with all that it has started."""
    process = _program(run)
    if process is None:
        return False
    overdue_s = (timezone.now() - run.lease_until).total_seconds() if run.lease_until else 0.0
    if overdue_s > ORPHAN_GRACE_S and not _is_followed(process):
        _kill(process)
    return True


def _is_followed(process: psutil.Process) -> bool:
    """Whether who started it lives: then the database was away, or the machine slept."""
    try:
        return process.environ().get(FOLLOWER) == str(process.ppid())
    except psutil.Error:  # it is gone, or somebody else's: there is nothing to kill
        return True


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def _program(run: TrainingRun) -> psutil.Process | None:
    """The process, if it is still the one that was started: numbers are used again."""
    if run.pid is None or run.host != socket.gethostname():
        return None
    try:
        process = psutil.Process(run.pid)
        is_ours: Any = str(run.folder.path) in process.cmdline()
        return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
