"""Keeps the sums of agreement up to date: what was counted of a message comes off, what its votes
say now goes on, in one transaction with the mark that told of the change.

So each change counts exactly once, whatever dies or runs twice. Decision 0008 tells why. Votes of
people who are held back are not counted.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, product
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from tasks_app import agreement_units
from tasks_app.agreement_tables import (
    AgreementCell,
    AgreementDissent,
    AgreementMark,
    AgreementUnit,
)
from tasks_app.agreement_units import RANKINGS, WORTH_A_LOOK
from tasks_app.enums import LabelKind, Role, TaskType, VoteSource
from tasks_app.models import Ranking, TextLabels

SLICE = 2000  # marks that one transaction works off
ALL = ""  # as language or kind of a cell
_LOCK = 0x6167726565  # "agree"; only one transaction at a time changes the sums

Units = dict[uuid.UUID, list[AgreementUnit]]
Place = tuple[str, str, date]  # language, kind, week
Changes = Counter[tuple[str, str, date, str, str]]  # the same, measure, profile
Sums = dict[Place, dict[str, Counter[str]]]


@transaction.atomic
def fold(limit: int = SLICE) -> int:
    """Bring the sums up to date with the `limit` oldest marks; returns how many there were.

    Does nothing while somebody else is at it.
    """
    if not _try_lock():
        return 0
    marks = list(AgreementMark.objects.order_by("pk")[:limit])
    if marks:
        recount({mark.message_id for mark in marks})
        AgreementMark.objects.filter(pk__in=[mark.pk for mark in marks]).delete()
    return len(marks)


def rebuild() -> int:
    """Throw the sums away and count everything anew; returns the number of messages.

    Until it ends, pages show what is counted so far. May be broken off: `fold` goes on.
    """
    with transaction.atomic():
        _lock()
        for table in (AgreementUnit, AgreementDissent, AgreementCell, AgreementMark):
            table.objects.all().delete()
        marked = mark_everything()
    while fold():
        pass
    return marked


def mark_everything() -> int:
    """Mark every message with votes, in the order of the first; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(MARK_EVERYTHING)
        return cursor.rowcount


# Neighbours in time lie in the same weeks, so that one slice touches few cells.
MARK_EVERYTHING = """INSERT INTO tasks_app_agreementmark (message_id)
    SELECT message_id FROM (
        SELECT message_id, created_at FROM tasks_app_textlabels WHERE kind = 'task' UNION ALL
        SELECT parent_id, created_at FROM tasks_app_ranking WHERE parent_id IS NOT NULL) votes
    GROUP BY message_id ORDER BY min(created_at)"""


def recount(messages: Collection[uuid.UUID]) -> None:
    """Let the sums say of these messages what their votes say. Caller holds the lock."""
    before, now = stored_units(messages), units_of(messages)
    changed = [pk for pk in messages if told(before[pk]) != told(now[pk])]
    units = [unit for pk in changed for unit in now[pk]]
    AgreementUnit.objects.filter(message_id__in=changed).delete()
    AgreementUnit.objects.bulk_create(units)
    AgreementDissent.objects.filter(message_id__in=changed).delete()
    AgreementDissent.objects.bulk_create(dissents_of(units))
    changes: Changes = Counter()
    changes.update(counted(units))
    changes.subtract(Counter(counted([unit for pk in changed for unit in before[pk]])))
    _add(changes)


def stored_units(messages: Collection[uuid.UUID]) -> Units:
    """What was counted of these messages. One query."""
    return _by_message(AgreementUnit.objects.filter(message_id__in=messages))


def units_of(messages: Collection[uuid.UUID]) -> Units:
    """What is to be counted of these messages, by their votes. Two queries."""
    return _by_message([*_label_units(messages), *_ranking_units(messages)])


def _by_message(units: Iterable[AgreementUnit]) -> Units:
    found: Units = defaultdict(list)
    for unit in units:
        found[unit.message_id].append(unit)
    return found


def _label_units(messages: Collection[uuid.UUID]) -> Iterator[AgreementUnit]:
    sets = TextLabels.objects.counted().filter(message__in=messages, kind=LabelKind.TASK)
    columns = ("message", "message__role", "message__parent", "message__lang")
    for pk, role, parent, lang, rows in _grouped(sets, columns, "values"):
        profiles = agreement_units.of_labels([values for values, _when in rows])
        if profiles:
            kind = TaskType.INITIAL_PROMPT if parent is None else TaskType(f"{role}_reply")
            yield _unit(pk, VoteSource.LABELS, kind, lang, rows, profiles)


def _ranking_units(messages: Collection[uuid.UUID]) -> Iterator[AgreementUnit]:
    rankings = Ranking.objects.counted().filter(parent__in=messages, not_rankable=False)
    columns = ("parent", "parent__role", "parent__lang")
    for pk, role, lang, rows in _grouped(rankings, columns, "groups"):
        profile = agreement_units.of_rankings([groups for groups, _when in rows])
        if profile:
            kind = TaskType(f"{Role(role).other}_reply")
            yield _unit(pk, VoteSource.RANKINGS, kind, lang, rows, {RANKINGS: profile})


def _grouped(votes: QuerySet, columns: Sequence[str], vote: str) -> Iterator[tuple[Any, ...]]:
    """What the `columns` say of each message, and its votes with their times."""
    rows = votes.order_by(columns[0], "pk").values_list(*columns, vote, "created_at")
    for message, found in groupby(rows, key=lambda row: row[: len(columns)]):
        yield *message, [row[len(columns) :] for row in found]


def _unit(
    pk: uuid.UUID,
    source: VoteSource,
    kind: TaskType,
    lang: str,
    rows: Sequence[tuple[Any, datetime]],
    profiles: Mapping[str, Sequence[float]],
) -> AgreementUnit:
    written = {name: agreement_units.write(profile) for name, profile in profiles.items()}
    first = min(when for _vote, when in rows)
    return AgreementUnit(
        message_id=pk,
        source=source.value,
        kind=kind.value,
        lang=lang,
        week=week_of(first),
        profiles=written,
    )


def week_of(moment: datetime) -> date:
    """The Monday, in UTC, that begins the week."""
    day = moment.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


def told(units: Iterable[AgreementUnit]) -> list[tuple[Any, ...]]:
    """What units say, to compare."""
    return sorted((u.source, u.kind, u.lang, u.week, sorted(u.profiles.items())) for u in units)


def counted(units: Iterable[AgreementUnit]) -> Iterator[tuple[str, str, date, str, str]]:
    """What units add one to: language, kind, week, measure and profile."""
    for unit in units:
        for measure, profile in unit.profiles.items():
            yield unit.lang, unit.kind, unit.week, measure, profile


def dissents_of(units: Iterable[AgreementUnit]) -> Iterator[AgreementDissent]:
    """Measures in which people differ so much about a message that it is worth a look."""
    for unit in units:
        for measure, text in unit.profiles.items():
            profile = agreement_units.read(text)
            dissent = agreement_units.dissent(measure, profile)
            if dissent >= WORTH_A_LOOK:
                yield AgreementDissent(
                    message_id=unit.message_id,
                    measure=measure,
                    kind=unit.kind,
                    lang=unit.lang,
                    week=unit.week,
                    dissent=dissent,
                    votes=agreement_units.votes(measure, profile),
                )


def sums_of(changes: Changes) -> Sums:
    """The changes by cell, those of all languages and of all kinds included."""
    sums: Sums = defaultdict(lambda: defaultdict(Counter))
    for (lang, kind, week, measure, profile), step in changes.items():
        if step:
            for place in product((lang, ALL), (kind, ALL), (week,)):
                sums[place][measure][profile] += step
    return sums


def _add(changes: Changes) -> None:
    sums = sums_of(changes)
    langs, kinds, weeks = (set(values) for values in zip(*sums, strict=True)) if sums else [()] * 3
    near = AgreementCell.objects.filter(lang__in=langs, kind__in=kinds, week__in=weeks)
    cells = {(cell.lang, cell.kind, cell.week): cell for cell in near}
    full: list[AgreementCell] = []
    empty: list[AgreementCell] = []
    for place, more in sums.items():
        cell = cells.get(place) or AgreementCell(lang=place[0], kind=place[1], week=place[2])
        cell.profiles = merged(cell.profiles or {}, more)
        (full if cell.profiles else empty).append(cell)
    AgreementCell.objects.filter(pk__in=[cell.pk for cell in empty]).delete()
    AgreementCell.objects.bulk_create(
        full,
        update_conflicts=True,
        unique_fields=["lang", "kind", "week"],
        update_fields=["profiles"],
    )


def merged(
    profiles: Mapping[str, Mapping[str, int]], more: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """Two sums as one, without what adds up to nothing."""
    found = {}
    for measure in {*profiles, *more}:
        one, other = profiles.get(measure, {}), more.get(measure, {})
        both = {text: one.get(text, 0) + other.get(text, 0) for text in {*one, *other}}
        kept = {text: n for text, n in sorted(both.items()) if n}
        if kept:
            found[measure] = kept
    return found


def _try_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
