"""Jobs of the data collection on the `default` queue: event-driven ones and the periodic ones.

All may run twice, and cron runs again what Redis lost.
"""

import logging
import random

from django.db import transaction
from django.utils import timezone

from tasks_app import interactions, lottery, moderation, trees
from tasks_app.config import TreeConfig
from tasks_app.models import MessageTree

logger = logging.getLogger(__name__)
_rng = random.SystemRandom()


def settle_language(lang: str, ended: int = 0) -> None:
    """Run the lottery of a language, and the backlog's chance for trees that ended."""
    lottery.settle(lang, now=timezone.now(), rng=_rng, ended=ended)


def settle_languages() -> None:
    """Run every language's lottery, in case an event was lost."""
    for lang in MessageTree.objects.order_by("lang").values_list("lang", flat=True).distinct():
        settle_language(lang)


def release_expired_reservations() -> None:
    """Free slots that nobody holds on to any more."""
    released = interactions.release_expired(now=timezone.now())
    if released:
        logger.info("released %d reservations", released)


def expire_tasks() -> None:
    """Remove tasks that nobody submitted in time."""
    logger.info("removed %d expired tasks", interactions.delete_expired(now=timezone.now()))


def halt_prompts_of_disabled_users() -> None:
    """Take prompts of banned or deleted authors out of the lottery."""
    moderation.halt_prompts_of_disabled_users(now=timezone.now())


def advance_trees() -> int:
    """Advance every active tree, as after a change of configuration; returns how many."""
    now, config = timezone.now(), TreeConfig.current()
    ids = list(MessageTree.objects.filter(active=True).values_list("pk", flat=True))
    for tree_id in ids:
        with transaction.atomic():
            trees.advance(MessageTree.objects.locked().get(pk=tree_id), config=config, now=now)
    return len(ids)
