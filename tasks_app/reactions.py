"""Emoji, reports and free labels: what people say about a message outside of tasks."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from oasst.lib import database
from oasst.lib.errors import DomainError
from tasks_app import announcing, journal, labels, moderation, trees, turns
from tasks_app.config import TreeConfig
from tasks_app.enums import ContributionKind, Emoji, LabelKind, ReportState, SkipMark
from tasks_app.errors import MessageNotFound
from tasks_app.models import Message, MessageTree, Reaction, Report, TextLabels

if TYPE_CHECKING:
    from oasst.accounts.models import User

_OPPOSITE = {Emoji.THUMBS_UP: Emoji.THUMBS_DOWN, Emoji.THUMBS_DOWN: Emoji.THUMBS_UP}


class InvalidReaction(DomainError):
    """An emoji or operation that does not exist."""

    code = "invalid_reaction"
    default_message = _("This reaction does not exist.")


class InvalidReport(DomainError):
    """A report without a known category."""

    code = "invalid_report"
    default_message = _("Please choose what is wrong with the message.")


@database.retried
def react(
    message_id: uuid.UUID, user: "User", code: str, *, now: datetime, op: str = "toggle"
) -> dict[str, int]:
    """Add, remove or toggle an emoji; returns the message's counters.

    Thumbs up and down exclude each other, and one's own message takes no thumbs of one's own.
    Adding what is there or removing what is not changes nothing. Source: reference 1.3.
    """
    if code not in Emoji or op not in {"add", "remove", "toggle"}:
        raise InvalidReaction
    message, tree = lock_message(message_id, user, now)
    own_thumb = code in _OPPOSITE and message.user_id == user.pk
    has = Reaction.objects.filter(message=message, user=user, code=code).exists()
    wanted = not has if op == "toggle" else op == "add"
    if own_thumb or wanted == has:
        return message.emojis
    if not wanted:
        _remove(message, user, code)
        return message.emojis
    _add(message, user, Emoji(code), now)
    _settle(tree, message, code, now)
    return message.emojis


@database.retried
def report(
    message_id: uuid.UUID, user: "User", category: str, text: str, *, now: datetime
) -> Report:
    """Ask the moderators to look at a message; this also sets a red flag.

    A second report by the same person, while the first is open, replaces its words.
    """
    if category not in labels.REPORT_LABELS:
        raise InvalidReport
    message, tree = lock_message(message_id, user, now)
    stored, _created = Report.objects.update_or_create(
        message=message,
        user=user,
        state=ReportState.OPEN,
        defaults={"category": category, "text": text.strip()[:2000]},
        create_defaults={
            "category": category,
            "text": text.strip()[:2000],
            "created_at": now,
        },
    )
    values = {category: labels.reported_value(category)}
    _put_labels(message, user, LabelKind.REPORT, values, now)
    if not Reaction.objects.filter(message=message, user=user, code=Emoji.RED_FLAG).exists():
        _add(message, user, Emoji.RED_FLAG, now)
        _settle(tree, message, Emoji.RED_FLAG, now)
    journal.record(ContributionKind.REPORT, user=user, now=now, message=message)
    announcing.enqueue()
    return stored


@database.retried
def label_freely(
    message_id: uuid.UUID, user: "User", values: Mapping[str, float], *, now: datetime
) -> TextLabels:
    """Label a message outside of a task. Does not count as a review; can be changed later."""
    message, _tree = lock_message(message_id, user, now)
    form = labels.free_form(message.role, is_root=message.is_root)
    checked = labels.validate(dict(values), valid=form.valid, mandatory=form.mandatory)
    label_set = _put_labels(message, user, LabelKind.FREE, checked, now)
    journal.record(ContributionKind.FREE_LABELS, user=user, now=now, message=message)
    return label_set


def add_mark(message: Message, user: "User", mark: SkipMark, *, now: datetime) -> None:
    """Note that `user` skipped `message`. Caller holds the tree's row lock."""
    _made, created = Reaction.objects.get_or_create(
        message=message, user=user, code=mark, defaults={"created_at": now}
    )
    if created:
        count(message, mark, 1)


def lock_message(message_id: uuid.UUID, user: "User", now: datetime) -> tuple[Message, MessageTree]:
    """The message, with its tree locked. Raises NotAllowed, and MessageNotFound
    also for deleted ones and those that are held back from this person.
    """
    turns.require_contributor(user, now)
    tree = MessageTree.objects.locked().filter(messages=message_id).first()
    turns.require_contributor_still(user, now)
    there = Message.objects.there_for(user)
    message = there.filter(pk=message_id, deleted=False).first()
    if tree is None or message is None:
        raise MessageNotFound
    return message, tree


def _add(message: Message, user: "User", code: Emoji, now: datetime) -> None:
    if code in _OPPOSITE:
        _remove(message, user, _OPPOSITE[code])
    Reaction.objects.create(message=message, user=user, code=code, created_at=now)
    count(message, code, 1)


def take_away(message: Message, user: "User", code: str) -> None:
    """Remove an emoji or skip mark. Caller holds the tree's row lock."""
    _remove(message, user, code)


def _remove(message: Message, user: "User", code: str) -> None:
    gone, _details = Reaction.objects.filter(message=message, user=user, code=code).delete()
    if gone:
        count(message, code, -1)


def count(message: Message, code: str, step: int) -> None:
    """Move the counter of an emoji or skip mark. Caller holds the tree's row lock."""
    given = message.emojis.get(code, 0) + step
    if given > 0:
        message.emojis[code] = given
    else:
        message.emojis.pop(code, None)
    message.save(update_fields=["emojis"])


def _put_labels(
    message: Message, user: "User", kind: LabelKind, values: dict[str, float], now: datetime
) -> TextLabels:
    label_set, _created = TextLabels.objects.update_or_create(
        message=message, user=user, kind=kind, defaults={"values": values, "created_at": now}
    )
    return label_set


def _settle(tree: MessageTree, message: Message, mark: str, now: datetime) -> None:
    config = TreeConfig.current()
    if moderation.auto_moderate(tree, message, mark, config=config, now=now):
        trees.advance(tree, config=config, now=now)
