"""Which entries count nothing, or wait, because of what their person did around them.

Reads the ledger, applies `reliance`; writes nothing. Only entries near to what changed are read.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from uuid import UUID

from leaderboard_app import reliance, rules
from leaderboard_app.enums import Reason, Why
from leaderboard_app.models import PointEntry
from leaderboard_app.reliance import SPAN, Outcome

_FIRST = (*rules.WRITTEN, *rules.VOTES)  # the reasons that every contribution has one of
# They say nothing of how somebody writes or votes.
_NO_OUTCOME = (Why.BANNED, Why.TOO_QUICK, Why.HALTED)

# From each person's time on, and so many before; both parts read an index.
_AROUND = """
    SELECT near.* FROM unnest(%(people)s::uuid[], %(times)s::timestamptz[]) AS changed (who, at),
    LATERAL (
        (SELECT * FROM leaderboard_app_pointentry e
            WHERE e.user_id = changed.who AND e.at >= changed.at
            AND (e.settled_at IS NOT NULL OR e.waits)
            AND e.reason = ANY(%(reasons)s) AND e.why <> ALL(%(not)s))
        UNION ALL
        (SELECT * FROM leaderboard_app_pointentry e
            WHERE e.user_id = changed.who AND e.at < changed.at
            AND (e.settled_at IS NOT NULL OR e.waits)
            AND e.reason = ANY(%(reasons)s) AND e.why <> ALL(%(not)s)
            ORDER BY e.at DESC, e.id DESC LIMIT %(before)s)
    ) near ORDER BY near.user_id, near.at, near.id
"""


def earliest(entries: Iterable[PointEntry]) -> dict[UUID, datetime]:
    """Since when each person's entries may have to be held back, or no more."""
    times: dict[UUID, datetime] = {}
    for entry in entries:
        if entry.reason in _FIRST:
            times[entry.user_id] = min(entry.at, times.get(entry.user_id, entry.at))
    return times


def flips(since: Mapping[UUID, datetime]) -> list[PointEntry]:
    """The entries of these people whose `held` or `waits` is not what it should be, with what it
    should be.

    Of each person only the entries that something from the given time on can tell upon. One query.
    """
    if not since:
        return []
    names = {
        "people": list(since),
        "times": list(since.values()),
        "reasons": [reason.value for reason in _FIRST],
        "not": [why.value for why in _NO_OUTCOME],
        # SPAN would do, did not reviews that are taken back leave without a trace.
        "before": 2 * SPAN,
    }
    changed: list[PointEntry] = []
    rows = PointEntry.objects.raw(_AROUND, names)
    for _user, entries in groupby(rows, key=lambda entry: entry.user_id):
        changed += _flipped(list(entries))
    return changed


def _flipped(entries: list[PointEntry]) -> Iterator[PointEntry]:
    outcomes = [_outcome(entry) for entry in entries]
    found = zip(entries, reliance.held(outcomes), reliance.unsure(outcomes), strict=True)
    is_early = reliance.early(outcomes)
    for entry, held, is_unsure in found:
        waits = not held and (is_early or (is_unsure and entry.reason == Reason.RANKING))
        if (entry.held, entry.waits) != (held, waits):
            entry.held, entry.waits = held, waits
            yield entry


def _outcome(entry: PointEntry) -> Outcome:
    knows = False if entry.why == Why.REMOVED and entry.reason in rules.WRITTEN else entry.knows
    return Outcome(vote=entry.closeness, knows=None if knows is None else float(knows))
