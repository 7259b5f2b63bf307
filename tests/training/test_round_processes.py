"""A round is in one process at a time, and outlives the deaths of some."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from rq.registry import FailedJobRegistry
from rq.results import Result

from oasst.accounts.models import User
from oasst.lib.queue import redis_client
from tests.elsewhere import held_elsewhere, may_take
from tests.sessions import SignIn
from tests.training.given_rounds import PowerCut, begin, breaking_at, config, jobs, states
from training import execution, rounds, runs
from training.enums import RoundState, RunState, StepState
from training.errors import RoundUnderWay
from training.jobs import run_round
from training.models import Round, TrainingRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def _lock_of(found: Round) -> str:
    return f"training.round.{found.pk}"


@pytest.mark.django_db(transaction=True)
def test_a_round_is_in_one_process_at_a_time(folders: Path, trees: Path) -> None:
    found = begin(config(trees))
    with held_elsewhere(_lock_of(found)):
        with pytest.raises(RoundUnderWay):
            rounds.run(found, execute=breaking_at("sft"))
        assert rounds.wake_abandoned() == []

    with pytest.raises(PowerCut):
        rounds.run(found, execute=breaking_at("sft"))


def _sft_while_the_database_was_away(run: TrainingRun, then: Callable[[], Any]) -> TrainingRun:
    """Ends the run well, on a new connection; the one that held the round is gone."""
    (run.folder.final).mkdir(parents=True)
    lineage = {"stage": "sft", "name": "x", "weights_sha256": "0" * 64}
    (run.folder.final / "training.json").write_text(json.dumps(lineage))
    connection.close()
    then()
    attempt = runs.claim(run.pk, now=timezone.now()).attempt
    runs.finish(run.pk, attempt, RunState.DONE, now=timezone.now())
    run.refresh_from_db()
    return run


@pytest.mark.django_db(transaction=True)
def test_a_round_that_another_process_took_meanwhile_is_left_to_it(
    folders: Path, trees: Path
) -> None:
    found = begin(config(trees))
    elsewhere = ExitStack()

    def execute(run: TrainingRun) -> TrainingRun:
        took = held_elsewhere(_lock_of(found))
        return _sft_while_the_database_was_away(run, lambda: elsewhere.enter_context(took))

    with elsewhere, pytest.raises(RoundUnderWay):
        rounds.run(found, execute=execute)

    assert [states(found)[kind] for kind in ("sft", "rm")] == [StepState.DONE, StepState.WAITING]
    assert Round.objects.get(pk=found.pk).state == RoundState.RUNNING


@pytest.mark.django_db(transaction=True)
def test_a_round_that_nobody_took_meanwhile_is_held_again(folders: Path, trees: Path) -> None:
    found = begin(config(trees))

    def execute(run: TrainingRun) -> TrainingRun:
        if run.stage == "sft":
            return _sft_while_the_database_was_away(run, lambda: None)
        assert run.stage == "rm"
        raise PowerCut(f"may be taken: {may_take(_lock_of(found))}")

    with pytest.raises(PowerCut, match="may be taken: False"):
        rounds.run(found, execute=execute)


@pytest.mark.django_db(transaction=True)
def test_the_config_of_a_round_at_work_stays(folders: Path, trees: Path) -> None:
    found = begin(config(trees))
    Round.objects.update(state=RoundState.RUNNING)
    with held_elsewhere(_lock_of(found)), pytest.raises(RoundUnderWay):
        begin(config(trees, "seed=7"))
    found.refresh_from_db()
    assert (found.state, found.config["seed"]) == (RoundState.RUNNING, 0)

    assert begin(config(trees, "seed=7")).config["seed"] == 7


def test_a_round_whose_process_ends_waits_for_the_next(folders: Path, trees: Path) -> None:
    def stop(run: TrainingRun) -> TrainingRun:
        raise execution.Stopped("It was asked to end.")

    found = rounds.run(begin(config(trees)), execute=stop)

    assert (found.state, states(found)["sft"]) == (RoundState.QUEUED, StepState.WAITING)
    assert begin(config(trees)) == found


def test_a_round_that_is_in_no_process_is_given_to_a_worker(trees: Path) -> None:
    lost, ended, failed = (begin(config(trees, f"name=round-{n}")) for n in "abc")
    Round.objects.filter(pk=lost.pk).update(state=RoundState.RUNNING)
    Round.objects.filter(pk=ended.pk).update(state=RoundState.DONE)
    Round.objects.filter(pk=failed.pk).update(state=RoundState.FAILED)

    assert rounds.wake_abandoned() == [lost]
    assert rounds.wake_abandoned() == []  # its job waits already
    assert jobs() == [lost.pk]


def test_a_round_whose_worker_was_killed_is_given_to_another(trees: Path) -> None:
    """RQ moves the job to those that failed, and keeps it for days."""
    found = begin(config(trees))
    rounds.call_worker(found)
    Round.objects.update(state=RoundState.RUNNING)
    queue = django_rq.get_queue("training")
    (job,) = queue.jobs
    queue.remove(job)
    FailedJobRegistry(queue=queue).add(job, exc_string="Work-horse terminated unexpectedly")

    assert rounds.wake_abandoned() == [found]
    assert jobs() == [found.pk]


@pytest.mark.django_db(transaction=True)
def test_a_round_over_which_processes_die_is_left_alone_at_last(
    folders: Path, trees: Path, sign_in: SignIn, root: User
) -> None:
    found = begin(config(trees))
    for _ in range(rounds.MOST_LOSSES):
        assert rounds.wake_abandoned() == [found]
        _die_in_a_worker(found)

    run_round(found.pk)

    found.refresh_from_db()
    assert (found.state, rounds.wake_abandoned()) == (RoundState.FAILED, [])
    assert found.message == "Its process died 3 times, the last time in the step sft."
    page = sign_in(root).get(f"/training/rounds/{found.name}/").text
    assert "Work-horse terminated unexpectedly" in page

    rounds.resume(found)
    assert (found.state, found.losses) == (RoundState.QUEUED, 0)


def _die_in_a_worker(found: Round) -> None:
    """The job of the round is taken, begins a step, and its process is killed."""
    queue = django_rq.get_queue("training")
    (job,) = queue.jobs
    queue.remove(job)

    def kill(run: TrainingRun) -> TrainingRun:
        raise PowerCut

    with pytest.raises(PowerCut):
        rounds.run(found, execute=kill)
    found.steps.filter(kind="sft").update(state=StepState.RUNNING)  # nobody lived to say so
    Round.objects.filter(pk=found.pk).update(state=RoundState.RUNNING, message="")
    words = "Work-horse terminated unexpectedly; waitpid returned 9 (signal 9); "
    FailedJobRegistry(queue=queue).add(job, exc_string=words)
    Result.create_failure(job, 60, words)


def test_a_round_that_comes_on_between_losses_goes_on(folders: Path, trees: Path) -> None:
    found = begin(config(trees))
    Round.objects.filter(pk=found.pk).update(state=RoundState.RUNNING, losses=1)

    with pytest.raises(PowerCut):
        rounds.run(found, execute=breaking_at("sft"))  # the step before was done

    found.refresh_from_db()
    assert found.losses == 0
    failed = found.steps.get(kind="sft")
    assert "in execute\n    raise PowerCut" in failed.record["traceback"]


def test_a_round_waits_for_cron_while_redis_is_away(trees: Path, settings: Settings) -> None:
    there, settings.REDIS_URL = settings.REDIS_URL, "unix:///nowhere/valkey.sock"
    redis_client.cache_clear()
    found = begin(config(trees))
    rounds.resume(found)
    settings.REDIS_URL = there
    redis_client.cache_clear()

    assert jobs() == []
    assert rounds.wake_abandoned() == [found]


def test_a_job_of_a_failed_round_does_nothing(trees: Path) -> None:
    found = begin(config(trees))
    Round.objects.filter(pk=found.pk).update(state=RoundState.FAILED)

    run_round(found.pk)
    run_round(found.pk + 1)

    found.refresh_from_db()
    assert (found.state, found.started_at) == (RoundState.FAILED, None)
