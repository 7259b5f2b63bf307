"""Which offers a person may take: drawing one at random, and counting them.

Written in SQL, because each hand-out and each dashboard asks this, and the plan matters: one
probe of the index `offer_draw` per kind and language, however many offers there are.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from django.db import connections, router

from tasks_app.enums import LABEL_TASKS, RANK_TASKS, REPLY_TASKS, LabelKind, SkipMark, TaskType
from tasks_app.models import Offer

# So many candidates per kind and language are looked at, in case others have locked their trees.
NEAR = 3


@dataclass(frozen=True)
class Trace:
    """What somebody did that bars a message for them: rows of theirs that name the message."""

    table: str
    column: str
    condition: str = "TRUE"


# Nobody reviews or ranks an own message, does the same twice, or sees a skipped item again.
_IN_HAND = Trace("task", "message_id", "x.holds_slot")
_OWN_REPLY = Trace("message", "parent_id", "NOT x.deleted")
_RULES: dict[frozenset[TaskType], tuple[Trace, ...]] = {
    LABEL_TASKS: (
        _IN_HAND,
        Trace("task", "gold_id"),
        Trace("reaction", "message_id", f"x.code = '{SkipMark.LABELING}'"),
        Trace("textlabels", "message_id", f"x.kind = '{LabelKind.TASK}'"),
        Trace("message", "id", "NOT x.deleted"),
    ),
    RANK_TASKS: (
        _IN_HAND,
        Trace("reaction", "message_id", f"x.code = '{SkipMark.RANKING}'"),
        Trace("ranking", "parent_id"),
        _OWN_REPLY,
    ),
    REPLY_TASKS: (
        _IN_HAND,
        Trace("reaction", "message_id", f"x.code = '{SkipMark.REPLY}'"),
        _OWN_REPLY,
    ),
}
_NUMBERS = {group: number for number, group in enumerate(_RULES)}


@dataclass(frozen=True)
class Search:
    """Offers that somebody may take.

    Of the first of the `wanted` groups of like kinds that has any, in one of `langs`. `message_id`
    and `tree_id` leave out all others.
    """

    user_id: uuid.UUID
    wanted: Sequence[Sequence[TaskType]]
    langs: Collection[str]
    message_id: uuid.UUID | None = None
    tree_id: uuid.UUID | None = None


def draw(search: Search, point: float, *, prefer_lonely: bool = False) -> Offer | None:
    """The offer at or after `point` on the ring of random numbers from 0 to 1, its tree locked.

    Looks past trees that others have locked. Lonely messages come first if wanted.
    """
    stretches = [("o.shuffle >= %(point)s",), ("o.shuffle < %(point)s",)]
    lonely = [("o.lonely", *stretch) for stretch in stretches] if prefer_lonely else []
    return _first(search, (*lonely, *stretches), _LOCKING, point)


def peek(search: Search) -> Offer | None:
    """One of the offers, whoever has locked its tree."""
    return _first(search, ((),), _WAITING)


def _first(
    search: Search, stretches: tuple[tuple[str, ...], ...], step: str, point: float = 0.0
) -> Offer | None:
    rules = [next(each for each in _RULES if each.issuperset(kinds)) for kinds in search.wanted]
    if search.message_id:
        stretches = tuple(("o.message_id = %(message)s", *stretch) for stretch in stretches)
    if search.tree_id:
        stretches = tuple(("o.tree_id = %(tree)s", *stretch) for stretch in stretches)
    with connections[router.db_for_write(Offer)].cursor() as cursor:
        cursor.execute(
            _query(frozenset(rules), stretches, step),
            {
                "user": search.user_id,
                "rules": [_NUMBERS[each] for each in rules],
                "kinds": [",".join(kinds) for kinds in search.wanted],
                "langs": list(search.langs),
                "point": point,
                "message": search.message_id,
                "tree": search.tree_id,
            },
        )
        row = cursor.fetchone()
    return Offer(message_id=row[0], tree_id=row[1], kind=row[2], lang=row[3]) if row else None


def count(user_id: uuid.UUID, langs: Collection[str]) -> dict[TaskType, int]:
    """How many offers of each kind there are for somebody; kinds with none are absent."""
    with connections[router.db_for_read(Offer)].cursor() as cursor:
        cursor.execute(_count_query(), {"user": user_id, "langs": list(langs)})
        return {TaskType(kind): number for kind, number in cursor.fetchall()}


_LOCKING = """SELECT c.message_id, c.tree_id, c.kind, c.lang
    FROM ({nearest}) c JOIN tasks_app_messagetree t ON t.id = c.tree_id
    ORDER BY c.shuffle LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED"""
_WAITING = """SELECT c.message_id, c.tree_id, c.kind, c.lang
    FROM ({nearest}) c ORDER BY c.shuffle LIMIT 1"""


@cache
def _query(
    groups: frozenset[frozenset[TaskType]], stretches: tuple[tuple[str, ...], ...], step: str
) -> str:
    """PostgreSQL takes groups, and the stretches of each, in turn and stops at the first row."""
    steps: list[str] = []
    for group in (group for group in _RULES if group in groups):
        barred = tuple(map(_without, _RULES[group]))
        for stretch in stretches:
            if "o.lonely" in stretch and group != REPLY_TASKS:
                continue  # no others are
            found = step.format(nearest=_nearest((*stretch, *barred)))
            steps.append(
                f"SELECT * FROM ({found}) step{len(steps)} WHERE wanted.rules = {_NUMBERS[group]}"
            )
    return f"""SELECT found.* FROM unnest(%(rules)s::int[], %(kinds)s::text[]) wanted(rules, kinds),
        LATERAL ({" UNION ALL ".join(steps)}) found LIMIT 1"""


def _nearest(rules: tuple[str, ...]) -> str:
    """The first few candidates of every kind and language."""
    return f"""SELECT near.*
        FROM unnest(string_to_array(wanted.kinds, ',')) like_it(kind),
        unnest(%(langs)s::text[]) spoken(lang),
        LATERAL (SELECT o.message_id, o.tree_id, o.kind, o.lang, o.shuffle FROM tasks_app_offer o
            WHERE o.kind = like_it.kind AND o.lang = spoken.lang AND o.slots > 0
                AND {" AND ".join(rules)}
            ORDER BY o.shuffle LIMIT {NEAR}) near"""


def _without(trace: Trace) -> str:
    """A probe for each offer: right for a draw, which looks at few.

    OFFSET keeps PostgreSQL from making a join of it, which reads all that somebody ever did.
    """
    return f"""NOT EXISTS (SELECT FROM tasks_app_{trace.table} x
        WHERE x.{trace.column} = o.message_id AND x.user_id = %(user)s AND {trace.condition}
        OFFSET 0)"""


def _barred(trace: Trace) -> str:
    """All messages that a trace bars: right for counting, which looks at every offer."""
    return f"""SELECT x.{trace.column} FROM tasks_app_{trace.table} x WHERE x.user_id = %(user)s
        AND x.{trace.column} IS NOT NULL AND {trace.condition}"""


@cache
def _count_query() -> str:
    return " UNION ALL ".join(
        f"""SELECT o.kind, count(*) FROM tasks_app_offer o
        WHERE o.kind IN ({", ".join(f"'{kind}'" for kind in sorted(group))})
            AND o.lang = ANY(%(langs)s) AND o.slots > 0
            AND o.message_id NOT IN ({" UNION ALL ".join(map(_barred, traces))})
        GROUP BY o.kind"""
        for group, traces in _RULES.items()
    )
