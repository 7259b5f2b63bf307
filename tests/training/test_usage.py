"""Training tells the data collection what became of its messages: at once, and again if lost."""

import pytest
from django.test import Client
from django.urls import reverse

from oasst.accounts.models import User
from oasst.privacy import erase_person
from tasks_app import exporting, moderation, usage
from tasks_app.enums import TreeState
from tasks_app.models import Message
from tasks_app.usage_records import DataSnapshot, SnapshotTree, TrainedModel
from tests.chat_app import given as chats
from tests.factories import NOW, grow
from tests.training import given
from training import jobs, registry, snapshots
from training.models import Snapshot

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]
READY = TreeState.READY_FOR_EXPORT


def create(name: str = "first", *, chats: bool = False, deleted: bool | None = False) -> Snapshot:
    wanted = snapshots.Filter(exporting.Selection(deleted=deleted), chats=chats)
    return snapshots.create(name, wanted, now=NOW)


def told(message: Message) -> list[tuple[str, list[str]]]:
    found = usage.uses([message])[message.pk]
    return [(use.snapshot.name, [model.name for model in use.models]) for use in found]


def test_a_snapshot_tells_what_is_in_it_and_nothing_of_chats(alice: User) -> None:
    grown = grow("P(A A-)", state=READY)
    grow("P(A)", state=TreeState.GROWING)
    chats.thread(alice, "Why?", "Because.")

    create(chats=True)

    assert [told(message) for message in grown] == [[("first", [])], [("first", [])], []]
    assert SnapshotTree.objects.count() == 1


def test_models_tell_the_snapshots_of_all_they_came_from() -> None:
    grown = grow("P(A)", state=READY)
    sft = given.checkpoint("sft", stage="sft", snapshots=[create()])

    ppo = given.checkpoint("ppo", parents=[sft], evaluation=given.GOOD)
    registry.promote(ppo, name="helper", now=NOW)

    assert told(grown[1]) == [("first", ["sft", "ppo"])]
    served = dict(TrainedModel.objects.values_list("name", "served_as"))
    assert served == {"sft": "", "ppo": "helper"}


def test_a_model_that_is_replaced_is_told_to_serve_no_more() -> None:
    old, new = (given.checkpoint(name, evaluation=given.GOOD) for name in ("old", "new"))
    for model in (old, new):
        registry.promote(model, name="helper", now=NOW)

    assert TrainedModel.objects.get(served_as="helper").name == "new"

    registry.roll_back("helper", now=NOW)

    assert TrainedModel.objects.get(served_as="helper").name == "old"


def test_erasure_is_told_and_what_is_in_it_stays_known(alice: User) -> None:
    grown = grow("P(A)", state=READY, author=alice)
    create()

    erase_person(alice, now=NOW)

    assert DataSnapshot.objects.get().superseded_at == NOW
    assert told(grown[1]) == [("first", [])]


def test_deleting_a_message_supersedes_the_snapshots_it_is_in(mona: User) -> None:
    grown = grow("P(A A)", state=READY)
    grow("P(A)", state=READY)
    create("with")
    shows_deleted = create("shows-deleted", deleted=None)
    moderation.delete_message(grown[1].pk, actor=mona, reason="Names a person.", now=NOW)
    after = create("after")

    for _twice in range(2):
        jobs.heed_deleted_messages()

    assert set(Snapshot.objects.current()) == {shows_deleted, after}
    known = DataSnapshot.objects.filter(superseded_at=None)
    assert {row.name for row in known} == {"shows-deleted", "after"}


def test_a_snapshot_is_current_again_once_what_was_deleted_is_back(mona: User, alice: User) -> None:
    grown = grow("P(A A)", state=READY, authors={2: alice})
    first, _erased, cleared = create("first"), create("erased"), create("cleared")
    for snapshot in (first, cleared):
        snapshot.people.clear()
    moderation.delete_message(grown[1].pk, actor=mona, reason="Names a person.", now=NOW)
    jobs.heed_deleted_messages()
    assert not Snapshot.objects.current().exists()
    erase_person(alice, now=NOW)
    snapshots.remove_texts(Snapshot.objects.get(name="cleared"))

    moderation.restore_message(grown[1].pk, actor=mona, reason="It is theirs.", now=NOW)
    for _twice in range(2):
        jobs.heed_deleted_messages()

    assert list(Snapshot.objects.current()) == [first]
    assert [row.name for row in DataSnapshot.objects.filter(superseded_at=None)] == ["first"]


def test_what_was_never_told_is_told_later() -> None:
    grown = grow("P(A)", state=READY)
    snapshot = create()
    model = given.checkpoint("sft", stage="sft", snapshots=[snapshot])
    DataSnapshot.objects.all().delete()
    TrainedModel.objects.all().delete()
    Snapshot.objects.update(superseded_at=NOW)
    given.snapshot("without-files")

    for _twice in range(2):
        jobs.tell_usage()

    assert told(grown[1]) == [("first", [model.name])]
    assert DataSnapshot.objects.get(name="first").superseded_at == NOW
    assert not DataSnapshot.objects.get(name="without-files").trees.exists()


def test_after_an_erasure_staff_see_the_runs_and_models_that_it_affects(
    moderator: Client, alice: User
) -> None:
    grow("P(A)", state=READY, author=alice)
    snapshot = create()
    run = given.queued("reads-it", snapshot=snapshot)
    given.queued("reads-nothing")
    given.checkpoint("learned", stage="sft", snapshots=[snapshot])

    erase_person(alice, now=NOW)

    page = moderator.get("/training/snapshots/first/").text
    assert "Superseded on" in page
    assert f"/training/runs/{run.pk}/" in page
    assert reverse("training:checkpoint", args=["learned"]) in page
    assert "reads-nothing" not in page
