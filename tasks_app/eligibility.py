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


def draw(
    user_id: uuid.UUID,
    kinds: Sequence[TaskType],
    langs: Collection[str],
    point: float,
    *,
    prefer_lonely: bool = False,
    message_id: uuid.UUID | None = None,
    tree_id: uuid.UUID | None = None,
) -> tuple[Offer, bool] | None:
    """The offer of like `kinds` at or after `point` on the ring of random numbers from 0 to 1.

    Locks its tree, looking past trees that others have locked. If all are, gives one of them with
    True: the caller must wait for its tree. Lonely messages come first if wanted; `message_id` and
    `tree_id` leave out all others.
    """
    group = next(group for group in _RULES if group.issuperset(kinds))
    query = _draw_query(group, prefer_lonely, message_id is not None, tree_id is not None)
    with connections[router.db_for_write(Offer)].cursor() as cursor:
        cursor.execute(
            query,
            {
                "user": user_id,
                "kinds": [str(kind) for kind in kinds],
                "langs": list(langs),
                "point": point,
                "message": message_id,
                "tree": tree_id,
            },
        )
        row = cursor.fetchone()
    if row is None:
        return None
    pk, tree, kind, lang, is_locked_by_others = row
    return Offer(message_id=pk, tree_id=tree, kind=kind, lang=lang), is_locked_by_others


def count(user_id: uuid.UUID, langs: Collection[str]) -> dict[TaskType, int]:
    """How many offers of each kind there are for somebody; kinds with none are absent."""
    with connections[router.db_for_read(Offer)].cursor() as cursor:
        cursor.execute(_count_query(), {"user": user_id, "langs": list(langs)})
        return {TaskType(kind): number for kind, number in cursor.fetchall()}


@cache
def _draw_query(
    group: frozenset[TaskType], prefer_lonely: bool, of_message: bool, of_tree: bool
) -> str:
    rules = tuple(map(_without, _RULES[group]))
    if of_message:
        rules = ("o.message_id = %(message)s", *rules)
    if of_tree:
        rules = ("o.tree_id = %(tree)s", *rules)
    ring = ("o.shuffle >= %(point)s", "o.shuffle < %(point)s")
    stretches = [(half, *rules) for half in ring]
    if prefer_lonely:
        stretches = [("o.lonely", *stretch) for stretch in stretches] + stretches
    steps = [*map(_locking, stretches), _waiting(rules)]
    # PostgreSQL takes the steps in turn and stops at the first row.
    rows = [f"SELECT * FROM ({step}) step{number}" for number, step in enumerate(steps)]
    return " UNION ALL ".join(rows) + " LIMIT 1"


def _locking(rules: tuple[str, ...]) -> str:
    return f"""SELECT c.message_id, c.tree_id, c.kind, c.lang, false
        FROM ({_nearest(rules)}) c JOIN tasks_app_messagetree t ON t.id = c.tree_id
        ORDER BY c.shuffle LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED"""


def _waiting(rules: tuple[str, ...]) -> str:
    return f"""SELECT c.message_id, c.tree_id, c.kind, c.lang, true
        FROM ({_nearest(rules)}) c ORDER BY c.shuffle LIMIT 1"""


def _nearest(rules: tuple[str, ...]) -> str:
    """The first few candidates of every kind and language."""
    return f"""SELECT near.*
        FROM unnest(%(kinds)s::text[]) wanted(kind), unnest(%(langs)s::text[]) spoken(lang),
        LATERAL (SELECT o.message_id, o.tree_id, o.kind, o.lang, o.shuffle FROM tasks_app_offer o
            WHERE o.kind = wanted.kind AND o.lang = spoken.lang AND o.slots > 0
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
