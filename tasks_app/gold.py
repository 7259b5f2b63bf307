"""Gold items: messages whose right labels are known, given now and then as reviews like any other.

Drawing one for a person and taking the answer, which says nothing about the message but something
about its person. How they come about: `gold_items`.
"""

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, router
from django.utils.functional import Promise

from tasks_app import offers, reliability
from tasks_app.config import TreeConfig
from tasks_app.enums import SkipMark, TaskType
from tasks_app.errors import NoLongerNeeded
from tasks_app.labels import LABELS, Widget
from tasks_app.models import GoldAnswer, GoldItem, Offer, Task

# One step of a five-step scale beside the right one is right too.
TOLERANCE = 0.25

# Nobody gets one of a tree they wrote in (they are told what became of it), one they have labelled
# or skipped, or the same twice.
_DRAW = """
    WITH gold AS (
    SELECT g.message_id FROM tasks_app_golditem g JOIN tasks_app_message m ON m.id = g.message_id
    WHERE g.active AND NOT g.for_practice AND NOT m.deleted AND m.review_result IS NOT NULL
        AND m.lang = %(lang)s AND m.role = %(role)s AND (m.parent_id IS NULL) = %(is_root)s
        AND NOT EXISTS (SELECT FROM tasks_app_message x WHERE x.tree_id = m.tree_id
            AND x.user_id = %(user)s)
        AND NOT EXISTS (SELECT FROM tasks_app_task x WHERE x.message_id = m.id
            AND x.user_id = %(user)s AND x.kind LIKE 'label%%')
        AND NOT EXISTS (SELECT FROM tasks_app_textlabels x
            WHERE x.message_id = m.id AND x.user_id = %(user)s)
        AND NOT EXISTS (SELECT FROM tasks_app_reaction x WHERE x.message_id = m.id
            AND x.user_id = %(user)s AND x.code = %(skipped)s)
        AND %(roll)s < CASE WHEN (SELECT count(*) FROM (SELECT FROM tasks_app_contribution x
            WHERE x.user_id = %(user)s AND x.kind = 'labels' LIMIT %(first)s) few) < %(first)s
            THEN %(p_newcomer)s ELSE %(p)s END
    ORDER BY md5(g.message_id::text || %(roll)s::text) LIMIT 1
    ), taken AS (
        UPDATE tasks_app_offer SET slots = slots - 1
        WHERE message_id = %(offer)s AND kind = %(kind)s AND slots > 0
            AND NOT EXISTS (SELECT FROM gold)
        RETURNING message_id
    )
    SELECT (SELECT message_id FROM gold), EXISTS (SELECT FROM taken)
"""


def instead_of(
    offer: Offer, user: Any, *, config: TreeConfig, rng: random.Random
) -> tuple[uuid.UUID | None, bool]:
    """The gold item, if it is to be one, that `user` reviews in place of the message on offer, and
    whether the slot of the offer was taken: else, unless somebody was quicker.

    Of the same kind and language, so that it comes only where such work exists. One query either
    way. Caller holds the row lock of the offer's tree.
    """
    roll = rng.random()
    if roll >= max(config.p_gold, config.p_gold_newcomer):
        return None, offers.take_slot(offer)
    kind = TaskType(offer.kind)
    names = {
        "offer": offer.pk,
        "kind": str(kind),
        "user": user.pk,
        "lang": offer.lang,
        "role": "assistant" if kind == TaskType.LABEL_ASSISTANT_REPLY else "prompter",
        "is_root": kind == TaskType.LABEL_INITIAL_PROMPT,
        "skipped": SkipMark.LABELING,
        "roll": roll,
        "first": config.gold_newcomer_reviews,
        "p_newcomer": config.p_gold_newcomer,
        "p": config.p_gold,
    }
    with connections[router.db_for_write(GoldItem)].cursor() as cursor:
        cursor.execute(_DRAW, names)
        gold_id, is_taken = cursor.fetchone()
    return gold_id, is_taken


def answer(task: Task, values: dict[str, float], *, now: datetime) -> GoldAnswer:
    """Store what somebody answered to a gold item, and learn from it how well they judge.

    Changes nothing about the message. Caller holds the person's lock. Raises NoLongerNeeded.
    """
    item, message = task.gold, task.message
    if item is None or message is None or message.deleted:
        raise NoLongerNeeded
    stored = GoldAnswer.objects.create(
        task=task,
        item=item,
        user=task.user,
        values=values,
        missed=_missed(item, values),
        created_at=now,
    )
    if item.active:
        reliability.teach(stored, lang=message.lang, now=now)
    return stored


def _missed(item: GoldItem, values: Mapping[str, float]) -> list[str]:
    """Labels that were answered otherwise; an item that was retired meanwhile blames nobody."""
    if not item.active:
        return []
    return [
        name
        for name, right in item.answers.items()
        if name in values and abs(values[name] - right) > _tolerance(name)
    ]


def _tolerance(name: str) -> float:
    return TOLERANCE if LABELS[name].widget == Widget.LIKERT else 0.0


@dataclass(frozen=True)
class Comparison:
    """One label of a gold item beside somebody's answer, in words."""

    title: str | Promise
    given: str | Promise
    right: str | Promise
    is_right: bool


def comparisons(given: GoldAnswer) -> list[Comparison]:
    """The labels whose right answer is known and that were asked, in the order of the form."""
    return [
        Comparison(
            LABELS[name].title,
            _word(name, given.values[name]),
            _word(name, right),
            name not in given.missed,
        )
        for name, right in given.item.answers.items()
        if name in given.values and name in LABELS
    ]


def _word(name: str, value: float) -> str | Promise:
    return dict(LABELS[name].choices_ascending).get(value, f"{value:g}")
