"""The demonstration's snapshot: asked for once, made by a worker."""

from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import DjangoCaptureOnCommitCallbacks

from oasst.accounts.models import User
from tasks_app.enums import TreeState
from tests.factories import grow
from training.models import Snapshot, SnapshotRequest

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


def seed() -> str:
    out = StringIO()
    call_command("seed_snapshot", stdout=out)
    return out.getvalue()


def test_a_worker_makes_the_snapshot_of_the_demonstration(
    root: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    grow("P(A)", state=TreeState.READY_FOR_EXPORT)

    with django_capture_on_commit_callbacks(execute=True):
        said = seed()

    made = Snapshot.objects.get()
    assert (made.name, made.created_by, made.counts["trees"]) == ("first-harvest", root, 1)
    assert "Asked for" in said


def test_seed_snapshot_repeated_changes_nothing_and_says_so() -> None:
    seed()

    said = seed()

    assert SnapshotRequest.objects.count() == 1
    assert "Nothing to do" in said
