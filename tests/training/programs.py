"""The program of a run in a process of its own, to be killed or given too little of something.

It is forked from a server that has loaded the libraries, which takes seconds, once for all tests.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from training import config as configs
from training.rundir import RunDir

PATIENCE_S = 120
SERVER = multiprocessing.get_context("forkserver")
LAUNCH = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
LOADED = ["training.__main__", "training.sft", "training.reward", "training.dpo", "training.ppo"]


def start(
    config: Any,
    run: RunDir,
    *,
    more_memory: int | None = None,
) -> BaseProcess:
    """What `python -m training` does. `more_memory` is how many bytes of addresses it may take on
    top of what the libraries have."""
    words = [config.stage, str(written(config, run)), "--run-dir", str(run.path)]
    SERVER.set_forkserver_preload(LOADED)
    log = str(run.path.with_suffix(".txt"))
    arguments = (words, log, dict(os.environ), more_memory)
    child = SERVER.Process(target=_main, args=arguments, daemon=True)
    child.start()
    return child


def _main(
    words: list[str],
    log: str,
    environment: dict[str, str],
    more_memory: int | None,
) -> None:
    from training.__main__ import main

    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if more_memory is not None:
        limit = psutil.Process().memory_info().vms + more_memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sys.exit(main(words))


def written(config: Any, run: RunDir) -> Path:
    """The config as a file beside the run's folder."""
    path = run.make().path.with_suffix(".yaml")
    path.write_text(configs.to_yaml(config))
    return path


def command(stage: str, config: Path, run: RunDir) -> list[str]:
    """What people type, and what a worker starts: it loads the libraries anew, which takes long."""
    return [sys.executable, "-m", "training", stage, str(config), "--run-dir", str(run.path)]


def launch(config: Any, run: RunDir) -> subprocess.CompletedProcess[str]:
    """The same in two processes that share the work."""
    _python, *words = command(config.stage, written(config, run), run)
    processes = str(configs.CONFIGS / "accelerate" / "cpu.yaml")
    return subprocess.run(
        [*LAUNCH, "--config_file", processes, *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )


def when(is_time: Callable[[], bool], *, do: Callable[[], None]) -> None:
    """Do something beside a run in this very process."""

    def watch() -> None:
        _wait_until(is_time)
        do()

    threading.Thread(target=watch, daemon=True).start()


def end_of(child: BaseProcess, run: RunDir) -> int:
    """Its exit code."""
    child.join(PATIENCE_S)
    assert child.exitcode is not None, run.path.with_suffix(".txt").read_text()
    return child.exitcode


def kill_when(child: BaseProcess, is_time: Callable[[], bool]) -> None:
    """kill -9, in the middle of whatever it does then."""
    wait_until(child, is_time)
    child.kill()
    child.join()


def kill_begun(config: Any, run: RunDir, is_time: Callable[[], bool]) -> None:
    """kill -9 of a program that was begun as people begin it, libraries and all."""
    words = command(config.stage, written(config, run), run)
    child = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        _wait_until(lambda: is_time() or child.poll() is not None)
    finally:
        child.kill()
    assert child.wait() == -signal.SIGKILL


def wait_until(child: BaseProcess, is_time: Callable[[], bool]) -> None:
    _wait_until(lambda: is_time() or not child.is_alive())


def _wait_until(is_time: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_time():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.002)


def step_of(run: RunDir) -> int:
    """The step that its status tells; -1 before there is one."""
    status = run.read_status()
    return status.step if status else -1
