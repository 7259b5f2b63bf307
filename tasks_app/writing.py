"""How a text came to be: how much of it was pasted, and how long its author was at it.

A quiet word for those who review the message, and for moderators; nobody else learns of it, and
nothing may follow by itself. The author's browser counts, so it proves nothing; and people write
elsewhere, dictate and use assistive tools, all of which look like this.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists

from tasks_app.models import Message, MessageTree
from tasks_app.writing_records import WritingTrace

MOSTLY = 0.5
# Faster than people type and, from one end to the other, than most speak. Short texts say nothing.
QUICK_PER_S = 15
LEAST_CHARACTERS = 200


@dataclass(frozen=True)
class Counted:
    """What a page says of a text that was entered on it."""

    pasted: int  # characters
    seconds: int  # long pauses left out


@dataclass(frozen=True)
class Entered:
    """How a text was entered, for people."""

    pasted: int
    seconds: int
    characters: int

    @property
    def is_mostly_pasted(self) -> bool:
        """True if half of it or more came by pasting."""
        return self.pasted >= max(1, MOSTLY * self.characters)

    @property
    def is_quick(self) -> bool:
        """True if it came faster than people type or dictate."""
        is_long = self.characters >= LEAST_CHARACTERS
        return is_long and self.characters > QUICK_PER_S * self.seconds

    @property
    def is_unusual(self) -> bool:
        """True if there is something to say about it."""
        return self.is_mostly_pasted or self.is_quick


def keep(message: Message, counted: Counted, *, handed_out: datetime) -> None:
    """Store what the page counted for a new message, within what is possible at all."""
    elapsed = (message.created_at - handed_out).total_seconds()
    WritingTrace.objects.create(
        message=message,
        pasted=min(max(counted.pasted, 0), len(message.text)),
        seconds=min(max(counted.seconds, 0), max(round(elapsed), 0)),
    )


def of(message: Message) -> Entered | None:
    """How a message was entered; None if that is not known. One query, if it is not loaded."""
    return _entered(message, getattr(message, "writing", None))


def hint(message: Message) -> Entered | None:
    """What a reviewer is told: only what is unusual. One query.

    Nothing where people's replies are ranked blind beside those of models, here or in a copy of
    the tree: a reviewer who ranks there later would know one that a person wrote.
    """
    models = Message.objects.filter(parent=message.parent_id, parent__isnull=False, synthetic=True)
    copies = MessageTree.objects.filter(copy_of=message.tree_id)
    rows = WritingTrace.objects.filter(~Exists(models), ~Exists(copies), message=message)
    entered = _entered(message, rows.first())
    return entered if entered and entered.is_unusual else None


def _entered(message: Message, row: WritingTrace | None) -> Entered | None:
    return Entered(row.pasted, row.seconds, len(message.text)) if row else None


def forget(ids: Collection[UUID]) -> None:
    """Keep nothing of how these messages were entered, as when their texts are others now."""
    WritingTrace.objects.filter(message__in=ids).delete()
