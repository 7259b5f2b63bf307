"""The program of a run as a child process, and what becomes of the run when it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django import Settings

from tests.training import given
from tests.waiting import wait_until
from training import execution, runs
from training.enums import RunState
from training.models import TrainingRun

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("runs_dir"),
    pytest.mark.slow,
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "TICK_S", 0.05)


def _ended(run: TrainingRun) -> TrainingRun:
    return execution.run_now(run)


def test_a_run_that_ends_well_is_done_with_all_it_logged() -> None:
    run = _ended(given.queued(steps=6))

    assert (run.state, run.step, run.max_steps, run.attempt) == (RunState.DONE, 6, 6, 1)
    rows = run.logged_metrics.filter(phase="train").order_by("step")
    assert [row.values["loss"] for row in rows] == [2.0 / step for step in range(1, 7)]
    assert run.metrics["loss"] == pytest.approx(2 / 6)
    assert run.metrics["eval_loss"] == 0.5
    assert execution.tail(run.folder.path / "output.txt").startswith("fake sft in")


def test_a_run_whose_result_could_not_be_registered_is_not_done_but_gone_on_with() -> None:
    run = given.queued(steps=2)
    record = run.folder.make().final / "training.json"
    record.parent.mkdir()
    record.write_text("{half")

    with pytest.raises(json.JSONDecodeError):
        execution.attempt(run)
    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    record.write_text(json.dumps({"stage": "sft", "name": "x", "weights_sha256": "a" * 64}))
    TrainingRun.objects.update(lease_until=run.queued_at)

    assert _ended(run).state == RunState.DONE
    assert run.checkpoint.weights_sha256 == "a" * 64


def test_a_config_that_is_refused_fails_with_the_programs_words() -> None:
    run = _ended(given.queued("refuses"))

    assert (run.state, run.message) == (
        RunState.FAILED,
        "Only 3 examples: at least 8 are needed.",
    )


def test_a_program_that_is_killed_goes_on_from_its_checkpoint() -> None:
    run = _ended(given.queued("crashes-once"))

    assert (run.state, run.attempt, given.starts(run)) == (RunState.DONE, 2, 2)
    assert run.logged_metrics.filter(phase="train").count() == 6


def test_a_program_that_is_always_killed_fails_after_three_attempts() -> None:
    run = _ended(given.queued("crashes"))

    assert (run.state, given.starts(run)) == (RunState.FAILED, 3)
    assert "SIGKILL" in run.message
    assert "memory" in run.message


def test_a_process_that_is_asked_to_end_leaves_the_run_waiting() -> None:
    run = given.queued(steps=200)

    with pytest.raises(execution.Stopped, match="is saved"):
        execution.run_now(run, should_stop=lambda: run.folder.last_checkpoint() is not None)

    run.refresh_from_db()
    assert (run.state, run.attempt, given.starts(run)) == (RunState.QUEUED, 1, 1)


def test_a_cancelled_program_saves_and_ends_and_can_be_gone_on_with() -> None:
    run = given.queued(steps=200)
    thread = threading.Timer(0, _cancel_at, args=[run, 2])
    thread.start()

    run = _ended(run)

    thread.join()
    assert run.state == RunState.CANCELLED
    assert "is saved" in run.message
    runs.resume(run.pk, now=run.ended_at, wake=False)
    TrainingRun.objects.update(config_yaml=run.config_yaml.replace("200", str(run.step + 2)))
    assert _ended(run).state == RunState.DONE


def _cancel_at(run: TrainingRun, step: int) -> None:
    from django.db import connection

    wait_until(lambda: TrainingRun.objects.get(pk=run.pk).step >= step)
    runs.cancel(run.pk, now=run.queued_at)
    connection.close()


def test_a_loss_that_is_no_number_is_stored_and_said() -> None:
    run = _ended(given.queued("nan"))

    assert run.logged_metrics.get(step=3).values["loss"] is None
    assert [alarm["code"] for alarm in run.alarms] == ["no_number"]


def test_a_worker_that_ends_hands_its_run_back_saved() -> None:
    run = given.queued(steps=200)

    execution.attempt(run, should_stop=lambda: run.folder.last_checkpoint() is not None)

    run.refresh_from_db()
    assert (run.state, run.losses) == (RunState.QUEUED, 0)
    assert run.folder.last_checkpoint() is not None


def test_a_terminated_process_hands_its_run_back() -> None:
    run = given.queued(steps=200)
    thread = threading.Timer(0, _terminate_this_process, args=[run])
    thread.start()

    execution.attempt(run)

    thread.join()
    run.refresh_from_db()
    assert run.state == RunState.QUEUED


def _terminate_this_process(run: TrainingRun) -> None:
    wait_until(lambda: run.folder.last_checkpoint() is not None)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_program_that_alone_is_asked_to_end_leaves_the_run_waiting() -> None:
    run = given.queued(steps=200)
    thread = threading.Timer(0, _terminate_program, args=[run])
    thread.start()

    assert not execution.attempt(run)

    thread.join()
    run.refresh_from_db()
    assert (run.state, run.losses) == (RunState.QUEUED, 0)
    assert run.folder.last_checkpoint() is not None


def _terminate_program(run: TrainingRun) -> None:
    wait_until(lambda: run.folder.last_checkpoint() is not None)
    os.kill(int((run.folder.path / "starts.txt").read_text()), signal.SIGTERM)


@pytest.mark.django_db(transaction=False)
def test_the_program_sees_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("SECRET_KEY", "DATABASE_URL", "EMAIL_HOST", "SOME_API", "HF_TOKEN",
               "AWS_ACCESS_KEY_ID")  # fmt: skip
    for name in secrets:
        monkeypatch.setenv(name, "hush")
    monkeypatch.setenv("TORCH_THREADS", "1")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")

    environment = execution.environment()

    assert "hush" not in environment.values()
    assert environment["TORCH_THREADS"] == "1"
    assert environment["TOKENIZERS_PARALLELISM"] == "false"
    assert environment["PATH"] == os.environ["PATH"]


def test_train_now_runs_to_the_end_and_status_tells_of_it(tmp_path: Path) -> None:
    file = tmp_path / "fine.yaml"
    file.write_text("name: fine\nmodel: {path: tiny}\noptim: {max_steps: 3}\n")
    out = io.StringIO()

    call_command("train", "sft", str(file), "optim.lr=1e-4", "--now", stdout=out)
    call_command("training_status", "--json", stdout=(status := io.StringIO()))

    [told] = json.loads(status.getvalue())
    assert "Done" in out.getvalue()
    assert (told["stage"], told["state"], told["step"], told["max_steps"]) == ("sft", "done", 3, 3)
    assert TrainingRun.objects.get().config["optim"]["lr"] == 1e-4


def test_train_now_that_fails_says_so(tmp_path: Path) -> None:
    file = tmp_path / "refuses.yaml"
    file.write_text("name: refuses\nmodel: {path: tiny}\n")

    with pytest.raises(CommandError, match="at least 8 are needed"):
        call_command("train", "sft", str(file), "--now", stdout=io.StringIO())


def test_train_names_a_wrong_key_and_queues_nothing(tmp_path: Path) -> None:
    file = tmp_path / "typo.yaml"
    file.write_text("name: typo\nmodel: {path: tiny}\n")

    with pytest.raises(CommandError, match=r"Did you mean optim\.lr"):
        call_command("train", "sft", str(file), "optim.lrr=1", stdout=io.StringIO())
    assert not TrainingRun.objects.exists()


# Starts a program that does not end when asked, nor by itself, with a child of its own.
STARTER = """
import os, subprocess, sys
os.environ["TRAINING_FOLLOWER"] = str(os.getpid())
idle = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[2]])"
child = subprocess.Popen([sys.executable, "-c", busy, sys.argv[1], idle])
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def overdue() -> Iterator[tuple[TrainingRun, subprocess.Popen[str], psutil.Process]]:
    """A run whose lease ended long ago, who started its program, and the program."""
    run = runs.claim(given.queued().pk, now=timezone.now())
    run.lease_until = timezone.now() - timedelta(seconds=execution.ORPHAN_GRACE_S + 1)
    words = [sys.executable, "-c", STARTER, str(run.folder.path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        run.pid = int(starter.stdout.readline())
        program = psutil.Process(run.pid)
        wait_until(program.children)
        family = [program, *program.children()]
        yield run, starter, program
        starter.kill()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def test_a_program_that_is_followed_lives_however_long_the_database_was_away(overdue: Any) -> None:
    run, _starter, program = overdue

    assert execution.is_alive(run)
    assert program.is_running()
    assert program.status() != psutil.STATUS_ZOMBIE


def test_an_orphan_that_does_not_end_is_killed_with_its_children(overdue: Any) -> None:
    run, starter, program = overdue
    [child] = program.children()
    starter.kill()
    starter.wait()

    assert execution.is_alive(run)

    psutil.wait_procs([program, child], timeout=10)
    assert not execution.is_alive(run)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_an_orphan_is_known_by_its_folder(settings: Settings) -> None:
    run = runs.claim(given.queued(steps=200).pk, now=given.queued().queued_at)
    process = execution._start(run)
    run.pid = process.pid

    wait_until(lambda: execution.is_alive(run))
    process.kill()
    process.wait()

    assert not execution.is_alive(run)
