"""What training says of messages is kept as it was said last, and read without looking up."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks_app import usage
from tasks_app.importing import ModelUse, SnapshotUse, record_usage
from tasks_app.models import Message, MessageTree
from tasks_app.usage_records import DataSnapshot, SnapshotTree, TrainedModel
from tests.factories import NOW, Grown, grow

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=1)


def hold(name: str, *grown: Grown, places: tuple[int, ...] = (0, 1)) -> None:
    """A snapshot with some messages of each tree."""
    trees = [(each.tree.pk, [each[place].pk for place in places]) for each in grown]
    record_usage(snapshots=[SnapshotUse(name, NOW, trees=trees)])


def told(message: Message) -> list[tuple[str, list[str]]]:
    found = usage.uses([message])[message.pk]
    return [(use.snapshot.name, [model.name for model in use.models]) for use in found]


def test_a_message_names_its_snapshots_and_their_models() -> None:
    grown = grow("P(A A)")
    hold("first", grown)
    record_usage(snapshots=[SnapshotUse("second", LATER, trees=[(grown.tree.pk, [grown[1].pk])])])
    models = [
        ModelUse("made-rm", "rm", LATER, ["first", "second"]),
        ModelUse("made-sft", "sft", NOW, ["first"]),
    ]
    record_usage(models=models)

    assert told(grown[1]) == [("first", ["made-sft", "made-rm"]), ("second", ["made-rm"])]
    assert told(grown.root) == [("first", ["made-sft", "made-rm"])]
    assert told(grown[2]) == []


def test_what_is_said_twice_stands_once_and_the_last_word_counts() -> None:
    grown, other = grow("P(A)"), grow("P(A)")
    hold("first", grown, other)
    for served_as in ("", "helper"):
        record_usage(models=[ModelUse("made", "ppo", NOW, ["first"], served_as)])

    hold("first", grown)
    record_usage(snapshots=[SnapshotUse("first", NOW, superseded_at=LATER)])

    assert (DataSnapshot.objects.count(), SnapshotTree.objects.count()) == (1, 1)
    assert DataSnapshot.objects.get().superseded_at == LATER
    assert TrainedModel.objects.get().served_as == "helper"
    assert told(grown[1]) == [("first", ["made"])]
    assert told(other[1]) == []


def test_what_is_not_known_here_is_passed_over() -> None:
    trees = [(uuid.uuid4(), [uuid.uuid4()])]

    record_usage(
        snapshots=[SnapshotUse("first", NOW, trees=trees)],
        models=[ModelUse("made", "sft", NOW, ["first", "never made"])],
    )

    assert SnapshotTree.objects.count() == 0
    assert [each.name for each in TrainedModel.objects.get().snapshots.all()] == ["first"]


def test_usage_goes_with_its_tree() -> None:
    gone, kept = grow("P(A)"), grow("P(A)")
    hold("first", gone, kept)

    MessageTree.objects.filter(pk=gone.tree.pk).delete()

    assert [row.tree_id for row in SnapshotTree.objects.all()] == [kept.tree.pk]


def test_only_snapshots_with_a_deleted_message_are_named() -> None:
    grown = grow("P(A A)")
    hold("with", grown, places=(0, 1))
    hold("without", grown, places=(0, 2))

    Message.objects.filter(pk=grown[1].pk).update(deleted=True)

    assert usage.snapshots_with_deleted() == ["with"]


def test_reading_takes_two_queries_for_any_number_of_messages() -> None:
    grown = [grow("P(A)") for _number in range(3)]
    for name in ("first", "second", "third"):
        hold(name, *grown)
        record_usage(models=[ModelUse(f"of-{name}", "sft", NOW, [name])])

    with CaptureQueriesContext(connection) as captured:
        found = usage.uses([message for each in grown for message in each])

    assert (len(captured), len(found)) == (2, 6)
    assert all(len(uses) == 3 for uses in found.values())


def test_writing_takes_few_statements_for_many_trees() -> None:
    trees = [(uuid.uuid4(), [uuid.uuid4()]) for _number in range(3000)]

    with CaptureQueriesContext(connection) as captured:
        record_usage(snapshots=[SnapshotUse("first", NOW, trees=trees)])

    assert len(captured) < 15
