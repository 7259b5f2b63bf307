"""What a bulk action would change, counted before anything happens."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tasks_app.enums import BulkKind
from tasks_app.models import Message, Ranking, Reaction, TextLabels

TREES_PER_QUERY = 500
# More at once belongs to a command, or to several goes.
MOST_MESSAGES = 10_000


@dataclass(frozen=True)
class Row:
    """What counting needs to know of a message."""

    pk: uuid.UUID
    parent: uuid.UUID | None
    user: uuid.UUID | None
    deleted: bool
    held: bool


@dataclass
class Plan:
    """Which messages of which tree an action starts from, and how much it would change."""

    kind: BulkKind
    targets: dict[uuid.UUID | None, list[uuid.UUID]] = field(default_factory=dict)
    label: str = ""
    person: Any = None
    messages: int = 0
    people: int = 0
    votes: int = 0

    @property
    def trees(self) -> int:
        """How many trees it touches."""
        return len(self.targets) - (None in self.targets)


def of_messages(kind: BulkKind, ids: Collection[uuid.UUID], *, label: str = "") -> Plan:
    """A plan for chosen messages; those that it would not change are left out."""
    plan = Plan(kind, label=label)
    chosen = set(ids)
    found: dict[uuid.UUID | None, list[uuid.UUID]] = defaultdict(list)
    rows = Message.objects.filter(pk__in=chosen).order_by("tree", "depth", "created_at", "pk")
    for pk, tree in rows.values_list("pk", "tree"):
        found[tree].append(pk)
    _count(plan, found)
    return plan


def of_person(person: Any) -> Plan:
    """A plan to take everything out that a person wrote, reviewed, ranked and reacted to."""
    plan = Plan(BulkKind.PURGE, person=person)
    found: dict[uuid.UUID | None, list[uuid.UUID]] = {}
    for tree in _trees_with_votes(person):
        found.setdefault(tree, [])
    wrote = Message.objects.filter(user=person, deleted=False).order_by("tree", "depth", "pk")
    for pk, tree in wrote.values_list("pk", "tree"):
        found.setdefault(tree, []).append(pk)
    plan.votes = sum(
        model.objects.filter(user=person).count() for model in (TextLabels, Ranking, Reaction)
    )
    _count(plan, found)
    # Rankings of prompts and reports belong to no tree.
    plan.targets[None] = []
    return plan


def _trees_with_votes(person: Any) -> Iterator[uuid.UUID]:
    votes = (
        TextLabels.objects.filter(user=person).values_list("message__tree", flat=True),
        Ranking.objects.filter(user=person, parent__isnull=False).values_list(
            "parent__tree", flat=True
        ),
        Reaction.objects.filter(user=person).values_list("message__tree", flat=True),
    )
    for rows in votes:
        yield from rows.order_by().distinct().iterator(chunk_size=2000)


def _count(plan: Plan, found: dict[uuid.UUID | None, list[uuid.UUID]]) -> None:
    """Fill in the targets that change something, and the numbers. A query per so many trees."""
    people: set[uuid.UUID | None] = set()
    waiting = iter(found)
    while trees := list(islice(waiting, TREES_PER_QUERY)):
        rows = _rows(trees)
        for tree in trees:
            changed = affected(plan.kind, rows[tree], found[tree])
            if changed or plan.kind == BulkKind.PURGE:
                plan.targets[tree] = found[tree]
            plan.messages += len(changed)
            people.update(row.user for row in changed)
    plan.people = len(people - {None})


def _rows(trees: Iterable[uuid.UUID | None]) -> dict[uuid.UUID | None, list[Row]]:
    found: dict[uuid.UUID | None, list[Row]] = defaultdict(list)
    rows = Message.objects.filter(tree__in=list(trees)).order_by("depth", "pk")
    for tree, *columns in rows.values_list("tree", "pk", "parent", "user", "deleted", "held"):
        found[tree].append(Row(*columns))
    return found


def affected(kind: BulkKind, rows: Iterable[Row], chosen: Collection[uuid.UUID]) -> list[Row]:
    """The messages of one tree, parents first, that an action on `chosen` would change. Pure."""
    rows, chosen = list(rows), set(chosen)
    if kind == BulkKind.RELEASE:
        return [row for row in rows if row.pk in chosen and row.held]
    if kind == BulkKind.LABEL:
        return [row for row in rows if row.pk in chosen and not row.deleted]
    if kind == BulkKind.RESTORE:
        wanted = set(chosen)
        for row in reversed(rows):
            if row.pk in wanted and row.parent:
                wanted.add(row.parent)
        return [row for row in rows if row.pk in wanted and row.deleted]
    doomed: set[uuid.UUID] = set()
    for row in rows:
        if row.pk in chosen or row.parent in doomed:
            doomed.add(row.pk)
    return [row for row in rows if row.pk in doomed and not row.deleted]
