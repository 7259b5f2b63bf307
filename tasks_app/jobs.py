"""Jobs of the data collection on the `default` queue: event-driven ones and the periodic ones.

All may run twice, and cron runs again what Redis lost.
"""

import logging
import random
import time
import uuid

from django.db import transaction
from django.utils import timezone

from oasst.lib import queue
from tasks_app import (
    agreement_sums,
    announcing,
    digests,
    gold_items,
    holding,
    interactions,
    lottery,
    moderation,
    notifications,
    search_filling,
    similar,
    skill_fits,
    trees,
)
from tasks_app.bulk import actions as bulk
from tasks_app.config import TreeConfig
from tasks_app.models import MessageTree

logger = logging.getLogger(__name__)
_rng = random.SystemRandom()

SLICE = 500  # trees that one job advances or counts anew
FOLDING_S = 2  # sign-in mails and points wait behind it
FILLING_S = 50


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


def refit_reliability() -> None:
    """Compute how reliable people are where there are new votes."""
    langs = skill_fits.refit(now=timezone.now())
    if langs:
        logger.info("reliability computed anew in %s", ", ".join(langs))


def promote_gold() -> None:
    """Fill up the gold items of each language from messages whose reviewers all agree."""
    now, config = timezone.now(), TreeConfig.current()
    for lang in MessageTree.objects.order_by("lang").values_list("lang", flat=True).distinct():
        made = gold_items.promote_unanimous(lang, config=config, now=now)
        if made:
            logger.info("%d new gold items in %s", made, lang)


def halt_prompts_of_disabled_users() -> None:
    """Take prompts of banned or deleted authors out of the lottery."""
    moderation.halt_prompts_of_disabled_users(now=timezone.now())


def recount_trees() -> None:
    """Count trees anew in which votes began or ceased to count, when a person was held back."""
    if holding.recount_slice(SLICE, now=timezone.now()):
        queue.enqueue("tasks_app.jobs.recount_trees", key="recount-trees")


def fold_agreement() -> None:
    """Bring the sums of agreement up to date; what takes longer is for the next job."""
    end = time.monotonic() + FOLDING_S
    while agreement_sums.fold():
        if time.monotonic() > end:
            queue.enqueue("tasks_app.jobs.fold_agreement", key="fold-agreement")
            return


def carry_on_bulk_action(bulk_id: str) -> None:
    """Do or undo some steps of a bulk action, then leave the rest to a job of its own."""
    if not bulk.carry_on(uuid.UUID(bulk_id), now=timezone.now()):
        queue.enqueue("tasks_app.jobs.carry_on_bulk_action", bulk_id, key=f"bulk-{bulk_id}")


def carry_on_bulk_actions() -> None:
    """Go on with bulk actions whose job was lost, and forget what no undo will need."""
    for bulk_id in bulk.unfinished():
        bulk.carry_on(bulk_id, now=timezone.now())
    bulk.forget_old(now=timezone.now())


def index_text(message_id: str) -> None:
    """Have a new text found by those who write nearly the same."""
    similar.index(similar.unindexed(only=uuid.UUID(message_id)))


def index_texts() -> None:
    """The same for new texts whose job was lost."""
    similar.index(similar.unindexed(since=timezone.now() - similar.SWEPT_FOR))


def index_all_texts(after: str | None = None) -> None:
    """The same for every text, as after an import: some, then a job for the next."""
    found = index_slice(uuid.UUID(after) if after else None)
    if found:
        queue.enqueue("tasks_app.jobs.index_all_texts", str(found[-1]), long=True)


def index_slice(after: uuid.UUID | None = None) -> list[uuid.UUID]:
    """Index some texts of messages with ids beyond `after`; returns their ids."""
    found = similar.unindexed(after=after)
    similar.index(found)
    return [message.pk for message in found]


def fill_search_words() -> None:
    """Give older messages the words that a new release finds them by, some with each run."""
    search_filling.go_on(for_s=FILLING_S, now=timezone.now())


def announce_reports() -> None:
    """Tell the team's chat of new reports; what fails is tried again."""
    announcing.announce(now=timezone.now())


def tell_news() -> None:
    """Tell people what became of what they wrote and reported."""
    told = notifications.tell_news(now=timezone.now())
    if told:
        logger.info("told news to %d people", told)


def send_digests() -> None:
    """Send the weekly mails that are due."""
    logger.info("sent %d digests", digests.send_due(now=timezone.now()))


def advance_trees(after: str | None = None) -> None:
    """Advance active trees, as after a change of configuration: a slice, then a job for the next.

    A job must not run for long, and there may be many trees.
    """
    ids = advance_slice(uuid.UUID(after) if after else None)
    if len(ids) == SLICE:
        queue.enqueue("tasks_app.jobs.advance_trees", str(ids[-1]))


def advance_slice(after: uuid.UUID | None = None) -> list[uuid.UUID]:
    """Advance up to `SLICE` active trees with ids beyond `after`; returns their ids."""
    now, config = timezone.now(), TreeConfig.current()
    active = MessageTree.objects.filter(active=True).order_by("pk")
    if after is not None:
        active = active.filter(pk__gt=after)
    ids = list(active.values_list("pk", flat=True)[:SLICE])
    for tree_id in ids:
        with transaction.atomic():
            tree = MessageTree.objects.locked().filter(pk=tree_id).first()
            if tree is not None:
                trees.advance(tree, config=config, now=now)
    return ids
