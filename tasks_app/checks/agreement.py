"""Whether the sums of agreement are those of the votes: counts all anew and compares.

Messages whose votes have changed since, and that say so with a mark, may differ until the next job.
"""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from django.db import connection

from tasks_app import agreement_sums as sums
from tasks_app.agreement_tables import (
    AgreementCell,
    AgreementDissent,
    AgreementMark,
)

MESSAGES_AT_ONCE = 2000

Finding = tuple[str, str, str]  # rule, id, detail

_VOTED_ON = """SELECT message_id FROM tasks_app_textlabels WHERE kind = 'task'
    UNION SELECT parent_id FROM tasks_app_ranking WHERE parent_id IS NOT NULL
    UNION SELECT message_id FROM tasks_app_agreementunit
    UNION SELECT message_id FROM tasks_app_agreementdissent"""


def findings() -> Iterator[Finding]:
    """What is wrong with the sums."""
    marked = set(AgreementMark.objects.values_list("message_id", flat=True))
    counted: sums.Changes = Counter()
    for chunk in _chunks(_ids()):
        stored = sums.stored_units(chunk)
        for units in stored.values():
            counted.update(sums.counted(units))
        settled = [pk for pk in chunk if pk not in marked]
        yield from _units(settled, stored)
        yield from _dissents(chunk, stored)
    yield from _cells(counted)


def _ids() -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_VOTED_ON)
        return [pk for (pk,) in cursor.fetchall()]


def _chunks(ids: Iterable[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    rest = iter(ids)
    while chunk := list(islice(rest, MESSAGES_AT_ONCE)):
        yield chunk


def _units(messages: Collection[uuid.UUID], stored: sums.Units) -> Iterator[Finding]:
    voted = sums.units_of(messages)
    for pk in messages:
        found, expected = sums.told(stored[pk]), sums.told(voted[pk])
        if found != expected:
            yield "agreement_counts_the_votes", str(pk), f"{found} counted, {expected} voted"


def _dissents(messages: Collection[uuid.UUID], stored: sums.Units) -> Iterator[Finding]:
    expected = {_told(row) for units in list(stored.values()) for row in sums.dissents_of(units)}
    found = {_told(row) for row in AgreementDissent.objects.filter(message_id__in=messages)}
    for row in sorted(expected ^ found, key=str):
        detail = f"{row[1:]} is {'missing' if row in expected else 'too much'}"
        yield "dissents_are_those_counted", str(row[0]), detail


def _told(row: AgreementDissent) -> tuple[object, ...]:
    place = (row.measure, row.kind, row.lang, row.week, row.votes)
    return row.message_id, *place, round(row.dissent, 9)


def _cells(counted: sums.Changes) -> Iterator[Finding]:
    expected = {
        place: sums.merged({}, profiles) for place, profiles in sums.sums_of(counted).items()
    }
    for cell in AgreementCell.objects.iterator(chunk_size=500):
        wanted = expected.pop((cell.lang, cell.kind, cell.week), {})
        if cell.profiles != wanted:
            yield "agreement_cells_add_up", str(cell), f"{cell.profiles} stored, {wanted} counted"
    for place in expected:
        yield "agreement_cells_add_up", str(place), "missing"
