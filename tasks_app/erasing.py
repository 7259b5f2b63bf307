"""Takes the texts of somebody out who deletes the account and wants them gone."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from oasst.accounts.models import User
from tasks_app import moderation, similar, topics, trees
from tasks_app.bulk import actions
from tasks_app.config import TreeConfig
from tasks_app.enums import ModerationKind as Kind
from tasks_app.models import Message, MessageRevision, Ranking, Report
from tasks_app.moderation_log import record

logger = logging.getLogger(__name__)

ERASED_TEXT = "[erased by the author]"
REASON = "erased by the author"


def erase_texts(user: User, *, now: datetime) -> None:
    """Replace what `user` wrote, hide it with what stands below, and forget its earlier texts.

    Takes one tree's lock at a time, so it must not run inside a transaction; may run twice.
    """
    wrote = Message.objects.filter(user=user).exclude(text=ERASED_TEXT)
    for tree_id in list(wrote.order_by("tree").values_list("tree", flat=True).distinct()):
        _erase_in_tree(tree_id, user, now)
    Report.objects.filter(user=user).exclude(text="").update(text="")
    Ranking.objects.filter(user=user).exclude(reason="").update(reason="")
    actions.forget_reasons(user)  # after the rows, which a purge may be taking out just now


@transaction.atomic
def _erase_in_tree(tree_id: UUID, user: User, now: datetime) -> None:
    tree = moderation.locked_tree(tree_id)
    theirs = tree.messages.filter(user=user)
    for message in theirs.order_by("depth", "created_at", "pk"):
        hidden = moderation.hide(tree, message)
        data = moderation.told_of_hidden(hidden)
        record(Kind.DELETE_MESSAGE, actor=None, reason=REASON, now=now, message=message, data=data)
    MessageRevision.objects.filter(message__in=theirs).delete()
    similar.drop(list(theirs.values_list("pk", flat=True)))
    if theirs.filter(parent=None).exists():
        topics.forget(tree)
    theirs.update(text=ERASED_TEXT, provenance="", detoxify=None, edited=False)
    trees.advance(tree, config=TreeConfig.current(), now=now)
    logger.info("tree %s: the texts of account %s were erased", tree.pk, user.pk)
