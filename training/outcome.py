"""How a run ends: every end is an exit code, and a sentence in the run's status."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import shutil
from typing import Any

from fasteners import InterProcessLock

from training import rundir
from training.config import ConfigError
from training.rundir import RunDir
from training.stopping import Cancelled, LossNotFinite, stop_on_signals

logger = logging.getLogger(__name__)

DONE, FAILED, WRONG_CONFIG, CANCELLED = 0, 1, 2, 3
MODULES = {"rm": "reward"}  # of stages that are not called like their module
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def guarded(config: Any, run: RunDir) -> int:
    """Run the stage of a config and give the exit code. The status says in words what happened.

    Waits for another program that works in the folder, as one whose worker was cut off.
    """
    if os.environ.get("RANK", "0") != "0":  # the first process holds the folder for all
        return _guarded(config, run)
    lock = InterProcessLock(run.lock)
    if not lock.acquire(blocking=False):
        logger.warning("another program works in %s: waiting for its end", run.path)
        lock.acquire()
    try:
        return _guarded(config, run)
    finally:
        lock.release()


def _guarded(config: Any, run: RunDir) -> int:
    before = run.read_status()
    step, max_steps = (before.step, before.max_steps) if before else (0, 0)
    try:
        with stop_on_signals():
            if run.is_cancelled:
                raise Cancelled("It was cancelled before it began. To run it, remove its cancel.")
            run.write_status("running", step=step, max_steps=max_steps)
            _pipeline(config.stage).run(config, run)
    except Cancelled as end:
        return _end(run, "cancelled", CANCELLED, str(end))
    except ConfigError as error:
        return _end(run, "failed", WRONG_CONFIG, str(error))
    except Exception as error:  # the outer edge: whatever it was, the run says so
        logger.exception("the run failed")
        return _end(run, "failed", FAILED, explain(error, run))
    return _end(run, "done", DONE, "")


def explain(error: BaseException, run: RunDir) -> str:
    """What went wrong and what to do, for somebody who does not read tracebacks."""
    if _is_no_room(error):
        free = shutil.disk_usage(run.path).free // 2**20
        return (
            f"The disk is full: {run.path} could not be written to ({free} MiB are free). Make "
            "room, or point RUNS_DIR elsewhere, and resume: the last checkpoint is whole."
        )
    if _is_no_memory(error):
        return (
            "The memory did not suffice. Lower optim.batch_size and raise optim.grad_accum by as "
            "much (PPO: lower loss.micro_batch and rollout.batch_size), set "
            "model.gradient_checkpointing, or take model.quantization 4bit or a smaller "
            "data.max_length in a new run. All but these two may be changed when it is resumed."
        )
    return str(error) if isinstance(error, LossNotFinite) else f"{type(error).__name__}: {error}"


def _pipeline(stage: str) -> Any:
    return importlib.import_module(f"training.{MODULES.get(stage, stage)}")


def _end(run: RunDir, state: Any, code: int, message: str) -> int:
    if os.environ.get("RANK", "0") != "0":
        return code
    last = run.read_status()
    step, max_steps = (last.step, last.max_steps) if last else (0, 0)
    if message:
        logger.log(logging.ERROR if state == "failed" else logging.INFO, "%s", message)
    if state == "failed":
        rundir.tidy(run.path)  # the status needs the room
    run.write_status(state, step=step, max_steps=max_steps, message=message)
    return code


def _chain(error: BaseException | None) -> list[BaseException]:
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _is_no_room(error: BaseException) -> bool:
    """safetensors and torch write with their own code and report in words."""
    words = tuple(os.strerror(number) for number in NO_ROOM)
    return any(
        getattr(e, "errno", None) in NO_ROOM
        or any(word in str(e) for word in words)
        or "PytorchStreamWriter failed" in str(e)
        or "unexpected pos" in str(e)
        for e in _chain(error)
    )


def _is_no_memory(error: BaseException) -> bool:
    names = ("OutOfMemoryError", "MemoryError")
    return any(
        type(e).__name__ in names
        or "can't allocate memory" in str(e)
        or getattr(e, "errno", None) == errno.ENOMEM
        for e in _chain(error)
    )
