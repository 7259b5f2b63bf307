"""Fills the words by which older messages are found, after a release that changed them.

A migration says that there is something to fill; a job does it, so that nobody waits with a new
release until a million messages are through. The cursor's row is there as long as it goes on.
"""

import logging
import time
import uuid
from datetime import datetime

from django.db import connection

from oasst.lib.session_lock import SessionLock
from tasks_app import search_sql
from tasks_app.notice_records import EventCursor

logger = logging.getLogger(__name__)

# The row of `EventCursor`. Its position: the first 63 bits of the last message's id.
SOURCE = "search_words"
UNSEEN_BITS = 65


def go_on(*, for_s: float, now: datetime) -> None:
    """Fill for some time from where the last one stopped; nothing if all is filled."""
    cursor = EventCursor.objects.filter(source=SOURCE).first()
    with SessionLock("tasks_app.search_filling").alone() as is_ours:
        if cursor is None or not is_ours:
            return
        after: uuid.UUID | None = uuid.UUID(int=cursor.position << UNSEEN_BITS)
        ends_at = time.monotonic() + for_s
        while after is not None and time.monotonic() < ends_at:
            after = search_sql.fill_slice(connection, after)
        if after is None:
            cursor.delete()
            logger.info("all messages are found by the words of their language")
        else:
            cursor.position, cursor.seen_at = after.int >> UNSEEN_BITS, now
            cursor.save(update_fields=["position", "seen_at"])
