"""The schedule names jobs that exist, and each falls due after its period."""

import inspect

import pytest
from django.utils.module_loading import import_string

from oasst.cron import LONG_JOBS, SCHEDULE_S
from oasst.lib.management.commands.cron import due


@pytest.mark.parametrize("path", SCHEDULE_S)
def test_scheduled_job_exists_and_needs_no_argument(path: str) -> None:
    parameters = inspect.signature(import_string(path)).parameters.values()

    assert all(parameter.default is not parameter.empty for parameter in parameters)


def test_long_jobs_are_on_the_schedule() -> None:
    assert set(SCHEDULE_S) >= LONG_JOBS


def test_every_job_is_due_at_the_start() -> None:
    assert due({"a": 30, "b": 3600}, {}, now=0.0) == ["a", "b"]


def test_a_job_is_due_again_only_after_its_period() -> None:
    last_run = {"a": 100.0, "b": 100.0}

    assert due({"a": 30, "b": 3600}, last_run, now=129.9) == []
    assert due({"a": 30, "b": 3600}, last_run, now=130.0) == ["a"]
