"""The life of a run in the table: who may take it, and how it ends."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from oasst.accounts.models import User
from tests.training import given
from training import runs, snapshots
from training.enums import RunState
from training.errors import NotCancellable, NotResumable, RunUnderWay, SnapshotSuperseded
from training.models import Metric, Round, Snapshot, TrainingRun

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


def _expire(run: TrainingRun) -> None:
    past = timezone.now() - timedelta(seconds=1)
    TrainingRun.objects.filter(pk=run.pk).update(lease_until=past)


def _waiting_jobs() -> list[str]:
    return django_rq.get_queue("training").job_ids


def test_a_queued_run_keeps_its_config_and_calls_a_worker_once(
    alice: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        run = given.queued("fine", wake=True, by=alice)
    runs.call_worker(run.pk, 1)

    assert (run.state, run.name, run.config["optim"]["max_steps"]) == ("queued", "fine", 6)
    assert run.folder.path.name == f"fine-{run.pk.hex[:8]}"
    assert _waiting_jobs() == [f"run-{run.pk}-1"]


def test_two_runs_of_one_config_have_folders_of_their_own() -> None:
    assert given.queued().run_dir != given.queued().run_dir


def test_a_run_is_claimed_once() -> None:
    run = given.queued()

    claimed = runs.claim(run.pk, now=timezone.now())

    assert (claimed.state, claimed.attempt) == (RunState.RUNNING, 1)
    with pytest.raises(RunUnderWay):
        runs.claim(run.pk, now=timezone.now())


def test_only_the_newest_attempt_may_end_a_run() -> None:
    run = runs.claim(given.queued().pk, now=timezone.now())
    _expire(run)
    runs.reap(now=timezone.now(), is_alive=lambda _run: False)
    second = runs.claim(run.pk, now=timezone.now())

    assert not runs.finish(run.pk, run.attempt, RunState.DONE, now=timezone.now())
    assert not runs.renew(run)
    assert runs.finish(run.pk, second.attempt, RunState.DONE, now=timezone.now())
    assert TrainingRun.objects.get().state == RunState.DONE


def test_an_abandoned_run_waits_for_its_program_to_end() -> None:
    run = runs.claim(given.queued().pk, now=timezone.now())
    _expire(run)

    assert runs.reap(now=timezone.now(), is_alive=lambda _run: True) == 0
    run.refresh_from_db()
    assert run.state == RunState.RUNNING


def test_a_run_with_a_lease_is_not_reaped() -> None:
    runs.claim(given.queued().pk, now=timezone.now())

    assert runs.reap(now=timezone.now(), is_alive=lambda _run: False) == 0


def test_a_run_that_breaks_off_three_times_fails_and_says_why() -> None:
    run = given.queued()
    for _attempt in range(3):
        claimed = runs.claim(run.pk, now=timezone.now())
        runs.lose(run.pk, claimed.attempt, why="The memory ran out.", now=timezone.now())

    run.refresh_from_db()
    assert (run.state, run.attempt) == (RunState.FAILED, 3)
    assert run.message == "It broke off 3 times. The memory ran out."


def test_a_run_handed_back_has_lost_nothing() -> None:
    run = runs.claim(given.queued().pk, now=timezone.now())

    assert runs.hand_back(run.pk, run.attempt, now=timezone.now())
    run.refresh_from_db()
    assert (run.state, run.losses, run.lease_until) == (RunState.QUEUED, 0, None)


def test_a_run_that_broke_off_calls_a_worker_unless_its_round_runs_it(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    alone = runs.claim(given.queued().pk, now=timezone.now())
    found = Round.objects.create(name="round-1")
    inside = runs.claim(given.queued(round=found).pk, now=timezone.now())

    with django_capture_on_commit_callbacks(execute=True):
        runs.hand_back(alone.pk, 1, now=timezone.now())
        runs.hand_back(inside.pk, 1, now=timezone.now())

    assert _waiting_jobs() == [f"run-{alone.pk}-2"]


def test_a_waiting_run_is_cancelled_at_once() -> None:
    run = given.queued()

    runs.cancel(run.pk, now=timezone.now())

    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    with pytest.raises(NotCancellable):
        runs.cancel(run.pk, now=timezone.now())


def test_a_running_run_is_asked_to_end() -> None:
    run = runs.claim(given.queued().pk, now=timezone.now())

    runs.cancel(run.pk, now=timezone.now())

    assert run.folder.is_cancelled
    assert runs.renew(run)
    assert run.cancel_requested


def test_a_cancelled_run_can_be_gone_on_with() -> None:
    run = runs.claim(given.queued().pk, now=timezone.now())
    runs.cancel(run.pk, now=timezone.now())
    runs.finish(run.pk, run.attempt, RunState.CANCELLED, now=timezone.now())

    runs.resume(run.pk, now=timezone.now(), wake=False)

    run.refresh_from_db()
    assert (run.state, run.cancel_requested, run.ended_at) == (RunState.QUEUED, False, None)
    assert not run.folder.is_cancelled


@pytest.mark.parametrize("state", [RunState.DONE, RunState.QUEUED, RunState.RUNNING])
def test_other_runs_cannot_be_gone_on_with(state: RunState) -> None:
    run = given.queued()
    if state != RunState.QUEUED:
        run = runs.claim(run.pk, now=timezone.now())
    if state == RunState.DONE:
        runs.finish(run.pk, run.attempt, state, now=timezone.now())

    with pytest.raises(NotResumable):
        runs.resume(run.pk, now=timezone.now())


def test_a_run_that_redis_forgot_is_called_for_again() -> None:
    run = given.queued()
    TrainingRun.objects.update(queued_at=timezone.now() - timedelta(minutes=5))

    runs.reap(now=timezone.now(), is_alive=lambda _run: False)

    assert _waiting_jobs() == [f"run-{run.pk}-1"]


def test_lines_of_one_step_become_one_row_and_a_resumed_run_forgets() -> None:
    run = given.queued()
    row = {"step": 1, "phase": "train"}
    runs.log(
        run, [row | {"loss": 2.0}, row | {"lr": 0.1}, {"step": 9, "phase": "train", "loss": 1}]
    )

    runs.log(run, [row | {"loss": 3.0}], forget_after=1)

    assert [(m.step, m.values) for m in Metric.objects.all()] == [(1, {"loss": 3.0, "lr": 0.1})]


def test_a_run_knows_the_snapshot_that_its_config_reads(runs_dir: Path) -> None:
    snapshot = Snapshot.objects.create(name="first", sha256="0" * 64, path="snapshots/first")
    data = {"sources": [{"path": str(runs_dir / "snapshots" / "first")}]}

    run = runs.queue("sft", given.config(data=data), now=timezone.now(), wake=False)

    assert run.snapshot == snapshot
    assert given.queued().snapshot is None


def _reading(*sources: Path) -> dict[str, Any]:
    return {"sources": [{"path": str(source)} for source in sources]}


@pytest.mark.parametrize(
    "sources", [["old"], ["old/trees.jsonl.gz"], ["old", "new"], ["new", "old/trees.jsonl.gz"]]
)
def test_nothing_is_trained_on_what_was_erased(runs_dir: Path, sources: list[str]) -> None:
    given.snapshot("old", superseded_at=timezone.now())
    given.snapshot("new")
    data = _reading(*(runs_dir / "snapshots" / source for source in sources))

    with pytest.raises(SnapshotSuperseded, match=r"snapshot old .* make a new one"):
        runs.queue("sft", given.config(data=data), now=timezone.now(), wake=False)
    assert not TrainingRun.objects.exists()


def _supersede() -> None:
    Snapshot.objects.update(superseded_at=timezone.now())


def _reading_first(runs_dir: Path) -> TrainingRun:
    given.snapshot("first")
    data = _reading(runs_dir / "snapshots" / "first")
    return runs.queue("sft", given.config(data=data), now=timezone.now(), wake=False)


def test_a_waiting_run_whose_data_was_erased_is_not_taken(runs_dir: Path) -> None:
    run = _reading_first(runs_dir)
    _supersede()

    with pytest.raises(RunUnderWay):
        runs.claim(run.pk, now=timezone.now())

    run.refresh_from_db()
    assert (run.state, run.attempt) == (RunState.FAILED, 0)
    assert "make a new one" in run.message


def test_a_run_whose_data_was_erased_is_not_gone_on_with(runs_dir: Path) -> None:
    run = _reading_first(runs_dir)
    runs.cancel(run.pk, now=timezone.now())
    _supersede()

    with pytest.raises(SnapshotSuperseded):
        runs.resume(run.pk, now=timezone.now())
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED


def test_an_erasure_ends_the_runs_that_wait_for_the_data(runs_dir: Path, alice: User) -> None:
    run, other = _reading_first(runs_dir), given.queued()
    assert run.snapshot is not None
    run.snapshot.people.add(alice)

    snapshots.supersede(alice, now=timezone.now())

    states = [TrainingRun.objects.get(pk=found.pk).state for found in (run, other)]
    assert states == [RunState.FAILED, RunState.QUEUED]
