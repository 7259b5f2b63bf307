"""Writes the statistics by day and by week: what is new every few minutes, everything once a day.

All numbers come from rows, so they can be made anew at any time: the first run finds the history
of imports and of the demonstration. Written in SQL, because a whole collection is summed up.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Sum

from leaderboard_app.models import DailyStatistics, WeeklyLabels, WeeklyPeople
from leaderboard_app.stages import STAGE_OF, Stage
from oasst.lib.session_lock import SessionLock
from tasks_app.browsing import LISTED
from tasks_app.models import Contribution, Message, MessageTree, TextLabels

logger = logging.getLogger(__name__)
# Held while statistics are written, so that two jobs do not write the same rows.
_LOCK = 7_351_001
# Counted anew by every run: whatever began in it may have been committed late.
RECENT = timedelta(days=1)
# So much of the past is counted in one transaction, so that what is new need not wait for long.
SLICE = timedelta(weeks=4)

_MESSAGES = """
SELECT day, coalesce(lang, ''),
    count(*) FILTER (WHERE parent_id IS NULL),
    count(*) FILTER (WHERE parent_id IS NOT NULL AND role = 'prompter'),
    count(*) FILTER (WHERE role = 'assistant')
FROM (SELECT (created_at AT TIME ZONE 'UTC')::date AS day, lang, parent_id, role
    FROM tasks_app_message WHERE created_at >= %(since)s AND created_at < %(until)s) written
GROUP BY GROUPING SETS ((day, lang), (day))"""

_TREES = """
SELECT day, coalesce(lang, ''), count(*)
FROM (SELECT (created_at AT TIME ZONE 'UTC')::date AS day, lang
    FROM tasks_app_messagetree WHERE created_at >= %(since)s AND created_at < %(until)s) begun
GROUP BY GROUPING SETS ((day, lang), (day))"""

_STATES = """
SELECT day, coalesce(lang, ''), state, sum(change)::int
FROM (SELECT (x.created_at AT TIME ZONE 'UTC')::date AS day, t.lang, s.state, s.change
    FROM tasks_app_treetransition x JOIN tasks_app_messagetree t ON t.id = x.tree_id,
        LATERAL (VALUES (x.to_state, 1), (x.from_state, -1)) s(state, change)
    WHERE x.created_at >= %(since)s AND x.created_at < %(until)s AND s.state <> '') moves
GROUP BY GROUPING SETS ((day, lang, state), (day, state)) HAVING sum(change) <> 0"""

# When a tree first reached a stage or a later one; imported trees may have skipped some.
_STAGES = """
SELECT day, coalesce(lang, ''), stage, count(*)
FROM (SELECT t.lang, stage, (min(x.created_at) AT TIME ZONE 'UTC')::date AS day,
        min(x.created_at) AS first
    FROM tasks_app_treetransition x JOIN tasks_app_messagetree t ON t.id = x.tree_id
        JOIN unnest(%(states)s::text[], %(ranks)s::int[]) s(state, rank) ON s.state = x.to_state,
        generate_series(0, s.rank) stage
    WHERE x.tree_id IN (SELECT tree_id FROM tasks_app_treetransition
        WHERE created_at >= %(since)s AND created_at < %(until)s)
    GROUP BY t.id, t.lang, stage) firsts
WHERE first >= %(since)s AND first < %(until)s
GROUP BY GROUPING SETS ((day, lang, stage), (day, stage))"""

# When a tree first came into a snapshot.
_EXPORTED = """
SELECT day, coalesce(lang, ''), count(*)
FROM (SELECT t.lang, (min(d.made_at) AT TIME ZONE 'UTC')::date AS day, min(d.made_at) AS first
    FROM tasks_app_snapshottree s JOIN tasks_app_datasnapshot d ON d.id = s.snapshot_id
        JOIN tasks_app_messagetree t ON t.id = s.tree_id
    WHERE s.tree_id IN (SELECT st.tree_id FROM tasks_app_snapshottree st
        JOIN tasks_app_datasnapshot sd ON sd.id = st.snapshot_id
        WHERE sd.made_at >= %(since)s AND sd.made_at < %(until)s)
    GROUP BY t.id, t.lang) firsts
WHERE first >= %(since)s AND first < %(until)s
GROUP BY GROUPING SETS ((day, lang), (day))"""

_CONTRIBUTIONS = """
SELECT day, coalesce(lang, ''), kind, count(*)
FROM (SELECT (created_at AT TIME ZONE 'UTC')::date AS day, lang, kind
    FROM tasks_app_contribution WHERE created_at >= %(since)s AND created_at < %(until)s) done
GROUP BY GROUPING SETS ((day, lang, kind), (day, kind))"""

# Equal label sets are summed up before they are taken apart: there are far fewer different ones.
_SETS = """
WITH different AS MATERIALIZED (
    SELECT date_trunc('week', l.created_at AT TIME ZONE 'UTC')::date AS week, m.lang, l.values,
        count(*) AS n
    FROM tasks_app_textlabels l JOIN tasks_app_message m ON m.id = l.message_id
    WHERE l.created_at >= %(since)s AND l.created_at < %(until)s AND l.kind <> 'report'
        AND NOT l.held
    GROUP BY 1, 2, 3)"""

_VALUES = """
SELECT week, coalesce(lang, ''), label, bin, sum(n)::bigint
FROM (SELECT week, lang, n, v.key AS label, least(floor(v.value::float * 4 + 0.5), 4)::int AS bin
    FROM different, jsonb_each_text(values) v) single
GROUP BY GROUPING SETS ((week, lang, label, bin), (week, label, bin))"""

_PAIRS = """
SELECT week, coalesce(lang, ''), pair, sum(n), sum(n * a), sum(n * b), sum(n * a * a),
    sum(n * b * b), sum(n * a * b)
FROM (SELECT week, lang, n, a.key || ' ' || b.key AS pair, a.value::float AS a,
        b.value::float AS b
    FROM different, jsonb_each_text(values) a, jsonb_each_text(values) b
    WHERE a.key < b.key) double
GROUP BY GROUPING SETS ((week, lang, pair), (week, pair))"""

# Somebody's first contribution has the smallest number: one look at an index for each person.
_PEOPLE = """
SELECT a.week, coalesce(a.lang, ''), f.week, count(DISTINCT a.user_id)
FROM (SELECT DISTINCT date_trunc('week', created_at AT TIME ZONE 'UTC')::date AS week, lang, user_id
        FROM tasks_app_contribution
        WHERE created_at >= %(since)s AND created_at < %(until)s AND kind = ANY(%(kinds)s)) a,
    LATERAL (SELECT date_trunc('week', c.created_at AT TIME ZONE 'UTC')::date AS week
        FROM tasks_app_contribution c WHERE c.user_id = a.user_id AND c.kind = ANY(%(kinds)s)
        ORDER BY c.id LIMIT 1) f
GROUP BY GROUPING SETS ((a.week, a.lang, f.week), (a.week, f.week))"""

Key = tuple[date, str]


def refresh(*, now: datetime) -> None:
    """Count the last two days anew; everything, if trees with older dates came or went."""
    if is_behind(now=now):
        recount(now=now)
    else:
        count_recent(now=now)


def count_recent(*, now: datetime) -> None:
    """Count the last two days anew."""
    with transaction.atomic():
        _lock()
        _write(_recent(now), _end(now), now)


def is_behind(*, now: datetime) -> bool:
    """True if the days before the last two do not hold the trees that were begun in them."""
    since = _recent(now)
    rows = DailyStatistics.objects.filter(lang="", day__lt=since.date())
    counted = rows.aggregate(trees=Sum("trees"))["trees"]
    if counted is None:
        return True  # the first run, or a site that began yesterday
    return counted != MessageTree.objects.filter(created_at__lt=since).count()


def recount(*, now: datetime) -> None:
    """Count everything anew, so that what was deleted or undone since leaves the numbers."""
    week = recount_slice(None, now=now)
    while week:
        week = recount_slice(week, now=now)


def recount_alone(*, now: datetime) -> bool:
    """Do what `recount` does, unless another process is doing it; whether it was done here."""
    with SessionLock("recount of statistics").alone() as is_ours:
        if is_ours:
            recount(now=now)
    return is_ours


def recount_slice(week: date | None, *, now: datetime) -> date | None:
    """Count some weeks anew from `week` on, the first ones by default.

    Returns the week that comes next; None after the last.
    """
    with transaction.atomic():
        _lock()
        since = _start_of(week) if week else _first_week(now)
        until = min(since + SLICE, _end(now))
        _write(since, until, now)
    logger.info("statistics: counted %s to %s", since.date(), until.date())
    return until.date() if until < _end(now) else None


def _recent(now: datetime) -> datetime:
    return _start_of(now.astimezone(UTC).date()) - RECENT


def _end(now: datetime) -> datetime:
    """After the week of `now`, in case a clock is ahead."""
    today = _start_of(now.astimezone(UTC).date())
    return today + timedelta(days=7 - today.weekday())


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _first_week(now: datetime) -> datetime:
    """The Monday before the oldest row there is. What was counted of earlier weeks goes."""
    oldest = [
        table.objects.order_by("created_at").values_list("created_at", flat=True).first()
        for table in (MessageTree, Message, Contribution, TextLabels)
    ]
    first = min([moment for moment in oldest if moment] + [now]).astimezone(UTC).date()
    monday = first - timedelta(days=first.weekday())
    DailyStatistics.objects.filter(day__lt=monday).delete()
    WeeklyLabels.objects.filter(week__lt=monday).delete()
    WeeklyPeople.objects.filter(week__lt=monday).delete()
    return _start_of(monday)


def _lock() -> None:
    """Let only one job write, and let it take the time it needs; until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _write(since: datetime, until: datetime, now: datetime) -> None:
    """Replace all rows of these days, and those of the weeks from that of the first on."""
    monday = since - timedelta(days=since.weekday())
    days = list(_days(since, until, now))
    DailyStatistics.objects.filter(day__gte=since.date(), day__lt=until.date()).delete()
    DailyStatistics.objects.bulk_create(days)
    labels, people = list(_labels(monday, until)), list(_people(monday, until))
    WeeklyLabels.objects.filter(week__gte=monday.date(), week__lt=until.date()).delete()
    WeeklyLabels.objects.bulk_create(labels)
    WeeklyPeople.objects.filter(week__gte=monday.date(), week__lt=until.date()).delete()
    WeeklyPeople.objects.bulk_create(people)


def _days(since: datetime, until: datetime, now: datetime) -> Iterator[DailyStatistics]:
    found: dict[Key, DailyStatistics] = {}

    def row(day: date, lang: str) -> DailyStatistics:
        return found.setdefault((day, lang), DailyStatistics(day=day, lang=lang, counted_at=now))

    today = now.astimezone(UTC).date()
    if since.date() <= today < until.date():
        row(today, "")  # there is always a last one, which says how fresh all is
    for day, lang, prompts, prompter, assistant in _rows(_MESSAGES, since, until):
        counted = row(day, lang)
        counted.prompts, counted.prompter_replies = prompts, prompter
        counted.assistant_replies = assistant
    for day, lang, trees in _rows(_TREES, since, until):
        row(day, lang).trees = trees
    for day, lang, state, change in _rows(_STATES, since, until):
        row(day, lang).states[state] = change
    ranks = {"states": list(STAGE_OF), "ranks": list(STAGE_OF.values())}
    for day, lang, stage, trees in _rows(_STAGES, since, until, **ranks):
        row(day, lang).stages[str(stage)] = trees
    for day, lang, trees in _rows(_EXPORTED, since, until):
        row(day, lang).stages[str(Stage.EXPORTED.value)] = trees
    for day, lang, kind, number in _rows(_CONTRIBUTIONS, since, until):
        row(day, lang).contributions[kind] = number
    yield from found.values()


def _labels(since: datetime, until: datetime) -> Iterator[WeeklyLabels]:
    values: dict[Key, dict[str, list[int]]] = defaultdict(dict)
    pairs: dict[Key, dict[str, list[float]]] = defaultdict(dict)
    for week, lang, label, place, number in _rows(_SETS + _VALUES, since, until):
        values[week, lang].setdefault(label, [0] * 5)[place] = number
    for week, lang, pair, *sums in _rows(_SETS + _PAIRS, since, until):
        pairs[week, lang][pair] = [float(number) for number in sums]
    for key in values:
        yield WeeklyLabels(week=key[0], lang=key[1], values=values[key], pairs=pairs[key])


def _people(since: datetime, until: datetime) -> Iterator[WeeklyPeople]:
    found: dict[Key, dict[str, int]] = defaultdict(dict)
    for week, lang, first, number in _rows(
        _PEOPLE, since, until, kinds=[str(kind) for kind in LISTED]
    ):
        found[week, lang][first.isoformat()] = number
    for (week, lang), firsts in found.items():
        active = sum(firsts.values())
        yield WeeklyPeople(week=week, lang=lang, active=active, by_first_week=firsts)


def _rows(query: str, since: datetime, until: datetime, **parameters: Any) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"since": since, "until": until} | parameters)
        return cursor.fetchall()
