"""The folder of a run: whole files only, whatever happens while they are written."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training import rundir
from training.rundir import RunDir


def test_a_checkpoint_that_is_half_written_is_not_the_last(tmp_path: Path) -> None:
    run = RunDir(tmp_path).make()
    (run.checkpoints / "checkpoint-5").mkdir()
    being_written = rundir.half(run.checkpoints / "checkpoint-10")
    being_written.mkdir()

    assert run.last_checkpoint() == run.checkpoints / "checkpoint-5"

    rundir.publish(being_written, run.checkpoints / "checkpoint-10")

    assert run.last_checkpoint() == run.checkpoints / "checkpoint-10"
    assert not being_written.exists()


def test_checkpoints_are_ordered_by_number(tmp_path: Path) -> None:
    run = RunDir(tmp_path).make()
    for step in (9, 10, 100):
        (run.checkpoints / f"checkpoint-{step}").mkdir()

    assert run.last_checkpoint() == run.checkpoints / "checkpoint-100"


def test_older_checkpoints_are_dropped_whole(tmp_path: Path) -> None:
    run = RunDir(tmp_path).make()
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-100", "checkpoint-200.half"):
        (run.checkpoints / name).mkdir()

    run.drop_older(2)

    left = sorted(path.name for path in run.checkpoints.iterdir())
    assert left == ["checkpoint-10", "checkpoint-100", "checkpoint-200.half"]
    run.drop_older(0)
    assert run.last_checkpoint() == run.checkpoints / "checkpoint-100"


_DROP = """
import os, shutil, sys
from pathlib import Path
from training.rundir import RunDir
removed = os.unlink
def killed(*given, **how):
    removed(*given, **how)
    os.kill(os.getpid(), 9)
os.unlink = killed
RunDir(Path(sys.argv[1])).drop_older(1)
"""


def test_a_kill_while_one_is_dropped_leaves_no_part_under_its_name(tmp_path: Path) -> None:
    run = RunDir(tmp_path).make()
    for step in (1, 2):
        (run.checkpoints / f"checkpoint-{step}").mkdir()
        for name in "ab":
            (run.checkpoints / f"checkpoint-{step}" / name).touch()

    ended = subprocess.run([sys.executable, "-c", _DROP, str(tmp_path)], check=False)

    assert ended.returncode == -signal.SIGKILL
    assert not (run.checkpoints / "checkpoint-1").exists()
    assert len(list((run.checkpoints / "checkpoint-1.half").iterdir())) == 1


def test_publishing_replaces_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "old").touch()
    being_written = rundir.half(tmp_path / "final")
    being_written.mkdir()
    (being_written / "new").write_text("new")

    rundir.publish(being_written, tmp_path / "final")

    assert [path.name for path in tmp_path.iterdir()] == ["final"]
    assert [path.name for path in (tmp_path / "final").iterdir()] == ["new"]


def test_a_kill_while_a_checkpoint_is_replaced_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it comes: before each of the two renamings and before the old one is removed."""
    run = RunDir(tmp_path).make()
    for at, left in enumerate(["old", "old", "new"]):
        path = write(run.checkpoints / "checkpoint-5", "old")
        rundir.publish(path, run.checkpoints / "checkpoint-5")
        die_at(at, monkeypatch)
        with pytest.raises(Killed):
            rundir.publish(write(run.checkpoints / "checkpoint-5", "new"), path.with_suffix(""))
        monkeypatch.undo()

        rundir.tidy(run.path)

        assert [path.name for path in run.checkpoints.iterdir()] == ["checkpoint-5"]
        assert (run.last_checkpoint() / "text").read_text() == left


class Killed(BaseException):
    pass


def write(path: Path, text: str) -> Path:
    being_written = rundir.half(path)
    being_written.mkdir()
    (being_written / "text").write_text(text)
    return being_written


def die_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Die where a folder would be renamed or removed for the `number`th time."""
    left = iter(range(number, -1, -1))

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def act(path: Path, *args: Any, **options: Any) -> Any:
            if path.exists() and next(left) == 0:
                raise Killed
            return real(path, *args, **options)

        return act

    monkeypatch.setattr(Path, "rename", counted(Path.rename))
    monkeypatch.setattr(rundir.shutil, "rmtree", counted(shutil.rmtree))


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    run = RunDir(tmp_path).make()
    run.add_metrics(1, {"loss": 2.5})
    with run.metrics.open("a") as file:
        file.write('{"step": 2, "lo')

    assert [row["step"] for row in rundir.read_lines(run.metrics)] == [1]


def test_a_resumed_run_forgets_what_it_will_log_again(tmp_path: Path) -> None:
    run = RunDir(tmp_path).make()
    for step in (1, 2, 3):
        run.add_metrics(step, {"loss": 1.0 / step})
        run.add_samples(step, "Hello", [{"text": "Hi"}])

    run.forget_after(2)

    assert [row["step"] for row in rundir.read_lines(run.metrics)] == [1, 2]
    assert [row["step"] for row in rundir.read_lines(run.samples)] == [1, 2]


def test_a_wish_to_cancel_can_be_taken_back(tmp_path: Path) -> None:
    run = RunDir(tmp_path).make()
    assert not run.is_cancelled

    run.cancel()
    assert run.is_cancelled

    run.allow()
    assert not run.is_cancelled


def test_the_status_is_what_was_written_last(tmp_path: Path) -> None:
    run = RunDir(tmp_path).make()
    assert run.read_status() is None

    run.write_status("running", step=3, max_steps=10)
    run.write_status("failed", step=4, max_steps=10, message="The disk is full.")

    status = run.read_status()
    assert (status.state, status.step, status.message) == ("failed", 4, "The disk is full.")
    assert [path.name for path in tmp_path.glob("status*")] == ["status.json"]
    assert json.loads((tmp_path / "status.json").read_text())["max_steps"] == 10
