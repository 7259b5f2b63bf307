"""Frozen copies of the data: made, verified, marked when something in them was erased."""

from __future__ import annotations

import json
import logging
import shutil
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from itertools import combinations, islice
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.translation import gettext as _

from chat_app import exporting as chats
from chat_app.models import Chat
from chat_app.offering import LICENCE
from oasst.accounts.people import DELETED_DOMAIN
from oasst.lib import database, personal_data
from tasks_app import export_format, exporting
from tasks_app import usage as uses
from tasks_app.agreement import Level, krippendorff_alpha
from tasks_app.enums import LabelKind
from tasks_app.export_format import Anonymizer, MessageTree
from tasks_app.models import TextLabels
from tasks_app.ranking import kendall_tau
from training import data_gate, dataset_card, rundir, runs, snapshot_changes, usage
from training import snapshot_files as files
from training.data_gate import GateRules
from training.enums import Superseded
from training.errors import SnapshotBroken, SnapshotCurrent, SnapshotExists
from training.models import Snapshot, below_runs
from training.snapshot_changes import Change

if TYPE_CHECKING:
    from oasst.accounts.models import User
    from training.querysets import SnapshotQuerySet

logger = logging.getLogger(__name__)

FOLDER = "snapshots"
# Names of people are replaced by the same others everywhere, so that equal data has one hash.
SEED = "snapshot"
# What is told of single votes: rankings and thumbs teach, reports are nobody's business.
KEPT_EVENTS = frozenset({"ranking", "score"})
LABELS = {"spam": Level.NOMINAL, "quality": Level.ORDINAL, "helpfulness": Level.ORDINAL}
TREES_AT_ONCE = 200


@dataclass(frozen=True)
class Filter:
    """What goes into a snapshot: trees of the data collection, and chats whose owners agree.

    With `gate` None nothing that smells of poison is left out. With `scrub_pii` what
    `personal_data` finds in the texts is replaced.
    """

    trees: exporting.Selection
    chats: bool = False
    gate: GateRules | None = field(default_factory=GateRules)
    scrub_pii: bool = False

    def to_dict(self) -> dict[str, Any]:
        kept = {name: value for name, value in asdict(self.trees).items() if value is not None}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in kept.items()}
        gate = self.gate.to_dict() if self.gate else None
        return {
            "trees": json.loads(json.dumps(plain, default=str)), "chats": self.chats, "gate": gate,
            "scrub_pii": self.scrub_pii,
        }  # fmt: skip


class _People(Anonymizer):
    """Replaces who wrote and judged, and remembers them; messages of the collection keep ids."""

    def __init__(self, *, keep_messages: bool) -> None:
        super().__init__(SEED)
        self.ids: set[str] = set()
        self._keeps_messages = keep_messages

    def user(self, key: str | None) -> str | None:
        if key is not None:
            self.ids.add(key)
        return super().user(key)

    def message(self, key: str) -> str:
        return key if self._keeps_messages else super().message(key)

    def tree(self, tree: MessageTree) -> None:
        for node in export_format.visit_messages(tree.prompt):
            node.events = {k: rows for k, rows in node.events.items() if k in KEPT_EVENTS}
        super().tree(tree)


# Making


def create(
    name: str,
    wanted: Filter,
    *,
    now: datetime,
    by: User | None = None,
    watch: export_format.Watch = iter,
) -> Snapshot:
    """Freeze what the filter finds, as of one moment. Raises SnapshotExists."""
    folder = Path(settings.RUNS_DIR) / FOLDER / name
    if folder.exists() or Snapshot.objects.filter(name=name).exists():
        raise SnapshotExists(
            _("There is a snapshot called %s already: choose another name.") % name
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    half = rundir.half(folder)
    half.mkdir()
    try:
        facts, people, told = _write(half, name, wanted, now, watch)
        rundir.publish(half, folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    with transaction.atomic():
        snapshot = Snapshot.objects.create(
            name=name,
            sha256=facts["sha256"],
            path=below_runs(folder),
            filter=facts["filter"],
            counts=facts["counts"],
            created_by=by,
            created_at=now,
            chats=told,
        )
        _remember(snapshot, people)
        usage.tell_of_snapshot(snapshot)
    _supersede_if_erased(snapshot, now)
    logger.info("snapshot %s: %d trees", name, facts["counts"]["trees"])
    return snapshot


def _write(
    folder: Path, name: str, wanted: Filter, now: datetime, watch: export_format.Watch
) -> tuple[dict[str, Any], list[UUID], list[UUID]]:
    """Write the files; what snapshot.json says, who is in them, and which chats are."""
    with database.one_moment():
        scrubber = personal_data.Scrubber() if wanted.scrub_pii else None
        lines, keys, told = _write_trees(folder, wanted, scrubber, watch)
        people = _known_people(keys)
        removed: dict[str, int] = {}
        if wanted.gate:
            lines, removed = _pass_gate(folder, lines, wanted.gate)
        files.write_lines(folder, lines)
        counts = _count(folder) | {"removed": removed}
        agreement = _agreement(folder)
    files.write_table(folder)
    facts = {
        "schema": files.SCHEMA,
        "name": name,
        "sha256": lines.sha256,
        "filter": wanted.to_dict(),
        "counts": counts,
        "agreement": agreement,
        "personal_data": _personal_data(folder),
        "scrubbed": scrubber.counts if scrubber else None,
        "licence": LICENCE,
        "created_at": now.isoformat(timespec="seconds"),
    }
    text = json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
    (folder / files.FACTS).write_text(text, encoding="utf-8")
    (folder / files.CARD).write_text(dataset_card.render(facts), encoding="utf-8")
    return facts, people, told


def _write_trees(
    folder: Path,
    wanted: Filter,
    scrub: personal_data.Scrubber | None,
    watch: export_format.Watch,
) -> tuple[files.Hashing, set[str], list[UUID]]:
    """Write the lines; their hashes, who is in them, and which chats are."""
    told: list[UUID] = []
    people = _People(keep_messages=True)
    guests = _People(keep_messages=False)
    with export_format.open_output(folder / files.TREES) as stream:
        lines = files.Hashing(stream)
        telling = exporting.Telling(labels=True, events=True, anonymizer=people, scrub=scrub)
        exporting.export(lines, exporting.Format.TREES, wanted.trees, telling, watch=watch)
        if wanted.chats:
            see = partial(_note, told)
            every = chats.Selection()
            chats.export(lines, chats.Format.TREES, every, guests, scrub=scrub, watch=see)
    return lines, people.ids | guests.ids, told


def _pass_gate(
    folder: Path, lines: files.Hashing, rules: GateRules
) -> tuple[files.Hashing, dict[str, int]]:
    """Leave out what the gate finds; the hashes of what is left, and how much went for what."""
    verdict = data_gate.examine(partial(files.read, folder), rules)
    files.write_removed(folder, verdict)
    if verdict.removals:
        lines = files.leave_out(folder, verdict)
        logger.warning("snapshot: the gate left out %d messages", len(verdict.removals))
    return lines, verdict.counts()


def _note(told: list[UUID], chats_with_messages: Iterable[Any]) -> Iterator[Any]:
    """Write down each chat that passes."""
    for chat, messages in chats_with_messages:
        told.append(chat.pk)
        yield chat, messages


def _count(folder: Path) -> dict[str, Any]:
    counts = files.Counts()
    for tree in files.read(folder):
        counts.add(tree)
    return counts.to_dict()


def _personal_data(folder: Path) -> dict[str, dict[str, int]]:
    """How many addresses, numbers … stand in the texts, and in how many messages."""
    found = {kind: {"found": 0, "messages": 0} for kind in personal_data.KINDS}
    for tree in files.read(folder):
        for node in export_format.visit_messages(tree.prompt):
            for kind, times in personal_data.count(node.text).items():
                found[kind]["found"] += times
                found[kind]["messages"] += 1
    return found


def _remember(snapshot: Snapshot, people: list[UUID]) -> None:
    """Note whose data is in a snapshot."""
    members = Snapshot.people.through
    members.objects.bulk_create(
        [members(snapshot_id=snapshot.pk, user_id=user_id) for user_id in people], batch_size=1000
    )


def _supersede_if_erased(snapshot: Snapshot, now: datetime) -> None:
    """Mark what somebody's deletion, which begins by closing the account, could not find while
    the files were being written."""
    for user in snapshot.people.filter(deleted_at__isnull=False)[:1]:
        supersede(user, now=now)
        snapshot.refresh_from_db()


def _known_people(keys: set[str]) -> list[UUID]:
    """Those whose data can be erased: authors of imported files are no people of this site, and
    of deleted accounts nothing personal is left."""
    ids = [found for key in sorted(keys) if (found := _uuid(key))]
    known = get_user_model().objects.filter(pk__in=ids).exclude(email__endswith=DELETED_DOMAIN)
    return list(known.values_list("pk", flat=True))


def _uuid(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None


# Agreement


def _agreement(folder: Path) -> dict[str, dict[str, Any]]:
    """Value and number of what was judged, per label and for rankings."""
    found = {f"alpha_{name}": _alpha(folder, name) for name in LABELS}
    taus = [tau for tree in files.read(folder) for tau in _taus(tree)]
    return found | {"tau_rankings": {"value": fmean(taus) if taus else None, "n": len(taus)}}


def _alpha(folder: Path, name: str) -> dict[str, Any]:
    judged = 0

    def units() -> Iterator[list[float]]:
        nonlocal judged
        for unit in _votes(folder, name):
            judged += len(unit) > 1
            yield unit

    value = krippendorff_alpha(units(), LABELS[name])
    return {"value": value, "n": judged}


def _votes(folder: Path, name: str) -> Iterator[list[float]]:
    """What each message of the data collection was given for one label."""
    trees = files.read(folder)
    while chunk := list(islice(trees, TREES_AT_ONCE)):
        ids = [UUID(tree.message_tree_id) for tree in chunk if tree.origin != "chat"]
        units: dict[UUID, list[float]] = defaultdict(list)
        sets = TextLabels.objects.counted().filter(message__tree__in=ids, kind=LabelKind.TASK)
        for message, values in sets.values_list("message", "values"):
            if name in values:
                units[message].append(values[name])
        yield from units.values()


def _taus(tree: MessageTree) -> Iterator[float]:
    """Kendall's τ of every two rankings of the same replies."""
    for node in export_format.visit_messages(tree.prompt):
        rankings = [
            _groups(event)
            for event in node.events.get("ranking", ())
            if not event.get("not_rankable")
        ]
        for one, other in combinations(rankings, 2):
            tau = kendall_tau(one, other)
            if tau is not None:
                yield tau


def _groups(event: dict[str, Any]) -> list[list[str]]:
    """A ranking as groups of tied ids, best first."""
    ids = iter(event["ranked_message_ids"])
    sizes = event.get("groups") or [1] * len(event["ranked_message_ids"])
    return [list(islice(ids, size)) for size in sizes]


# Afterwards


def verify(snapshot: Snapshot, *, watch: export_format.Watch = iter) -> None:
    """Raises SnapshotBroken with what differs, if the files are not what they were."""
    difference = files.verify(snapshot.folder, snapshot.sha256, watch=watch)
    if difference is None:
        return
    where = _("line %d: ") % difference.line if difference.line else ""
    raise SnapshotBroken(f"{snapshot.name}: {where}{difference.reason}")


def compare(
    old: Snapshot, new: Snapshot, *, watch: export_format.Watch = iter
) -> tuple[Change, Change]:
    """What changed in trees and in messages. Raises SnapshotBroken if files are gone or damaged."""
    try:
        return snapshot_changes.compare(old.folder, new.folder, watch=watch)
    except FileNotFoundError as error:
        raise SnapshotBroken(_("%s is missing.") % error.filename) from error
    except (EOFError, OSError, zlib.error, ValueError, KeyError) as error:
        raise SnapshotBroken(
            _("%(old)s or %(new)s is damaged: %(error)s")
            % {"old": old.name, "new": new.name, "error": error}
        ) from error


def facts(snapshot: Snapshot) -> dict[str, Any]:
    """snapshot.json; empty if the files are elsewhere."""
    try:
        text = (snapshot.folder / files.FACTS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    found: dict[str, Any] = json.loads(text)
    return found


def supersede(user: User, *, now: datetime) -> list[Snapshot]:
    """Mark every snapshot that holds something of a person whose data is erased, and end the runs
    that wait for one of them; may run twice."""
    return _supersede(Snapshot.objects.filter(people=user), Superseded.ERASED, now)


def supersede_withdrawn(*, now: datetime) -> list[Snapshot]:
    """The same for snapshots with a chat that its owner has forbidden or deleted since."""
    gone = [
        snapshot.pk
        for snapshot in Snapshot.objects.not_for_ever().exclude(chats=[]).only("chats")
        if Chat.objects.filter(pk__in=snapshot.chats, allow_data_use=True).count()
        < len(snapshot.chats)
    ]
    return _supersede(Snapshot.objects.filter(pk__in=gone), Superseded.WITHDRAWN, now)


def heed_deletions(*, now: datetime) -> list[Snapshot]:
    """The same for snapshots with a message that was deleted since; those made to show what was
    deleted stay. Where every such message is back, it ends again, unless the texts were removed."""
    without = Snapshot.objects.filter(filter__trees__deleted=False)
    held = without.filter(name__in=uses.snapshots_with_deleted())
    _reinstate(without.filter(superseded_why=Superseded.DELETED).exclude(pk__in=held))
    return _supersede(held, Superseded.DELETED, now)


def _supersede(held: SnapshotQuerySet, why: Superseded, now: datetime) -> list[Snapshot]:
    """Mark those that are current, and note what ends no more where it only was a deletion."""
    marked = list(held.current())
    if why != Superseded.DELETED:
        held.filter(superseded_why=Superseded.DELETED).update(superseded_why=why)
    if not marked:
        return []
    found = Snapshot.objects.filter(pk__in=[snapshot.pk for snapshot in marked])
    found.update(superseded_at=now, superseded_why=why)
    for snapshot in marked:
        snapshot.superseded_at, snapshot.superseded_why = now, why
        logger.warning("snapshot %s is superseded: something in it was withdrawn", snapshot.name)
    usage.tell_of_superseded(marked)
    runs.refuse_superseded(now=now)
    return marked


def _reinstate(found: SnapshotQuerySet) -> None:
    back = [snapshot for snapshot in found if not is_removed(snapshot)]
    for snapshot in back:
        # Not if somebody's data in it was erased meanwhile.
        row = Snapshot.objects.filter(pk=snapshot.pk, superseded_why=Superseded.DELETED)
        row.update(superseded_at=None, superseded_why="")
        snapshot.refresh_from_db()
        logger.info("snapshot %s is current again: what was deleted is back", snapshot.name)
    usage.tell_of_superseded(back)


def remove_texts(snapshot: Snapshot) -> None:
    """Delete what people wrote from a superseded snapshot; may run twice. Hash, counts and card
    stay: they tell what models learned from. Raises SnapshotCurrent."""
    if snapshot.superseded_at is None:
        raise SnapshotCurrent(
            _("Nothing in the snapshot %s was erased: its files stay.") % snapshot.name
        )
    for name in files.TEXTS:
        (snapshot.folder / name).unlink(missing_ok=True)
    logger.warning("snapshot %s: its texts are removed", snapshot.name)


def is_removed(snapshot: Snapshot) -> bool:
    """Whether its texts were removed after an erasure."""
    texts = snapshot.folder / files.TREES
    return snapshot.superseded_at is not None and not texts.exists()
