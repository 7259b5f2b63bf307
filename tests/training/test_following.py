"""What a run's folder says, read while it is being written."""

import json

import pytest

from tests.training import given
from training.following import Follower
from training.models import TrainingRun

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


def _losses(run: TrainingRun) -> dict[int, float]:
    return {row.step: row.values["loss"] for row in run.logged_metrics.order_by("step")}


def _write(run: TrainingRun, text: str) -> None:
    """In place, so that the file keeps its number."""
    run.folder.make().metrics.write_text(text)


def _line(step: int, loss: float) -> str:
    return json.dumps({"step": step, "phase": "train", "loss": loss}) + "\n"


def test_half_a_line_waits_for_its_end() -> None:
    run = given.queued()
    follower = Follower(run)
    _write(run, _line(1, 2.5) + _line(2, 1.5)[:10])

    follower.look()
    assert _losses(run) == {1: 2.5}
    _write(run, _line(1, 2.5) + _line(2, 1.5))
    follower.look()

    assert _losses(run) == {1: 2.5, 2: 1.5}


def test_another_file_of_the_same_number_is_read_from_its_beginning() -> None:
    run = given.queued()
    follower = Follower(run)
    _write(run, _line(1, 2.5) + _line(2, 1.5))
    follower.look()
    # Longer than what was read, and another line at the place where reading would go on.
    _write(run, _line(1, 2.123456789) + _line(2, 1.123456789) + _line(3, 1.0))

    follower.look()
    follower.look()

    assert _losses(run) == {1: 2.123456789, 2: 1.123456789, 3: 1.0}
    assert follower.run.metrics["loss"] == 1.0


def test_a_run_without_metrics_has_none() -> None:
    run = given.queued()

    assert "metrics" not in Follower(run).look()
