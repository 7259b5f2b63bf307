"""Runs that are done in the test's own process: the real pipelines, without starting programs."""

from django.utils import timezone

from training import outcome, registry, runs
from training.enums import RunState
from training.following import Follower
from training.models import TrainingRun


def in_process(run: TrainingRun) -> TrainingRun:
    """What `execution.run_now` does, but for the child process."""
    from training import config as configs

    claimed = runs.claim(run.pk, now=timezone.now())
    folder = claimed.folder.make()
    follower = Follower(claimed)
    code = outcome.guarded(configs.build(claimed.config), folder)
    runs.renew(claimed, **follower.look())
    status = folder.read_status()
    state = {outcome.DONE: RunState.DONE, outcome.CANCELLED: RunState.CANCELLED}.get(
        code, RunState.FAILED
    )
    message = status.message if status else ""
    runs.finish(claimed.pk, claimed.attempt, state, now=timezone.now(), message=message)
    run.refresh_from_db()
    if state == RunState.DONE:
        registry.register(run)
    return run
