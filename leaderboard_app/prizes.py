"""Prizes: who did most in a period that staff have named, kept as of when it was published."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from leaderboard_app import ledger
from leaderboard_app.enums import EntryState
from leaderboard_app.models import PointEntry, Prize, PrizeWinner
from oasst.lib.errors import DomainError
from tasks_app.enums import ModerationKind as Kind
from tasks_app.moderation_log import record


class NotOver(DomainError):
    """The period has not ended."""

    code = "prize_not_over"
    status = 409
    default_message = _("The period of this prize is not over. Publish it when it is.")


class NobodyWins(DomainError):
    """No confirmed points in the period."""

    code = "prize_without_winners"
    status = 409
    default_message = _("Nobody has confirmed points in this period.")


class PrizeNotFound(DomainError):
    """No prize with this id."""

    code = "prize_not_found"
    status = 404
    default_message = _("This prize does not exist.")


@transaction.atomic
def name_period(prize: Prize, *, actor: Any, now: datetime) -> Prize:
    """Store a new prize, which waits for its period to end."""
    prize.save(force_insert=True)
    data = {"prize": prize.title}
    record(Kind.NAME_PRIZE, actor=actor, reason=prize.text, now=now, data=data)
    return prize


@transaction.atomic
def publish(prize_id: int, *, actor: Any, now: datetime) -> Prize:
    """Write down the winners for everybody to see. Publishing twice changes nothing.

    People who are banned, deleted or not on the leaderboard do not win. Equal scores are in the
    order of the board. Raises PrizeNotFound, NotOver, NobodyWins.
    """
    prize = Prize.objects.select_for_update().filter(pk=prize_id).first()
    if prize is None:
        raise PrizeNotFound
    if prize.published_at:
        return prize
    if now < prize.ends_at:
        raise NotOver
    ledger.take_turn()
    best = list(_best(prize))
    if not best:
        raise NobodyWins
    PrizeWinner.objects.bulk_create(
        PrizeWinner(prize=prize, place=place, user_id=row["user"], points=row["sum"])
        for place, row in enumerate(best, start=1)
    )
    prize.published_at = now
    prize.save(update_fields=["published_at"])
    data = {"prize": prize.title}
    record(Kind.PUBLISH_PRIZE, actor=actor, reason="", now=now, data=data)
    return prize


def _best(prize: Prize) -> list[Any]:
    entries = PointEntry.objects.within(prize.starts_at, prize.ends_at)
    entries = entries.filter(
        state=EntryState.CONFIRMED,
        user__is_active=True,
        user__deleted_at=None,
        user__on_leaderboard=True,
    )
    if prize.lang:
        entries = entries.filter(lang=prize.lang)
    sums = entries.order_by().values("user").annotate(sum=Sum("points"))
    return list(sums.order_by("-sum", "user")[: prize.places])
