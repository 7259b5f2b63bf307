"""How gold items come about and end: moderators make them, or reviews that all agree do."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connections, router, transaction
from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError
from tasks_app import practice, reliability
from tasks_app.config import TreeConfig
from tasks_app.enums import GoldSource, ModerationKind, SkillGroup
from tasks_app.errors import MessageNotFound
from tasks_app.labels import MANDATORY, free_form, validate
from tasks_app.models import GoldItem, Message
from tasks_app.moderation_log import record, require_reason
from tasks_app.reviews import takes_in

# Reviews that agree, at least; fewer where overlap is adaptive, which asks no more of those who do.
UNANIMOUS_OF = 3
NEWEST = 2000  # so many decided messages of a language and verdict are looked at
MOST_EXPLAINED = 1000  # characters


class AlreadyGold(DomainError):
    """The message is a gold item already."""

    code = "already_gold"
    status = 409
    default_message = _("This message is a gold item already. Retire it first to change it.")


class GoldUndecided(DomainError):
    """Nobody knows yet whether the message belongs here."""

    code = "gold_undecided"
    status = 409
    default_message = _(
        "Only a message that reviewers have decided about, and that is not deleted, can be a gold "
        "item: else somebody might be asked for a real review of it."
    )


@transaction.atomic
def make(
    message_id: uuid.UUID,
    answers: Mapping[str, float],
    *,
    explanation: str,
    actor: Any,
    now: datetime,
    source: GoldSource = GoldSource.MODERATOR,
    for_practice: bool = False,
) -> GoldItem:
    """Use a decided message as a gold item, or one that was retired, with new answers.

    `for_practice`: visitors judge it before they have an account, and it tests nobody.
    Raises MessageNotFound, GoldUndecided, AlreadyGold, InvalidLabels, ReasonMissing, ReasonTooLong.
    """
    require_reason(explanation, limit=MOST_EXPLAINED)
    message = Message.objects.select_for_update(of=("self",), no_key=True).filter(pk=message_id)
    found = message.select_related("gold_item").first()
    if found is None:
        raise MessageNotFound
    if found.deleted or found.review_result is None:
        raise GoldUndecided
    if hasattr(found, "gold_item") and found.gold_item.active:
        raise AlreadyGold
    form = free_form(found.role, is_root=found.is_root)
    item, _ = GoldItem.objects.update_or_create(
        message=found,
        defaults={
            "answers": validate(answers, valid=form.valid, mandatory=MANDATORY),
            "explanation": explanation.strip(),
            "source": source,
            "active": True,
            "for_practice": for_practice,
            "made_by": actor,
            "made_at": now,
        },
    )
    _note_made(found, actor=actor, reason=explanation, now=now)
    return item


@transaction.atomic
def retire(message_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> None:
    """Stop using a gold item; what its answers taught is forgotten. Retiring twice is fine."""
    require_reason(reason)
    message = Message.objects.filter(pk=message_id).first()
    if message is not None and set_active(message, False):
        record(ModerationKind.RETIRE_GOLD, actor=actor, reason=reason, now=now, message=message)


def set_active(message: Message, wanted: bool) -> bool:
    """Use the gold item of a message again, or no longer. False if that changes nothing, or cannot
    be because the message is not decided any more. Call it in a transaction."""
    if wanted and (message.deleted or message.review_result is None):
        return False
    item = GoldItem.objects.select_for_update().filter(pk=message.pk, active=not wanted).first()
    if item is None:
        return False
    item.active = wanted
    item.save(update_fields=["active"])
    practice.forget_gold()
    reliability.forget_means(SkillGroup.ACCEPTANCE, [message.lang])
    return True


def _note_made(message: Message, *, actor: Any, reason: str, now: datetime) -> None:
    practice.forget_gold()
    reliability.forget_means(SkillGroup.ACCEPTANCE, [message.lang])
    record(ModerationKind.MAKE_GOLD, actor=actor, reason=reason, now=now, message=message)


_UNANIMOUS = """
    SELECT m.id, min(l.spam), min(l.mismatch)
    FROM (SELECT id FROM tasks_app_message WHERE lang = %(lang)s AND review_result = %(verdict)s
            AND NOT deleted ORDER BY created_at DESC LIMIT %(newest)s) m
    JOIN (SELECT message_id, user_id, (values->>'spam')::float AS spam,
            coalesce((values->>'lang_mismatch')::float, 0) AS mismatch
        FROM tasks_app_textlabels WHERE kind = 'task' AND NOT held) l ON l.message_id = m.id
    LEFT JOIN tasks_app_reliability r ON r.user_id = l.user_id AND r.lang = %(lang)s
        AND r."group" = %(group)s AND r.doubtful
    WHERE NOT EXISTS (SELECT FROM tasks_app_golditem g WHERE g.message_id = m.id)
    GROUP BY m.id
    HAVING count(*) >= %(fewest)s AND count(r.id) = 0
        AND min(l.spam) = max(l.spam) AND min(l.mismatch) = max(l.mismatch)
        AND (min(l.spam) + min(l.mismatch) = 0) = %(verdict)s
    ORDER BY m.id LIMIT %(room)s
"""


def promote_unanimous(lang: str, *, config: TreeConfig, now: datetime) -> int:
    """Fill up the gold items of a language from messages whose reviewers all agree.

    Half of them are messages that belong here and half ones that do not, as far as there are: by
    always saying yes nobody is right. Retired items do not come back. Returns how many are new.
    """
    in_use = GoldItem.objects.filter(active=True, for_practice=False, message__lang=lang)
    verdicts = [takes_in(answers) for answers in in_use.values_list("answers", flat=True)]
    return sum(
        _promote(
            lang,
            verdict,
            config.gold_items_per_lang // 2 - verdicts.count(verdict),
            fewest=_fewest(config),
            now=now,
        )
        for verdict in (True, False)
    )


def _fewest(config: TreeConfig) -> int:
    if not config.adaptive_overlap:
        return UNANIMOUS_OF
    return min(UNANIMOUS_OF, max(2, config.adaptive_least_reviews))


@transaction.atomic
def _promote(lang: str, verdict: bool, room: int, *, fewest: int, now: datetime) -> int:
    if room <= 0:
        return 0
    names: dict[str, str | int | bool] = {
        "lang": lang,
        "verdict": verdict,
        "newest": NEWEST,
        "group": SkillGroup.ACCEPTANCE,
        "fewest": fewest,
        "room": room,
    }
    with connections[router.db_for_write(GoldItem)].cursor() as cursor:
        cursor.execute(_UNANIMOUS, names)
        found = cursor.fetchall()
    for pk, spam, mismatch in found:
        item = GoldItem.objects.create(
            message_id=pk,
            answers={"spam": spam, "lang_mismatch": mismatch},
            source=GoldSource.UNANIMOUS,
            made_at=now,
        )
        _note_made(item.message, actor=None, reason="all reviewers agreed", now=now)
    return len(found)
