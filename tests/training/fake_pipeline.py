"""A program that obeys the contract of a run's folder and does nothing else, as `python -m
training` would be called: STAGE CONFIG --run-dir DIR.

The config's name says how it behaves; each step takes STEP_S seconds, and is a checkpoint.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from training import config as configs
from training import rundir
from training.rundir import RunDir

STEP_S = float(os.environ.get("TRAINING_FAKE_STEP_S", "0.05"))
CANCELLED, WRONG = 3, 2
terminated = False


def main() -> int:
    stage, config_path, _flag, folder = sys.argv[1:5]
    config = configs.load(config_path, stage=stage)
    run = RunDir(Path(folder)).make()
    with (run.path / "starts.txt").open("a") as file:
        file.write(f"{os.getpid()}\n")
    sys.stdout.write(f"fake {stage} in {Path.cwd()}\n")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, _note)
    if config.name == "refuses":
        run.write_status("failed", message="Only 3 examples: at least 8 are needed.")
        return WRONG
    return _train(run, config.name, config.optim.max_steps)


def _note(*_arguments: object) -> None:
    global terminated
    terminated = True


def _train(run: RunDir, name: str, steps: int) -> int:
    saved = run.last_checkpoint()
    first = rundir.step_of(saved) if saved else 0
    run.forget_after(first)
    for step in range(first + 1, steps + 1):
        time.sleep(STEP_S)
        loss = float("nan") if name == "nan" and step == 3 else 2.0 / step
        run.add_metrics(step, {"loss": loss})
        run.add_metrics(step, {"learning_rate": 1e-3})
        if step % 5 == 0:
            run.add_metrics(step, {"eval_loss": 2.5 / step}, phase="eval")
            run.add_samples(step, "Why is the sky blue?", [{"text": f"Light, {step} times."}])
        if name == "crashes" or (name == "crashes-once" and not saved and step == 3):
            _save(run, step)
            os.kill(os.getpid(), signal.SIGKILL)
        if terminated or run.is_cancelled:
            _save(run, step)
            run.write_status("cancelled", step=step, max_steps=steps)
            return CANCELLED
        run.write_status("running", step=step, max_steps=steps)
        _save(run, step)
    run.write_status("done", step=steps, max_steps=steps)
    return 0


def _save(run: RunDir, step: int) -> None:
    path = run.checkpoints / f"{rundir.PREFIX}{step}"
    half = rundir.half(path)
    half.mkdir()
    rundir.publish(half, path)


if __name__ == "__main__":
    sys.exit(main())
