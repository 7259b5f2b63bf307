"""What is asked about a snapshot's files is read by a worker, once, whatever dies meanwhile."""

import gzip
import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from oasst.accounts.models import User
from tests.factories import NOW
from tests.training import given
from training import snapshot_changes, snapshot_checks, snapshot_files
from training.jobs import answer_snapshot_check, reap_snapshot_checks
from training.models import Snapshot, SnapshotCheck

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


def snapshot(name: str, texts: Iterable[str]) -> Snapshot:
    """One with files, of trees that are one message each; ids are numbers from 0."""
    rows = [_tree(number, text) for number, text in enumerate(texts) if text]
    found = given.snapshot(name)
    found.folder.mkdir(parents=True)
    with gzip.open(found.folder / snapshot_files.TREES, "wb") as stream:
        lines = snapshot_files.Hashing(stream)
        for row in rows:
            lines.write(json.dumps(row).encode() + b"\n")
    snapshot_files.write_lines(found.folder, lines)
    found.sha256, found.counts = lines.sha256, {"trees": len(rows), "messages": len(rows)}
    found.save()
    return found


def _tree(number: int, text: str) -> dict[str, Any]:
    message = {"message_id": f"t{number}", "text": text, "role": "prompter", "lang": "en"}
    return {"message_tree_id": f"t{number}", "tree_state": "growing", "prompt": message}


def ask(found: Snapshot, old: Snapshot | None = None) -> SnapshotCheck:
    return snapshot_checks.ask(found, old=old, now=NOW)


def answer(check: SnapshotCheck) -> SnapshotCheck:
    answer_snapshot_check(check.pk)
    check.refresh_from_db()
    return check


def test_a_worker_answers_what_was_asked(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, root: User
) -> None:
    old, new = snapshot("old", ["a", "b"]), snapshot("new", ["a", "c", "d"])

    with django_capture_on_commit_callbacks(execute=True):
        verified = snapshot_checks.ask(new, now=NOW, by=root)
        compared = snapshot_checks.ask(new, old=old, now=NOW)

    for check in (verified, compared):
        check.refresh_from_db()
    assert (verified.state, verified.answer, verified.asked_by) == ("done", {"broken": None}, root)
    trees = compared.answer["trees"]
    assert (trees["added"], trees["removed"], trees["changed"]) == (1, 0, 1)
    assert trees["examples"] == {"added": ["t2"], "changed": ["t1"]}
    assert compared.answer["messages"]["examples"] == trees["examples"]
    assert (compared.step, compared.max_steps, compared.lease_until) == (5, 5, None)


def test_an_answer_says_what_is_broken_and_asking_again_reads_again() -> None:
    found = snapshot("june", ["a", "b"])
    path = found.folder / snapshot_files.TREES
    whole = path.read_bytes()
    path.write_bytes(gzip.compress(gzip.decompress(whole).replace(b'"b"', b'"x"')))
    check = answer(ask(found))
    assert check.answer == {"broken": "june: line 2: tree t1 differs"}

    path.write_bytes(whole)
    again = ask(found)

    assert (again.pk, again.state, again.answer) == (check.pk, "queued", {})
    assert answer(again).answer == {"broken": None}


@pytest.mark.parametrize("damaged", [b"no gzip at all", None])
def test_files_that_cannot_be_read_end_it_with_the_reason(damaged: bytes | None) -> None:
    old, new = snapshot("old", map(str, range(200))), snapshot("new", ["a"])
    path = old.folder / snapshot_files.TREES
    path.write_bytes(damaged or _with_a_hole(path.read_bytes()))

    compared, verified = answer(ask(new, old)), answer(ask(old))

    assert compared.state == "failed"
    assert compared.message.startswith("old or new is damaged")
    assert (verified.state, compared.answer) == ("done", {})
    assert verified.answer["broken"]


def _with_a_hole(whole: bytes) -> bytes:
    middle = len(whole) // 2
    return whole[:middle] + bytes(64) + whole[middle + 64 :]


def test_what_is_being_read_is_not_begun_again() -> None:
    found = snapshot("june", ["a"])
    check = ask(found)
    SnapshotCheck.objects.update(state="running", attempt=1, lease_until=NOW + timedelta(days=9999))

    again = ask(found)
    answer_snapshot_check(check.pk)  # a second job of it

    check.refresh_from_db()
    assert (again.pk, check.state, check.attempt) == (check.pk, "running", 1)
    assert reap_snapshot_checks() is None
    check.refresh_from_db()
    assert check.state == "running"


def test_a_dead_worker_is_followed_by_others_until_it_is_enough() -> None:
    check = ask(snapshot("june", ["a"]))
    for attempt in (1, 2, 3):
        SnapshotCheck.objects.update(state="running", attempt=attempt, lease_until=NOW)
        snapshot_checks.reap()
        check.refresh_from_db()
        assert check.state == ("queued" if attempt < 3 else "failed")

    assert check.message == "Its worker died 3 times."
    assert (ask(check.snapshot).state, SnapshotCheck.objects.get().attempt) == ("queued", 0)


def test_a_worker_that_was_given_up_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_checks, "TELL_EVERY_S", 0.0)
    check = ask(snapshot("june", ["a", "b"]))
    claimed = snapshot_checks._claim(check.pk)
    assert claimed is not None
    watch = snapshot_checks._Progress(claimed)
    lines = watch([b"1", b"2", b"3"])
    next(lines)
    next(lines)
    check.refresh_from_db()
    assert check.step == 1

    SnapshotCheck.objects.update(attempt=2)  # another has it

    with pytest.raises(snapshot_checks._Lost):
        next(lines)
    snapshot_checks._end(claimed, snapshot_checks.CheckState.DONE)
    check.refresh_from_db()
    assert (check.state, check.step) == ("running", 1)


def test_a_comparison_deals_the_trees_onto_piles() -> None:
    """However many there are, memory holds one pile of each side."""
    old = snapshot("old", map(str, range(500)))
    new = snapshot("new", ("" if n % 5 == 0 else str(n + (n % 5 == 1)) for n in range(500)))
    largest = []
    read = snapshot_changes._read

    def look(pile: Path) -> snapshot_changes.Hashes:
        largest.append(len(found := read(pile)))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot_changes, "_read", look)
        trees, messages = snapshot_changes.compare(old.folder, new.folder)

    assert (trees.added, trees.removed, trees.changed) == (0, 100, 100)
    assert (messages.added, messages.removed, messages.changed) == (0, 100, 100)
    assert max(largest) < 30
