"""Frozen copies of the data: what is in them, that they stay what they are, what differs."""

import gzip
import hashlib
import io
import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pyarrow import parquet

from chat_app import conversations
from oasst.accounts.models import User
from oasst.privacy import erase_person
from tasks_app import exporting
from tasks_app.enums import TreeState
from tasks_app.export_format import read_trees, visit_messages
from tasks_app.models import Message
from tests.chat_app import given as chats
from tests.factories import NOW, Grown, grow, rank
from training import snapshot_changes, snapshots, sources
from training.config import DataConfig, SourceConfig
from training.errors import SnapshotBroken, SnapshotExists
from training.models import Snapshot

READY = TreeState.READY_FOR_EXPORT
pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


def _create(name: str = "first", *, chats: bool = False, **selection: Any) -> Snapshot:
    wanted = snapshots.Filter(exporting.Selection(**selection), chats=chats)
    return snapshots.create(name, wanted, now=NOW)


def _lines(snapshot: Snapshot) -> list[bytes]:
    return gzip.decompress((snapshot.folder / "trees.jsonl.gz").read_bytes()).splitlines(True)


def _command(*words: str) -> Any:
    out = io.StringIO()
    call_command("snapshot", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_hash_is_that_of_the_lines_and_the_same_for_the_same_data() -> None:
    grow("P(A A)", state=READY)

    first, second = _create("first"), _create("second")

    assert first.sha256 == hashlib.sha256(b"".join(_lines(first))).hexdigest()
    assert second.sha256 == first.sha256
    files = [(s.folder / "trees.jsonl.gz").read_bytes() for s in (first, second)]
    assert files[0] == files[1]


def test_another_text_gives_another_hash() -> None:
    grown = grow("P(A A)", state=READY)
    first = _create("first")

    Message.objects.filter(pk=grown[1].pk).update(text="Another answer")

    assert _create("second").sha256 != first.sha256


def test_the_filter_decides_what_is_in_it() -> None:
    grow("P(A)", state=READY)
    grow("P(A)", state=READY, lang="de")
    grow("P(A)", state=TreeState.GROWING)

    assert _create("ready").counts["trees"] == 2
    german = _create("german", langs=("de",))
    assert german.counts["languages"] == {"de": 2}
    assert german.filter["trees"]["langs"] == ["de"]
    assert _create("all", states=()).counts["trees"] == 3


def test_people_are_replaced_and_reports_left_out(alice: User) -> None:
    grow("P(A)", state=READY, author=alice)

    snapshot = _create()

    assert str(alice.pk).encode() not in b"".join(_lines(snapshot))
    assert list(snapshot.people.all()) == [alice]


def test_chats_are_in_it_only_if_wanted_and_allowed(alice: User, bob: User) -> None:
    for user, allowed in ((alice, True), (bob, False)):
        prompt = chats.prompt(chats.chat(user, allow_data_use=allowed), f"Says {user.display_name}")
        chats.answer(prompt)

    assert _create("without").counts["trees"] == 0
    counts = _create("with", chats=True).counts
    assert (counts["trees"], counts["from_chats"], counts["synthetic"]) == (1, 1, 1)


def test_the_table_and_the_card_tell_of_the_same_messages() -> None:
    grow("P(A A)", state=READY)

    folder = _create().folder

    table = parquet.read_table(folder / "messages.parquet")
    front = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    assert table.num_rows == 3
    assert (front["license"], front["language"]) == ("apache-2.0", ["en"])
    assert front["configs"] == [{"config_name": "messages", "data_files": "messages.parquet"}]


def test_agreement_comes_with_the_number_of_what_was_judged(alice: User, bob: User) -> None:
    grown = grow("P(A A A)", state=TreeState.RANKING)
    for judge, order in ((alice, [1, 2, 3]), (bob, [1, 3, 2])):
        rank(judge, grown.root, [grown[place] for place in order])

    told = snapshots.facts(_create(states=()))["agreement"]

    # One of three pairs the other way round: (2 - 1) / 3.
    assert told["tau_rankings"] == {"value": pytest.approx(1 / 3), "n": 1}
    assert told["alpha_quality"] == {"value": None, "n": 0}


def test_a_name_is_taken_once_and_a_half_snapshot_leaves_nothing(runs_dir: Path) -> None:
    _create("first")

    with pytest.raises(SnapshotExists):
        _create("first")
    assert [path.name for path in (runs_dir / "snapshots").iterdir()] == ["first"]


def _tamper(snapshot: Snapshot, change: Any) -> None:
    file = snapshot.folder / "trees.jsonl.gz"
    file.write_bytes(gzip.compress(b"".join(change(_lines(snapshot)))))


def test_an_unchanged_snapshot_is_verified() -> None:
    grow("P(A)", state=READY)

    snapshots.verify(_create())


def test_verify_names_the_line_that_differs() -> None:
    grow("P(A)", state=READY)
    second = grow("P(A)", state=READY, now=NOW)
    snapshot = _create()
    victim = next(
        i for i, line in enumerate(_lines(snapshot)) if str(second.root.pk).encode() in line
    )

    def swap(lines: list[bytes]) -> list[bytes]:
        lines[victim] = lines[victim].replace(b"Message 1", b"Poison 11")
        return lines

    _tamper(snapshot, swap)
    with pytest.raises(SnapshotBroken, match=f"line {victim + 1}: tree {second.root.pk} differs"):
        snapshots.verify(snapshot)


def test_verify_finds_a_line_that_is_missing_and_a_file_that_is_damaged() -> None:
    for _tree in range(2):
        grow("P(A)", state=READY)
    snapshot = _create()

    _tamper(snapshot, lambda lines: lines[:1])
    with pytest.raises(SnapshotBroken, match="1 lines are missing"):
        snapshots.verify(snapshot)
    (snapshot.folder / "trees.jsonl.gz").write_bytes(b"no gzip at all")
    with pytest.raises(SnapshotBroken, match="damaged"):
        snapshots.verify(snapshot)


def _two() -> tuple[Snapshot, Snapshot, list[Grown]]:
    """Two snapshots: one tree is gone in the second, one new, one changed, one the same."""
    same, changed, gone = (grow("P(A A)", state=READY) for _number in range(3))
    old = _create("old")
    Message.objects.filter(pk=changed[2].pk).update(text="Better")
    Message.objects.filter(pk=changed[1].pk).update(deleted=True)
    type(gone.tree).objects.filter(pk=gone.tree.pk).update(state=TreeState.ABORTED_LOW_GRADE)
    new = grow("P", state=READY)
    return old, _create("new"), [same, changed, gone, new]


def test_a_comparison_names_what_came_went_and_changed() -> None:
    old, new, [_same, changed, gone, came] = _two()

    trees, messages = snapshot_changes.compare(old.folder, new.folder)

    assert (trees.added, trees.removed, trees.changed) == (1, 1, 1)
    assert trees.examples["changed"] == [str(changed.root.pk)]
    assert trees.examples["removed"] == [str(gone.root.pk)]
    assert messages.examples["added"] == [str(came.root.pk)]
    assert messages.examples["changed"] == [str(changed[2].pk)]
    assert (messages.added, messages.removed, messages.changed) == (1, 4, 1)


def test_what_is_gone_or_damaged_cannot_be_compared() -> None:
    grow("P(A)", state=READY)
    old, new = _create("old"), _create("new")
    file = old.folder / "trees.jsonl.gz"

    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(SnapshotBroken, match="damaged"):
        snapshots.compare(old, new)
    file.unlink()
    with pytest.raises(CommandError, match="is missing"):
        _command("diff", "old", "new")


def test_erasing_a_person_supersedes_the_snapshots_with_their_data(alice: User, bob: User) -> None:
    grow("P(A)", state=READY, author=alice)
    with_alice = _create("with-alice")
    grow("P(A)", state=READY, author=bob, lang="de")
    without = _create("without", langs=("de",))

    erase_person(alice, now=NOW)

    with_alice.refresh_from_db()
    without.refresh_from_db()
    assert with_alice.superseded_at == NOW
    assert without.superseded_at is None


@pytest.mark.parametrize("how", ["forbid", "delete"])
def test_withdrawing_a_chat_supersedes_the_snapshots_it_is_in(alice: User, how: str) -> None:
    before = _create("before", chats=True)
    chat, _said = chats.thread(alice, "Why?", "Because.")
    holding, without = _create("with", chats=True), _create("without")
    another, _said = chats.thread(alice, "When?", "Now.")
    conversations.set_data_use(another, False)
    snapshots.supersede_withdrawn(now=NOW)
    assert set(Snapshot.objects.current()) == {before, holding, without}

    if how == "delete":
        conversations.delete(chat)
    else:
        conversations.set_data_use(chat, False)
    snapshots.supersede_withdrawn(now=NOW)

    assert set(Snapshot.objects.current()) == {before, without}
    holding.refresh_from_db()
    assert holding.superseded_at == NOW


def _erase_meanwhile(user: User) -> None:
    """As another process would: on a connection of its own."""

    def erase() -> None:
        erase_person(user, now=timezone.now())
        connection.close()

    thread = threading.Thread(target=erase)
    thread.start()
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_an_erasure_while_a_snapshot_is_made_supersedes_it(alice: User) -> None:
    grow("P(A)", state=READY, author=alice)

    def watch(trees: Iterable[Any]) -> Iterator[Any]:
        for tree in trees:
            _erase_meanwhile(alice)
            yield tree

    wanted = snapshots.Filter(exporting.Selection())
    during = snapshots.create("during", wanted, now=NOW, watch=watch)
    after = snapshots.create("after", wanted, now=NOW)

    assert during.superseded_at is not None
    assert list(during.people.all()) == [alice]
    assert after.superseded_at is None


def test_the_command_creates_verifies_and_compares() -> None:
    grow("P(A)", state=READY)

    told = _command("create", "first")
    _command("create", "second")

    assert (told["name"], told["trees"], told["messages"]) == ("first", 1, 2)
    assert told["languages"] == {"en": 2}
    assert Path(told["path"]).name == "first"
    assert [row["broken"] for row in _command("verify")] == [None, None]
    assert _command("diff", "first", "second")["trees"]["changed"] == 0
    assert [t.message_tree_id for t in read_trees(Path(told["path"]) / "trees.jsonl.gz")]


def test_texts_of_superseded_snapshots_are_removed_and_the_record_kept() -> None:
    grow("P(A)", state=READY)
    old, current = _create("old"), _create("current")
    Snapshot.objects.filter(name="old").update(superseded_at=NOW)

    call_command("snapshot", "remove", stdout=io.StringIO())

    kept = sorted(path.name for path in old.folder.iterdir())
    assert kept == ["README.md", "lines.txt", "snapshot.json"]
    assert (current.folder / "trees.jsonl.gz").exists()
    told = {row["name"]: (row["broken"], row["removed"]) for row in _command("verify")}
    assert told == {"old": (None, True), "current": (None, False)}
    with pytest.raises(CommandError, match="its files stay"):
        call_command("snapshot", "remove", "current", stdout=io.StringIO())


@pytest.mark.parametrize("words", [["create", "a b"], ["verify", "nothing"], ["diff", "x", "y"]])
def test_the_command_says_what_is_wrong(words: list[str]) -> None:
    with pytest.raises(CommandError):
        _command(*words)


def test_what_is_trained_on_a_snapshot_names_its_hash() -> None:
    grow("P(A)", state=READY)
    snapshot = _create()
    source = SourceConfig(path=str(snapshot.folder))

    [tree] = sources.read(source)
    [told] = sources.record(DataConfig(sources=(source,)))

    assert len(list(visit_messages(tree.prompt))) == 2
    assert told["snapshot"] == snapshot.sha256


# The gate and the card

ADVICE = "Open our page and sign up: there you will find all answers and friendly people. No. {}"


def test_what_looks_planted_is_left_out_and_the_record_says_why() -> None:
    for number in range(3):
        grown = grow("P(A A)", state=READY)
        Message.objects.filter(pk=grown[1].pk).update(text=ADVICE.format(number))

    gated, open_ = _command("create", "gated"), _command("create", "open", "--no-gate")
    again = _create("again")

    assert (gated["messages"], open_["messages"]) == (6, 9)
    assert gated["removed"]["copy"] == 3
    assert open_["removed"] == {}
    assert again.sha256 == gated["sha256"] != open_["sha256"]
    snapshots.verify(again)
    lines = (again.folder / "removed.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in lines] == ["copy"] * 3
    card = (again.folder / "README.md").read_text()
    assert "| nearly the same text answers other prompts | 3 |" in card
    assert ADVICE[:30].encode() not in b"".join(_lines(again))


def test_a_gate_that_finds_nothing_changes_nothing() -> None:
    grow("P(A A(P))", state=READY)

    wanted = snapshots.Filter(exporting.Selection(), gate=None)
    without = snapshots.create("open", wanted, now=NOW)

    assert _create("gated").sha256 == without.sha256
    assert "the data gate was switched off" in (without.folder / "README.md").read_text()


def test_the_card_tells_what_personal_data_a_scan_found() -> None:
    grown = grow("P(A)", state=READY)
    text = "Write to ann@mail.org and bob@mail.org, or look at 8.8.8.8."
    Message.objects.filter(pk=grown[1].pk).update(text=text)

    snapshot = _create()

    found = snapshots.facts(snapshot)["personal_data"]
    assert found["e-mail"] == {"found": 2, "messages": 1}
    assert found["IP"] == {"found": 1, "messages": 1}
    assert found["phone"] == found["card"] == found["IBAN"] == {"found": 0, "messages": 0}
    card = (snapshot.folder / "README.md").read_text()
    assert "| e-mail | 2 | 1 |" in card
    assert "ann@" not in card

    scrubbed = snapshots.create(
        "scrubbed", snapshots.Filter(exporting.Selection(), scrub_pii=True), now=NOW
    )
    assert b"[e-mail] and [e-mail], or look at [IP]." in b"".join(_lines(scrubbed))
    told = snapshots.facts(scrubbed)
    assert told["scrubbed"] == {"e-mail": 2, "IBAN": 0, "card": 0, "IP": 1, "phone": 0}
    assert told["personal_data"]["e-mail"] == {"found": 0, "messages": 0}
    assert "2 e-mail" in (scrubbed.folder / "README.md").read_text()
