"""A snapshot that is asked for on a page is made once, whatever dies meanwhile, and watched."""

from pathlib import Path

import pytest
from django.core.cache import cache
from pytest_django import DjangoCaptureOnCommitCallbacks

from oasst.accounts.models import User
from oasst.lib import queue
from tasks_app.enums import TreeState
from tests.elsewhere import held_elsewhere
from tests.factories import NOW, grow
from tests.training import given
from training import snapshot_requests
from training.errors import SnapshotExists
from training.jobs import make_snapshot, reap_snapshot_requests
from training.models import Snapshot, SnapshotRequest
from training.snapshot_requests import Wish

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


@pytest.fixture
def trees() -> None:
    for lang in ("en", "en", "de"):
        grow("P(A)", state=TreeState.READY_FOR_EXPORT, lang=lang)


def ask(name: str = "june", wish: Wish | None = None, *, by: User | None = None) -> SnapshotRequest:
    return snapshot_requests.ask(name, wish or Wish(), now=NOW, by=by)


def unmade(request: SnapshotRequest) -> SnapshotRequest:
    """The request, after a worker had its turn."""
    make_snapshot(request.pk)
    request.refresh_from_db()
    return request


@pytest.mark.usefixtures("trees")
def test_a_worker_makes_what_was_asked_for(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, root: User
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        ask(wish=Wish(("en",), synthetic=True, gate=False, scrub_pii=True), by=root)

    made = Snapshot.objects.get()
    assert (made.name, made.counts["trees"], made.created_by) == ("june", 2, root)
    assert made.filter["trees"]["langs"] == ["en"]
    assert (made.filter["gate"], "synthetic" in made.filter["trees"]) == (None, False)
    assert made.filter["scrub_pii"]
    assert not SnapshotRequest.objects.exists()


def test_a_name_is_given_once() -> None:
    given.snapshot("may")
    ask("june")

    for name in ("may", "june"):
        with pytest.raises(SnapshotExists, match=name):
            ask(name)


@pytest.mark.usefixtures("trees")
def test_what_fails_says_why_and_is_asked_for_again(runs_dir: Path) -> None:
    runs_dir.mkdir()
    in_the_way = runs_dir / "snapshots"
    in_the_way.write_text("no folder")
    request = ask()

    with pytest.raises(FileExistsError):
        make_snapshot(request.pk)
    request.refresh_from_db()
    assert (request.state, request.message[:16]) == ("failed", "FileExistsError:")
    make_snapshot(request.pk)  # RQ's second try has nothing to do
    in_the_way.unlink()
    again = ask()
    assert (again.pk, again.state, again.message) == (request.pk, "queued", "")
    make_snapshot(again.pk)

    assert Snapshot.objects.get().counts["trees"] == 3


def test_a_folder_of_that_name_is_left_alone(runs_dir: Path) -> None:
    older = runs_dir / "snapshots" / "june"
    older.mkdir(parents=True)

    request = unmade(ask())

    assert (request.state, "june" in request.message) == ("failed", True)
    assert older.is_dir()


def test_only_what_failed_is_dismissed() -> None:
    ask("waits")
    SnapshotRequest.objects.filter(pk=ask("fails").pk).update(state="failed")

    for name in ("waits", "fails", "never asked for"):
        snapshot_requests.withdraw(name)

    assert [request.name for request in SnapshotRequest.objects.all()] == ["waits"]


@pytest.mark.django_db(transaction=True)
def test_one_process_makes_it_at_a_time() -> None:
    with queue.silent():
        request = ask()

    with held_elsewhere(f"training.snapshot.{request.pk}"):
        assert unmade(request).state == "queued"
        assert snapshot_requests.reap() == 0

    assert snapshot_requests.reap() == 1
    assert Snapshot.objects.get().name == "june"


@pytest.mark.usefixtures("trees")
def test_a_dead_worker_is_followed_by_others_until_it_is_enough(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    request = ask()
    SnapshotRequest.objects.update(state="running", attempt=3)

    with django_capture_on_commit_callbacks(execute=True):
        reap_snapshot_requests()
    request.refresh_from_db()
    assert (request.state, request.message) == ("failed", "Its worker died 3 times.")

    assert ask().attempt == 0
    SnapshotRequest.objects.update(state="running", attempt=2)
    with django_capture_on_commit_callbacks(execute=True):
        reap_snapshot_requests()
    assert Snapshot.objects.get().counts["trees"] == 3


def test_a_worker_that_died_after_its_last_word_leaves_nothing_to_do() -> None:
    request = ask()
    SnapshotRequest.objects.update(state="running", attempt=1)
    given.snapshot("june")

    make_snapshot(request.pk)

    assert not SnapshotRequest.objects.exists()
    assert Snapshot.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("trees")
def test_how_far_it_is_is_told_although_the_reading_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot_requests, "TELL_EVERY_S", 0.0)
    with queue.silent():
        request = ask()

    make_snapshot(request.pk)

    request.attempt, request.trees = 1, 9
    assert snapshot_requests.trees_read(request) == 3
    cache.clear()
    assert snapshot_requests.trees_read(request) == 0
