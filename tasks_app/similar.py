"""Messages that say nearly the same as another of their language.

Authors are shown them before they send, and may send all the same; reviewers and moderators see
them beside the message. Nothing follows by itself. Signatures are stored by a job after a submit,
so that no submit waits for them.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import connections, router
from django.db.models import Q

from oasst.lib import queue
from tasks_app import minhash
from tasks_app.models import Message
from tasks_app.similar_records import SimilarText, TextSignature

if TYPE_CHECKING:
    from oasst.accounts.models import User

# Of 14 000 published messages, pairs above this say the same in other words here and there.
ALIKE = 0.7
# Greetings and one-liners are alike without being copies.
LEAST_CHARACTERS = 24
# What is said so often needs no more signatures to be found: no bucket grows without end.
ENOUGH = 20
MOST_SHOWN = 3
# What a lost job left out is found again for so long.
SWEPT_FOR = timedelta(days=2)
BATCH = 500


@dataclass(frozen=True)
class Likeness:
    """A message and about how much of a text it shares, from 0 to 1."""

    message_id: uuid.UUID
    similarity: float


def find(text: str, lang: str, *, but: uuid.UUID | None = None) -> list[Likeness]:
    """Messages of a language like a text, the likest first. One query."""
    if len(minhash.plain(text)) < LEAST_CHARACTERS:
        return []
    return _like(minhash.signature(text), lang, but)


def readable(
    text: str, lang: str, reader: "User", *, now: datetime, but: uuid.UUID | None = None
) -> list[Message]:
    """Those of `find` that the reader may see now: three at most. At most two queries."""
    found = find(text, lang, but=but)
    return _shown([each.message_id for each in found], reader, now=now) if found else []


def of(message: Message) -> list[SimilarText]:
    """What a message is like, as it was when it was stored, the likest first. One query."""
    rows = SimilarText.objects.filter(message=message).select_related("other")
    return list(rows.order_by("-similarity", "pk"))


def hint(message: Message, reader: "User", *, now: datetime) -> list[Message] | None:
    """For a reviewer: None if the message is like no other, else those others they may see."""
    ids = [row.other_id for row in SimilarText.objects.filter(message=message).order_by("pk")]
    return _shown(ids, reader, now=now) if ids else None


def _shown(ids: Collection[uuid.UUID], reader: "User", *, now: datetime) -> list[Message]:
    rows = Message.objects.filter(pk__in=ids).visible().not_veiled()
    known = {row.pk: row for row in rows.not_under_review_by(reader, now)}
    return [known[pk] for pk in ids if pk in known][:MOST_SHOWN]


# Keeping signatures


def enqueue(message: Message) -> None:
    """Have a text stored to be found, once this transaction is committed."""
    queue.enqueue("tasks_app.jobs.index_text", str(message.pk))


def forget(message: Message) -> None:
    """Forget the text that a message had, and have the one it has now stored."""
    drop([message.pk])
    enqueue(message)


def drop(ids: Collection[uuid.UUID]) -> None:
    """Keep nothing of the texts that these messages had."""
    TextSignature.objects.filter(message__in=ids).delete()
    SimilarText.objects.filter(Q(message__in=ids) | Q(other__in=ids)).delete()


def index(messages: Iterable[Message]) -> None:
    """Store signatures of messages, and which older ones they are like. Twice changes nothing."""
    for message in messages:
        signature = minhash.signature(message.text)
        is_long = len(minhash.plain(message.text)) >= LEAST_CHARACTERS
        alike = _like(signature, message.lang, message.pk) if is_long else []
        keys = minhash.keys(signature, message.lang) if is_long and len(alike) < ENOUGH else []
        row = TextSignature(message=message, bands=keys, brief=minhash.brief(signature))
        TextSignature.objects.bulk_create([row], ignore_conflicts=True)
        _flag(message, alike)


def _flag(message: Message, alike: Collection[Likeness]) -> None:
    if not alike:
        return
    ids = [each.message_id for each in alike]
    older = Message.objects.filter(pk__in=ids, created_at__lte=message.created_at)
    known = set(older.values_list("pk", flat=True))
    rows = [
        SimilarText(message=message, other_id=each.message_id, similarity=each.similarity)
        for each in alike
        if each.message_id in known
    ]
    SimilarText.objects.bulk_create(rows[:MOST_SHOWN], ignore_conflicts=True)


def unindexed(
    *,
    only: uuid.UUID | None = None,
    since: datetime | None = None,
    after: uuid.UUID | None = None,
) -> list[Message]:
    """Messages without a signature: one, or some of the newest, or of those with ids beyond one.

    Copies of trees are left out: each would be like its original.
    """
    rows = Message.objects.filter(signature=None, tree__copy_of=None)
    if only:
        return list(rows.filter(pk=only))
    if since:
        return list(rows.filter(created_at__gte=since).order_by("created_at")[:BATCH])
    return list((rows.filter(pk__gt=after) if after else rows).order_by("pk")[:BATCH])


# The search must not know that a few rows are enough: it would read the table from its beginning.
_LIKE = """
    WITH near AS MATERIALIZED (
        SELECT message_id, brief FROM tasks_app_textsignature WHERE bands && %s::int[]
    )
    SELECT message_id, brief FROM near LIMIT 1000
"""


def _like(signature: minhash.Signature, lang: str, but: uuid.UUID | None) -> list[Likeness]:
    with connections[router.db_for_read(TextSignature)].cursor() as cursor:
        cursor.execute(_LIKE, [minhash.keys(signature, lang)])
        near = cursor.fetchall()
    brief = minhash.brief(signature)
    found = [Likeness(pk, minhash.shared(brief, bytes(other))) for pk, other in near if pk != but]
    alike = [each for each in found if each.similarity >= ALIKE]
    return sorted(alike, key=lambda each: (-each.similarity, each.message_id))
