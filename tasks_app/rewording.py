"""Changing an own message for as long as nobody has begun to judge it.

Whoever reviews a message judges the text they were shown. So the text stays from the moment on in
which somebody takes its review, and a review that was taken before, and whose place has lapsed,
ends when the text changes.
"""

import hashlib
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import F

from oasst.lib import database, detection
from tasks_app import screening, texts, trees, turns
from tasks_app.config import TreeConfig
from tasks_app.enums import REVIEWING_STATES, SkipMark, TreeState
from tasks_app.errors import MessageNotFound, TextChanged, TextStays
from tasks_app.models import Message, MessageTree, Reaction, Report, Task, TextLabels
from tasks_app.moderation import rewrite

if TYPE_CHECKING:
    from oasst.accounts.models import User

REASON = "by its author"


def version(message: Message) -> str:
    """A name of the text as it is, to notice that it was changed elsewhere."""
    return hashlib.sha256(message.text.encode()).hexdigest()[:16]


def may_be_open(message: Message, reader: "User") -> bool:
    """Whether to offer the reader to change the text; `find` tells for sure. Needs `tree`.

    A message that is held back looks like any other here.
    """
    is_undecided = message.review_result is None and message.review_count == 0
    in_review = is_undecided and TreeState(message.tree.state) in REVIEWING_STATES
    return in_review and message.user_id == reader.pk and not (message.deleted or message.synthetic)


def find(message_id: uuid.UUID, user: "User", *, now: datetime) -> Message:
    """An own message that may be changed now. Raises MessageNotFound, TextStays."""
    rows = Message.objects.select_related("tree", "parent")
    message = rows.filter(pk=message_id, user=user, deleted=False).first()
    if message is None:
        raise MessageNotFound
    _require_untouched(message, user, now)
    return message


@database.retried
def reword(message_id: uuid.UUID, user: "User", text: str, *, base: str, now: datetime) -> Message:
    """Give an own message another text; the one before is kept as a revision.

    `base` is the `version` that the person began with. The same text again changes nothing. Raises
    MessageNotFound, TextStays, TextChanged, and what `texts` raises.
    """
    turns.require_contributor(user, now)
    config = turns.lock_user(user)
    turns.require_contributor_still(user, now)
    tree = MessageTree.objects.locked().filter(messages=message_id, messages__user=user).first()
    if tree is None:
        raise MessageNotFound
    message, text = find(message_id, user, now=now), text.strip()
    if text == message.text:
        return message
    if base != version(message):
        raise TextChanged
    texts.check(text, config)
    texts.check_not_said(user, text, config=config, now=now, but=message.pk)
    _end_lapsed_reviews(message)
    rewrite(message, text, actor=user, reason=REASON, now=now)
    _describe(message, config)
    trees.advance(tree, config=config, now=now)
    return message


def _describe(message: Message, config: TreeConfig) -> None:
    """What is derived from the text."""
    detected = detection.detect(message.text)
    message.detected_lang, message.detoxify = detected.lang if detected else "", None
    message.findings = screening.examine(message.text, message.lang, config) or None
    message.held = message.held or bool(message.findings)
    message.save(update_fields=["detected_lang", "detoxify", "findings", "held"])


def _require_untouched(message: Message, user: "User", now: datetime) -> None:
    """Raise TextStays if anybody else has said something about it, or is about to."""
    if not may_be_open(message, user) or message.held:
        raise TextStays
    reading = Task.objects.filter(message=message, holds_slot=True, reserved_until__gt=now)
    labels = TextLabels.objects.filter(message=message).exclude(user=user)
    marks = Reaction.objects.filter(message=message).exclude(user=user)
    said = (
        labels,
        marks.exclude(code__in=list(SkipMark)),
        Report.objects.filter(message=message),
        Message.objects.filter(parent=message),
    )
    if any(rows.exists() for rows in (reading, *said)):
        raise TextStays


def _end_lapsed_reviews(message: Message) -> None:
    """A late review would be of the text before: it is refused, and can be taken up again.

    Also one that was sent a moment earlier and waits for the tree: a task ends with its beginning.
    """
    lapsed = Task.objects.filter(message=message, done_at=None, skipped_at=None)
    lapsed.update(expires_at=F("created_at"), holds_slot=False)
