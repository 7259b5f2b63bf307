"""Pages of training: what staff sees, what admins may do, what anybody may read."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from oasst.accounts.models import User
from tests.factories import NOW
from tests.hostile import TAG, check
from tests.sessions import HTMX, SignIn
from tests.training import given
from training import readiness, reading, runs, snapshots
from training.enums import RunState
from training.models import (
    Metric,
    Snapshot,
    SnapshotCheck,
    SnapshotRequest,
    TrainingRun,
)

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


@pytest.fixture
def staff(sign_in: SignIn, mona: User) -> Client:
    return sign_in(mona)


@pytest.fixture
def admin(sign_in: SignIn, root: User) -> Client:
    return sign_in(root)


def _running(name: str = "fine", **columns: Any) -> TrainingRun:
    """A run that logged three steps."""
    run = runs.claim(given.queued(name).pk, now=timezone.now())
    now = timezone.now().timestamp()
    rows = [{"step": s, "phase": "train", "loss": 2.0 / s, "time": now + 10 * s} for s in (1, 2, 3)]
    runs.log(run, [*rows, {"step": 3, "phase": "eval", "eval_loss": 0.9}])
    TrainingRun.objects.filter(pk=run.pk).update(step=3, max_steps=6, **columns)
    run.folder.make().log.write_text("step 3 of 6\n")
    run.folder.add_samples(3, "Why is the sky blue?", [{"text": "Because <b>light</b>."}])
    return TrainingRun.objects.get(pk=run.pk)


# Runs


def test_the_list_shows_runs_and_how_much_data_there_is(staff: Client) -> None:
    _running("fine")

    page = staff.get("/training/").content.decode()

    assert "fine" in page
    assert f"0 of {readiness.WORTH_SFT}" in page
    assert "New run" not in page


def test_older_runs_stand_on_the_next_page_whatever_comes_meanwhile(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "RUNS_A_PAGE", 2)
    queued = [given.queued(f"run {number}") for number in range(3)]
    TrainingRun.objects.update(queued_at=timezone.now())  # of one moment: ids tell them apart
    oldest, *newer = sorted(queued, key=lambda run: run.pk)

    first = staff.get("/training/")
    given.queued("meanwhile")
    second = staff.get("/training/", {"before": str(first.context["more"])})

    assert first.context["runs"] == newer[::-1]
    assert second.context["runs"] == [oldest]
    assert (second.context["more"], "Newest" in second.text) == (None, True)
    assert "Newest" not in first.text


def test_a_running_run_shows_progress_samples_log_and_curves(staff: Client) -> None:
    run = _running()

    page = staff.get(f"/training/runs/{run.pk}/").content.decode()

    assert "Step 3 of 6" in page
    assert "about 30 s left" in page
    assert "Because &lt;b&gt;light&lt;/b&gt;." in page
    assert "step 3 of 6" in page
    assert 'data-chart="loss"' in page
    assert "Save and cancel" not in page


def test_scripts_get_only_what_changes(staff: Client) -> None:
    run = _running()
    part = staff.get(f"/training/runs/{run.pk}/", headers=HTMX).content.decode()

    assert part.lstrip().startswith('<div id="live"')
    assert "Step 3 of 6" in part
    assert 'hx-trigger="every 2s"' in part
    assert "<html" not in part


def test_a_run_that_ended_refreshes_no_more_and_says_why(staff: Client) -> None:
    run = _running()
    runs.finish(run.pk, 1, RunState.FAILED, now=timezone.now(), message="The disk is full.")

    page = staff.get(f"/training/runs/{run.pk}/").content.decode()

    assert "The disk is full." in page
    assert "every 2s" not in page


def test_curves_come_as_points(staff: Client) -> None:
    run = _running()

    told = staff.get(f"/training/runs/{run.pk}/curves/").json()

    assert (told["state"], told["step"]) == ("running", 3)
    [loss] = [chart for chart in told["charts"] if chart["key"] == "loss"]
    assert loss["curves"] == [
        {"label": "training", "steps": [1, 2, 3], "values": [2.0, 1.0, pytest.approx(2 / 3)]},
        {"label": "held out", "steps": [3], "values": [0.9]},
    ]


def test_numbers_can_be_taken_along(staff: Client) -> None:
    lines = staff.get(f"/training/runs/{_running().pk}/metrics.csv").content.decode().splitlines()

    assert lines[0] == "step,phase,eval_loss,loss,time"
    assert len(lines) == 5


def test_alarms_stand_on_the_page_in_words(staff: Client) -> None:
    run = _running(
        alarms=[{"code": "kl_over_budget", "step": 9, "values": {"kl": 61, "times": 3.05}}]
    )

    page = staff.get(f"/training/runs/{run.pk}/").content.decode()

    assert "The KL is 61.0 nats, 3.0 times its budget" in page
    assert "kl.coefficient" in page


def test_runs_are_compared_with_how_their_configs_differ(staff: Client) -> None:
    one, other = _running("one"), _running("other")
    TrainingRun.objects.filter(pk=other.pk).update(config=other.config | {"seed": 7})

    page = staff.get("/training/compare/", {"run": [one.pk, other.pk]}).content.decode()

    assert "one · training" in page
    assert "+seed: 7" in page
    assert staff.get("/training/compare/", {"run": "nonsense"}).status_code == 200


def test_names_of_runs_are_words_and_no_markup(staff: Client) -> None:
    run = _running(TAG)

    for url in ("/training/", f"/training/runs/{run.pk}/", f"/training/compare/?run={run.pk}"):
        check(staff.get(url))
    told = staff.get(f"/training/runs/{run.pk}/curves/")
    assert told["Content-Type"] == "application/json"


# Acting


def test_an_admin_queues_an_edited_config(admin: Client, root: User) -> None:
    text = (
        admin.get("/training/new/", {"config": "tiny-sft"}).context["form"].initial["config_yaml"]
    )

    answer = admin.post("/training/new/", {"config_yaml": text.replace("tiny-sft", "mine")})

    run = TrainingRun.objects.get()
    assert answer["Location"] == f"/training/runs/{run.pk}/"
    assert (run.name, run.stage, run.queued_by) == ("mine", "sft", root)


def test_a_wrong_key_is_named_and_the_text_kept(admin: Client) -> None:
    answer = admin.post("/training/new/", {"config_yaml": "stage: sft\nname: x\nmodle: {path: y}"})

    assert answer.status_code == 422
    assert b"modle: unknown key. Did you mean model?" in answer.content
    assert b"modle: {path: y}" in answer.content
    assert not TrainingRun.objects.exists()


def test_a_snapshot_becomes_the_data_of_a_config(admin: Client, runs_dir: Path) -> None:
    given.snapshot("first")

    page = admin.get("/training/new/", {"config": "tiny-sft", "snapshot": "first"})

    text = page.context["form"].initial["config_yaml"]
    assert f"data:\n  sources:\n    - path: {runs_dir}/snapshots/first\n" in text


def test_a_run_is_begun_again_with_its_config_as_written(admin: Client) -> None:
    run = given.queued()
    TrainingRun.objects.update(config_yaml="# mine\n" + run.config_yaml)

    page = admin.get("/training/new/", {"like": str(run.pk)})

    assert page.context["form"].initial["config_yaml"].startswith("# mine")


def test_the_preview_says_what_is_wrong_with_the_data(admin: Client) -> None:
    text = "stage: sft\nname: x\nmodel: {path: tiny}\ndata: {sources: [{path: /no/such}]}"

    page = admin.post("/training/new/preview/", {"config_yaml": text}).content.decode()

    assert "/no/such: no such file or folder" in page
    assert not TrainingRun.objects.exists()


@pytest.mark.full
def test_the_preview_shows_what_is_learned(admin: Client) -> None:
    golden = Path(__file__).parent.parent / "golden" / "trees.jsonl"
    text = f"stage: sft\nname: x\nmodel: {{path: tiny}}\ndata: {{sources: [{{path: {golden}}}], "
    text += "eval_share: 0.0, min_examples: 1}"

    page = admin.post("/training/new/preview/", {"config_yaml": text}).text

    assert "<mark>" in page
    assert not TrainingRun.objects.exists()


def test_admins_cancel_and_go_on(admin: Client) -> None:
    run = _running()

    admin.post(f"/training/runs/{run.pk}/cancel/")
    run.refresh_from_db()
    assert run.cancel_requested
    runs.finish(run.pk, 1, RunState.CANCELLED, now=timezone.now())
    admin.post(f"/training/runs/{run.pk}/resume/")

    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    assert admin.post(f"/training/runs/{run.pk}/resume/").status_code == 409


# Snapshots


def test_an_admin_freezes_the_data_and_sees_what_changed(
    admin: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    for name in ("first", "second"):
        with django_capture_on_commit_callbacks(execute=True):
            answer = admin.post("/training/snapshots/", {"name": name, "langs": "en, de"})
        assert answer["Location"] == "/training/snapshots/"

    assert [s.filter["trees"]["langs"] for s in Snapshot.objects.all()] == [["en", "de"]] * 2
    with django_capture_on_commit_callbacks(execute=True):
        admin.post("/training/snapshots/second/changes/", {"old": "first"})
        admin.post("/training/snapshots/second/verify/")
    page = admin.get("/training/snapshots/second/").text
    assert "Trees: 0 added, 0 removed, 0 changed" in page
    assert "Unchanged: its lines have the hash on record." in page
    assert admin.get("/training/snapshots/second/files/snapshot.json").status_code == 200
    assert admin.get("/training/snapshots/second/files/people.txt").status_code == 404
    again = admin.post("/training/snapshots/", {"name": "first"})
    assert again.status_code == 422
    assert "There is a snapshot called first already." in again.text


def test_a_snapshot_that_is_made_shows_how_far(admin: Client, staff: Client) -> None:
    url = "/training/snapshots/"
    admin.post(url, {"name": "june", "gate": "on"})
    assert "It waits for a worker." in staff.get(url).text
    assert admin.post(url, {"name": "june"}).status_code == 422
    request = SnapshotRequest.objects.get()
    SnapshotRequest.objects.update(state="running", attempt=1, trees=4)
    cache.set(f"snapshot-request:{request.pk}:1", 3)

    part = staff.get(url, headers=HTMX).text

    assert part.lstrip().startswith('<div id="snapshots"')
    assert "3 of 4 trees written" in part
    assert 'hx-trigger="every 2s"' in part
    assert "<html" not in part


def test_an_admin_asks_again_for_a_snapshot_that_could_not_be_made(
    admin: Client, sign_in: SignIn, mona: User
) -> None:
    url = "/training/snapshots/"
    admin.post(url, {"name": "june"})
    SnapshotRequest.objects.update(state="failed", message="The disk is full.")

    page = sign_in(mona).get(url).text
    assert ("The disk is full." in page, "every 2s" in page) == (True, False)
    assert "Try again" not in page
    assert "Try again" in admin.get(url).text
    admin.post(f"{url}june/try-again/")
    admin.post(f"{url}june/withdraw/")

    assert SnapshotRequest.objects.get().state == "queued"


def test_texts_of_a_superseded_snapshot_are_given_to_nobody(admin: Client) -> None:
    found = given.snapshot("old", superseded_at=timezone.now())
    found.folder.mkdir(parents=True)
    for name in ("trees.jsonl.gz", "messages.parquet", "snapshot.json"):
        (found.folder / name).write_text("{}")

    url = "/training/snapshots/old/"

    page = admin.get(url).content.decode()
    assert f"{url}files/snapshot.json" in page
    assert "trees.jsonl.gz" not in page
    codes = [admin.get(f"{url}files/{name}").status_code
             for name in ("trees.jsonl.gz", "messages.parquet", "snapshot.json")]  # fmt: skip
    assert codes == [409, 409, 200]
    assert "Is it unchanged?" in page

    snapshots.remove_texts(found)

    assert "Is it unchanged?" not in admin.get(url).text
    assert admin.post(f"{url}verify/").status_code == 409
    assert not SnapshotCheck.objects.exists()


def test_a_snapshot_that_is_read_shows_how_far_until_the_answer_is_there(staff: Client) -> None:
    found = given.snapshot("june")
    staff.post("/training/snapshots/june/verify/")
    url = "/training/snapshots/june/"
    assert "It waits for a worker." in staff.get(url).text
    SnapshotCheck.objects.update(state="running", step=1, max_steps=4, lease_until=NOW)

    part = staff.get(url, headers=HTMX).text

    assert part.lstrip().startswith('<div id="checks"')
    assert "1 of 4 trees read" in part
    assert 'hx-trigger="every 2s"' in part
    assert "<html" not in part
    broken = {"broken": "june: line 3: it is no tree"}
    found.checks.update(state="done", lease_until=None, answer=broken, ended_at=NOW)
    page = staff.get(url).text
    assert "june: line 3: it is no tree" in page
    assert "every 2s" not in page


def test_only_snapshots_that_are_there_are_compared(staff: Client) -> None:
    given.snapshot("june")

    for old in ("", "june", "none", TAG):
        answer = staff.post("/training/snapshots/june/changes/", {"old": old})
        assert answer.status_code == 422
    check(answer)
    assert not SnapshotCheck.objects.exists()


def test_a_snapshot_takes_the_same_queries_however_much_was_asked(staff: Client) -> None:
    found = given.snapshot("june")

    def count(olds: list[str]) -> int:
        rows = (SnapshotCheck(snapshot=found, old=given.snapshot(n), asked_at=NOW) for n in olds)
        SnapshotCheck.objects.bulk_create(rows)
        with CaptureQueriesContext(connection) as captured:
            staff.get("/training/snapshots/june/")
        return len(captured)

    assert count(["may"]) == count(["april", "march"])


# Cost


@pytest.mark.parametrize("url", ["/training/", "/training/snapshots/", "/training/new/"])
def test_lists_take_the_same_queries_for_one_row_and_for_three(admin: Client, url: str) -> None:
    def add(name: str) -> int:
        _running(name)
        given.checkpoint(name, snapshots=[given.snapshot(name)])
        admin.get(url)
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(url).status_code == 200
        return len(captured)

    one = add("first")
    add("second")

    assert add("third") == one


def test_a_run_takes_the_same_queries_however_much_it_logged(staff: Client) -> None:
    run = _running()

    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            staff.get(f"/training/runs/{run.pk}/")
        return len(captured)

    few = count()
    Metric.objects.bulk_create(
        Metric(run=run, step=step, phase="train", values={"loss": 1.0}) for step in range(4, 400)
    )
    assert count() == few
    assert json.dumps(staff.get(f"/training/runs/{run.pk}/curves/").json())
