"""In which snapshots of the data messages are, and which models learned from them. Reads only.

Training writes it through `importing.record_usage()`; nothing here looks up.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import connection

from tasks_app.models import Message
from tasks_app.usage_records import DataSnapshot, SnapshotTree, TrainedModel


@dataclass(frozen=True)
class Use:
    """A snapshot that a message is in, and the models that learned from it, oldest first."""

    snapshot: DataSnapshot
    models: list[TrainedModel] = field(default_factory=list)


def uses(messages: Iterable[Message]) -> dict[uuid.UUID, list[Use]]:
    """The snapshots of each message, oldest first. Two queries, however many there are."""
    by_tree: dict[uuid.UUID, list[Message]] = defaultdict(list)
    for message in messages:
        by_tree[message.tree_id].append(message)
    rows = SnapshotTree.objects.filter(tree__in=by_tree).select_related("snapshot")
    held = list(rows.order_by("snapshot__made_at", "snapshot_id"))
    models = _models_of({row.snapshot_id for row in held})
    found: dict[uuid.UUID, list[Use]] = defaultdict(list)
    for row in held:
        for message in by_tree[row.tree_id]:
            if message.pk in row.message_ids:
                found[message.pk].append(Use(row.snapshot, models[row.snapshot_id]))
    return found


def _models_of(snapshots: set[int]) -> dict[int, list[TrainedModel]]:
    found: dict[int, list[TrainedModel]] = defaultdict(list)
    link = TrainedModel.snapshots.through
    rows = link.objects.filter(datasnapshot__in=snapshots).select_related("trainedmodel")
    for row in rows.order_by("trainedmodel__trained_at", "trainedmodel_id"):
        found[row.datasnapshot_id].append(row.trainedmodel)
    return found


def snapshots_with_deleted() -> list[str]:
    """Names of the snapshots that hold a message which is deleted by now. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_WITH_DELETED)
        return [name for (name,) in cursor.fetchall()]


# Deleted messages are few and have an index: the database begins with them.
_WITH_DELETED = """
    SELECT s.name FROM tasks_app_datasnapshot s
    WHERE EXISTS (
        SELECT FROM tasks_app_message m
        JOIN tasks_app_snapshottree t ON t.tree_id = m.tree_id AND t.snapshot_id = s.id
        WHERE m.deleted AND m.id = ANY (t.message_ids)
    )
    ORDER BY s.made_at, s.id
"""
