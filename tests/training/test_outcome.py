"""However a run ends, the status says why in words, and what was learned is not lost."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fasteners import InterProcessLock

from tests.training import ppo_given, programs, small
from training import config as configs
from training import outcome, rundir, trainers
from training.rundir import RunDir
from training.stopping import LossNotFinite

pytestmark = pytest.mark.slow
STAGES = ["sft", "rm", "dpo", "ppo", "rloo", "grpo"]
ONLINE = ["ppo", "rloo", "grpo"]  # one stage, of three algorithms
COMPARING = {"prompts": 4, "per_prompt": 2}  # two answers to each prompt


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path / "run").make()


def test_sigterm_saves_and_ends(tmp_path: Path, run: RunDir) -> None:
    config = small.config(
        "sft", tmp_path, optim={"max_steps": 2000}, output={"save_every": 1000, "eval_every": 1000}
    )
    programs.when(
        lambda: programs.step_of(run) >= 2, do=lambda: os.kill(os.getpid(), signal.SIGTERM)
    )

    assert outcome.guarded(config, run) == outcome.CANCELLED

    status = run.read_status()
    assert status.state == "cancelled"
    assert run.last_checkpoint() == run.checkpoints / f"checkpoint-{status.step}"
    assert not run.final.exists()


def test_a_cancelled_run_ends_before_it_begins_and_can_be_allowed(
    tmp_path: Path, run: RunDir
) -> None:
    config = small.config("sft", tmp_path)
    run.cancel()

    assert outcome.guarded(config, run) == outcome.CANCELLED
    assert run.last_checkpoint() is None

    run.allow()
    assert outcome.guarded(config, run) == outcome.DONE
    assert run.read_status().state == "done"
    assert (run.final / "training.json").is_file()


def test_two_programs_do_not_work_in_one_folder(tmp_path: Path, run: RunDir) -> None:
    """The second has been cancelled: it ends once it is its turn, before it loads libraries."""
    path = tmp_path / "config.yaml"
    path.write_text(configs.to_yaml(small.config("sft", tmp_path)))
    run.cancel()
    with InterProcessLock(run.lock):
        child = subprocess.Popen(programs.command("sft", path, run), stderr=subprocess.PIPE)
        assert b"another program works in" in child.stderr.readline()
        assert run.read_status() is None

    child.communicate(timeout=programs.PATIENCE_S)
    assert child.returncode == outcome.CANCELLED
    assert run.read_status().state == "cancelled"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run that is done; its data lies beside its folder."""
    folder = tmp_path_factory.mktemp("done")
    run = RunDir(folder / "run").make()
    assert outcome.guarded(small.config("sft", folder), run) == outcome.DONE
    return run


def test_a_finished_run_is_not_run_again(done: RunDir) -> None:
    before = (done.final / "training.json").stat().st_mtime_ns, done.metrics.read_text()

    assert outcome.guarded(small.config("sft", done.path.parent), done) == outcome.DONE

    after = (done.final / "training.json").stat().st_mtime_ns, done.metrics.read_text()
    assert after == before


@pytest.mark.parametrize("stage", ["sft", "rm"])
def test_a_loss_that_is_no_number_stops_the_run_with_its_batch(
    stage: str, tmp_path: Path, run: RunDir
) -> None:
    config = small.config(stage, tmp_path, optim={"lr": 1e30}, output={"save_every": 1})

    assert outcome.guarded(config, run) == outcome.FAILED

    status = run.read_status()
    assert "Start again with a lower optim.lr (it is 1e+30)" in status.message
    batch = json.loads((run.path / "bad-batch.json").read_text())
    assert len(batch["texts"]) == len(batch["input_ids"]) == (2 if stage == "sft" else 4)
    assert "sat" in batch["texts"][0]
    assert not run.final.exists()


def config_of(stage: str, folder: Path, **changes: Any) -> Any:
    if stage not in ONLINE:
        return small.config(stage, folder, **changes)
    rollout = {} if stage == "ppo" else COMPARING
    plain = {"algorithm": stage, "rollout": rollout}
    return ppo_given.ppo(folder, small.model(folder), **plain | changes)


@pytest.mark.parametrize(
    "stage", [pytest.param(stage, marks=[pytest.mark.full] * (stage == "grpo")) for stage in STAGES]
)
def test_a_full_disk_leaves_whole_checkpoints_and_a_run_that_goes_on(
    stage: str, tmp_path: Path, run: RunDir
) -> None:
    config = config_of(stage, tmp_path)

    with files_of(300_000):  # enough for a checkpoint, too few for merged weights
        assert outcome.guarded(config, run) == outcome.FAILED

    status = run.read_status()
    assert status.state == "failed"
    assert status.message.startswith(f"The disk is full: {run.path} could not be written to")
    assert run.last_checkpoint() == run.checkpoints / f"checkpoint-{config.optim.max_steps}"
    assert not list(run.path.rglob("*.half"))
    assert not run.final.exists()

    assert outcome.guarded(config, run) == outcome.DONE
    rows = [(row["step"], row["phase"]) for row in rundir.read_lines(run.metrics)]
    assert len(rows) == len(set(rows))


@pytest.mark.full
@pytest.mark.parametrize(
    ("stage", "model", "room"),
    [
        ("sft", {"lora": None}, 300_000),
        ("rm", {"lora": None}, 300_000),
        ("dpo", {"lora": None}, 300_000),
        *((stage, {}, 30_000) for stage in ONLINE),
    ],
)
def test_a_checkpoint_that_does_not_fit_leaves_none(
    stage: str, model: dict[str, Any], room: int, tmp_path: Path, run: RunDir
) -> None:
    config = config_of(stage, tmp_path, model=model)

    with files_of(room):
        assert outcome.guarded(config, run) == outcome.FAILED

    assert run.read_status().message.startswith("The disk is full")
    assert list(run.checkpoints.iterdir()) == []


@contextmanager
def files_of(size_bytes: int) -> Iterator[None]:
    """No file may grow beyond it, as where a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.full
@pytest.mark.parametrize("stage", STAGES)
def test_too_little_memory_is_said_with_what_to_change(
    stage: str, tmp_path: Path, run: RunDir
) -> None:
    child = programs.start(hungry(stage, tmp_path, 4096), run, more_memory=200 * 2**20)

    assert programs.end_of(child, run) == outcome.FAILED
    assert "Lower optim.batch_size and raise optim.grad_accum" in run.read_status().message
    again = hungry(stage, tmp_path, 4)
    assert trainers.begin(run, again) is None  # and does not refuse it


def hungry(stage: str, folder: Path, at_once: int) -> Any:
    """A config that learns from 4096 examples a step, so many of them at once."""
    if stage in ONLINE:
        each = 1 if stage == "ppo" else 2
        return config_of(
            stage,
            folder,
            rollout={"prompts": 4096 // each, "per_prompt": each, "batch_size": at_once},
            loss={"minibatch": 4096, "micro_batch": at_once},
        )
    optim = {"batch_size": at_once, "grad_accum": 4096 // at_once}
    config = config_of(stage, folder, data={"max_length": 1024}, optim=optim)
    (small.conversations if stage == "sft" else small.pairs)(folder, count=5000)
    return config


def test_another_config_for_the_same_folder_is_refused(done: RunDir) -> None:
    other = small.config("sft", done.path.parent, optim={"lr": 0.5}, seed=7)

    assert outcome.guarded(other, done) == outcome.WRONG_CONFIG

    assert "holds a run with another config (optim.lr, seed)" in done.read_status().message


def test_other_data_in_the_same_file_is_refused(done: RunDir, tmp_path: Path) -> None:
    broken_off = RunDir(shutil.copytree(done.path, tmp_path / "run"))
    shutil.rmtree(broken_off.final)
    config = small.config("sft", done.path.parent)
    small.conversations(done.path.parent, count=41)

    assert outcome.guarded(config, broken_off) == outcome.WRONG_CONFIG
    assert "(the data itself)" in broken_off.read_status().message


def test_too_little_data_is_not_trained_on(tmp_path: Path, run: RunDir) -> None:
    config = small.config("sft", tmp_path, data={"min_examples": 1000})

    assert outcome.guarded(config, run) == outcome.WRONG_CONFIG
    assert run.read_status().state == "failed"
    assert "1000" in run.read_status().message
    assert run.last_checkpoint() is None

    assert outcome.guarded(small.config("sft", tmp_path), run) == outcome.DONE


def test_an_error_of_a_library_reads_as_what_it_means(run: RunDir) -> None:
    memory = RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate")
    assert outcome.explain(memory, run).startswith("RuntimeError")
    memory = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 GB")
    assert outcome.explain(memory, run).startswith("The memory did not suffice")
    disk = OSError(28, "No space left on device")
    assert outcome.explain(disk, run).startswith("The disk is full")
    assert outcome.explain(LossNotFinite("It blew up."), run) == "It blew up."
