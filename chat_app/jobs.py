"""Jobs of the chat: what wakes workers, and the periodic ones on the `default` queue."""

import logging
from datetime import timedelta

from django.utils import timezone

from chat_app import replies, search_filling, workers
from chat_app.models import Chat

logger = logging.getLogger(__name__)

KEEP_API_CALLS = timedelta(hours=1)
FILLING_S = 50


def wake(model_name: str) -> None:
    """Arrive at a worker of this model, which then looks into the table; that is all it does."""


def reap_replies() -> None:
    """Queue again or end what dead workers left; workers do this too, if any lives."""
    found = replies.reap(now=timezone.now())
    if found:
        logger.info("took care of %d abandoned replies", found)


def delete_api_calls() -> None:
    """Remove calls of the OpenAI-compatible API an hour after they came."""
    old = Chat.objects.filter(from_api=True, modified_at__lt=timezone.now() - KEEP_API_CALLS)
    gone, _details = old.delete()
    logger.info("removed %d rows of API calls", gone)


def forget_workers() -> None:
    """Remove the rows of workers that ended a day ago."""
    workers.forget_old()


def fill_search_words() -> None:
    """Find older chats by the words of their language too, some with each run."""
    search_filling.go_on(for_s=FILLING_S)
