"""Tells the data collection which messages are in snapshots and which models learned from them.

The data collection keeps it and looks up nothing here. Saying a thing again is fine: what was lost
between two commits, or made before this was told, `catch_up` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from tasks_app import export_format
from tasks_app.importing import ModelUse, SnapshotUse, record_usage
from tasks_app.usage_records import DataSnapshot, TrainedModel
from training import snapshot_files as files
from training.models import Checkpoint, Snapshot

Tree = tuple[UUID, list[UUID]]


def tell_of_snapshot(snapshot: Snapshot) -> None:
    """Say what is in it, from its files; nothing of what is in it if they are gone."""
    record_usage(snapshots=[_use_of(snapshot, _trees_in(snapshot))])


def tell_of_superseded(snapshots: Iterable[Snapshot]) -> None:
    """Say that something in them was withdrawn, or no more; what is in them stays told."""
    record_usage(snapshots=[_use_of(snapshot, None) for snapshot in snapshots])


def tell_of_model(checkpoint: Checkpoint, learned_from: Iterable[Snapshot]) -> None:
    """Say from which snapshots a model learned, and where the chat serves it."""
    use = ModelUse(
        name=checkpoint.name,
        stage=checkpoint.stage,
        trained_at=checkpoint.created_at,
        snapshots=[snapshot.name for snapshot in learned_from],
        served_as=checkpoint.served.name if checkpoint.served else "",
    )
    record_usage(models=[use])


def untold_snapshots() -> list[Snapshot]:
    """Those that the data collection does not know as they are."""
    known = dict(DataSnapshot.objects.values_list("name", "superseded_at"))
    return [
        snapshot
        for snapshot in Snapshot.objects.order_by("pk")
        if known.get(snapshot.name, "unknown") != snapshot.superseded_at
    ]


def untold_models() -> list[Checkpoint]:
    """Those that the data collection does not know as they are."""
    known = dict(TrainedModel.objects.values_list("name", "served_as"))
    return [
        checkpoint
        for checkpoint in Checkpoint.objects.select_related("served").order_by("pk")
        if known.get(checkpoint.name) != (checkpoint.served.name if checkpoint.served else "")
    ]


def _use_of(snapshot: Snapshot, trees: Iterable[Tree] | None) -> SnapshotUse:
    return SnapshotUse(snapshot.name, snapshot.created_at, snapshot.superseded_at, trees)


def _trees_in(snapshot: Snapshot) -> Iterator[Tree]:
    """Ids of trees and messages of the data collection; those of chats are nobody's business."""
    if not (snapshot.folder / files.TREES).exists():
        return
    for tree in files.read(snapshot.folder):
        if tree.origin != "chat":
            nodes = export_format.visit_messages(tree.prompt)
            yield UUID(tree.message_tree_id), [UUID(node.message_id) for node in nodes]
