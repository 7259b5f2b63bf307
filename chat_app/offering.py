"""Turns a question with its drafts into a ranking task: a message tree of synthetic replies.

The person's word that this may happen is written down and stays. The tree bears no name and has
new ids, so nothing leads from it to the chat.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from chat_app import access, conversations
from chat_app.enums import Hold, MessageState, Role
from chat_app.models import ChatMessage, TaskConsent
from oasst.lib import ratelimit
from oasst.lib.errors import DomainError, TooMuch
from tasks_app import export_format
from tasks_app.export_format import BadLine, MessageNode, MessageTree
from tasks_app.importing import import_trees

if TYPE_CHECKING:
    from oasst.accounts.models import User

LICENCE = "Apache-2.0"
FEWEST_DRAFTS, MOST_DRAFTS = 2, 6
STATE = "backlog_ranking"
# Every one is work for several people.
OFFERS_PER_HOUR = 20


class NothingToRank(DomainError):
    """One answer alone cannot be ranked."""

    code, status = "nothing_to_rank", 409
    default_message = _(
        "There is only one complete answer here, so there is nothing to compare it with. "
        "Let the assistant write others first."
    )


class KeptPrivate(DomainError):
    """The chat is kept out of training, and a task is training."""

    code, status = "kept_private", 409
    default_message = _(
        "This chat is kept out of training, so its answers are not shown to others. "
        "Allow its use below the message field first, if you have changed your mind."
    )


class TooManyOffers(TooMuch):
    code = "too_many_offers"
    default_message = _("You have offered many answers in a short time. Try again in an hour.")


class NotOffered(DomainError):
    """The thread holds something that must not become public, or has a gap."""

    code, status = "not_offered", 409
    default_message = _(
        "This conversation cannot become a task: a message of it was held back, or is missing."
    )


@dataclass(frozen=True)
class Offer:
    """What would become public: the thread to the question, and the answers to rank."""

    thread: list[ChatMessage]
    drafts: list[ChatMessage]
    consent: TaskConsent | None

    @property
    def prompt(self) -> ChatMessage:
        return self.thread[-1]

    @property
    def is_marked(self) -> bool:
        """True if the safety check found what may be personal data."""
        return any(message.hold == Hold.MARKED for message in [*self.thread, *self.drafts])


def preview(reply: ChatMessage) -> Offer:
    """What offering `reply` would publish. Raises KeptPrivate, NothingToRank, NotOffered."""
    if not reply.chat.allow_data_use:
        raise KeptPrivate
    if reply.role != Role.ASSISTANT or reply.parent is None:
        raise NothingToRank
    thread = conversations.thread(reply.parent)
    drafts = _best_first(reply, conversations.siblings(reply))
    if any(not said.text.strip() or said.hold == Hold.HELD for said in thread):
        raise NotOffered
    if len(drafts) < FEWEST_DRAFTS:
        raise NothingToRank
    return Offer(thread, drafts, TaskConsent.objects.filter(message=reply.parent).first())


def _best_first(reply: ChatMessage, siblings: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The complete answers, this one certainly among them, in the order they were written."""
    complete = [
        each
        for each in siblings
        if each.state == MessageState.DONE
        and not each.is_truncated
        and each.text.strip()
        and each.hold != Hold.HELD
    ]
    different = {each.text.strip(): each for each in reversed(complete)}
    chosen = sorted(different.values(), key=lambda each: each.pk != reply.pk)[:MOST_DRAFTS]
    return sorted(chosen, key=lambda each: (each.created_at, each.pk))


@transaction.atomic
def offer(reply: ChatMessage, user: User, *, lang: str, now: datetime) -> TaskConsent:
    """Make a tree of the thread and write down that its person allows it; twice is once.

    Raises Muted, TooManyOffers, and what `preview` raises.
    """
    access.check_may_write(user, now=now)
    conversations.lock(reply.chat, user)
    found = preview(reply)
    if found.consent is not None:
        return found.consent
    allowance = ratelimit.hit("chat-offers", str(user.pk), limit=OFFERS_PER_HOUR, window_s=3600)
    if not allowance.allowed:
        raise TooManyOffers(allowance.retry_after_s)
    tree = _tree(found, lang)
    _import(tree, now=now)
    return TaskConsent.objects.create(
        message=found.prompt,
        user=user,
        licence=LICENCE,
        tree_id=uuid.UUID(tree.message_tree_id),
        created_at=now,
    )


def _tree(found: Offer, lang: str) -> MessageTree:
    root = parent = _node(found.thread[0], None, lang)
    for message in found.thread[1:]:
        node = _node(message, parent, lang)
        parent.replies.append(node)
        parent = node
    parent.replies += [_node(draft, parent, lang) for draft in found.drafts]
    return MessageTree(root.message_id, STATE, root, origin="chat")


def _node(message: ChatMessage, parent: MessageNode | None, lang: str) -> MessageNode:
    is_reply = message.role == Role.ASSISTANT
    return MessageNode(
        message_id=str(uuid.uuid4()),
        parent_id=parent.message_id if parent else None,
        text=message.text,
        role=message.role,
        lang=lang,
        review_result=True,
        synthetic=is_reply,
        model_name=message.model_name or None,
    )


def _import(tree: MessageTree, *, now: datetime) -> None:
    """Hand the tree over in the format, which is all that the data collection takes from here."""
    refused: list[BadLine] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chat.jsonl"
        with path.open("wb") as stream:
            export_format.write_objects(stream, [export_format.tree_to_json(tree)])
        import_trees(path, now=now, on_bad=refused.append)
    if refused:
        raise NotOffered(refused[0].reason)
