"""Tables of the community: the ledger of points, what boards show, goals and prizes."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from leaderboard_app.enums import EntryState, Frame, Reason, Why
from leaderboard_app.querysets import PointEntryQuerySet, UserStatsQuerySet
from leaderboard_app.records import DailyStatistics, WeeklyLabels, WeeklyPeople
from leaderboard_app.troll_records import TrollStats
from tasks_app.records import LANG_LENGTH, Contribution

__all__ = [
    "Cursor",
    "DailyStatistics",
    "PointEntry",
    "Prize",
    "PrizeWinner",
    "Streak",
    "TeamGoal",
    "TrollStats",
    "UserStats",
    "WeeklyLabels",
    "WeeklyPeople",
]


class PointEntry(models.Model):
    """Points for one contribution and one reason. Never removed; only its state moves.

    Derived by `ledger` from the journal and what became of the message. What its person took back
    at once leaves the journal, and this with it.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="points", db_index=False
    )
    contribution = models.ForeignKey(
        Contribution, models.CASCADE, related_name="points", db_index=False
    )
    reason = models.CharField(_("for"), max_length=24, choices=Reason)
    points = models.DecimalField(_("points"), max_digits=5, decimal_places=1)
    state = models.CharField(_("state"), max_length=12, choices=EntryState)
    why = models.CharField(_("why"), max_length=24, choices=Why)
    lang = models.CharField(_("language"), max_length=LANG_LENGTH, blank=True)
    at = models.DateTimeField(_("when"))
    settled_at = models.DateTimeField(_("confirmed or taken back"), null=True, blank=True)
    # How near a vote was to those of the others, from 0 to 1, as of when it was settled.
    closeness = models.FloatField(_("closeness to the others"), null=True, blank=True)
    # Whether it shows that its person knows what belongs here: a text was accepted, or plainly
    # rejected; a review objected to what was plainly rejected, or did not. Empty for all else.
    knows = models.BooleanField(_("knows what belongs here"), null=True, blank=True)
    # By `holds`: what its person did around it cannot be relied on.
    held = models.BooleanField(_("held back"), default=False)
    # By `holds`: too little is known around it to tell it from luck.
    waits = models.BooleanField(_("waits for more"), default=False, db_default=False)

    objects = PointEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("entry of points")
        verbose_name_plural = _("entries of points")
        indexes = [
            models.Index(fields=["user", "-at", "-id"], name="pointentry_user_newest"),
            models.Index(fields=["at"], include=["user", "lang"], name="pointentry_at"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["contribution", "reason"], name="pointentry_once_per_reason"
            ),
            models.CheckConstraint(name="pointentry_positive", condition=Q(points__gt=0)),
            models.CheckConstraint(
                name="pointentry_pending_iff_not_settled",
                condition=Q(state=EntryState.PENDING, settled_at=None)
                | (~Q(state=EntryState.PENDING) & Q(settled_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="pointentry_closeness_is_a_share",
                condition=Q(closeness=None) | Q(closeness__gte=0, closeness__lte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} for {self.reason}: {self.state}"


class Cursor(models.Model):
    """How far the ledger has read an append-only table; see `cursors`."""

    name = models.CharField(primary_key=True, max_length=40)
    # Every row up to here was read; those up to `read_to` too, but for some committed since.
    done_to = models.BigIntegerField(default=0)
    read_to = models.BigIntegerField(default=0)
    # Once no transaction older than `candidate_xid` is open, nothing up to `candidate` is missing.
    candidate = models.BigIntegerField(default=0)
    candidate_xid = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("cursor")
        constraints = [
            models.CheckConstraint(
                name="cursor_in_order",
                condition=Q(done_to__lte=F("candidate"), candidate__lte=F("read_to")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} to {self.read_to}"


class UserStats(models.Model):
    """What one person did within a frame, in one language or (empty) in all. Derived."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="stats", db_index=False
    )
    frame = models.CharField(_("frame"), max_length=8, choices=Frame)
    lang = models.CharField(_("language"), max_length=LANG_LENGTH, blank=True)
    confirmed = models.DecimalField(_("confirmed points"), max_digits=12, decimal_places=1)
    pending = models.DecimalField(_("pending points"), max_digits=12, decimal_places=1)
    contributions = models.PositiveIntegerField(_("confirmed contributions"), default=0)
    texts = models.PositiveIntegerField(_("texts decided upon"), default=0)
    accepted = models.PositiveIntegerField(_("texts accepted"), default=0)
    reviews = models.PositiveIntegerField(_("reviews"), default=0)
    rankings = models.PositiveIntegerField(_("rankings"), default=0)
    firsts = models.PositiveIntegerField(_("first places"), default=0)
    votes = models.PositiveIntegerField(_("votes compared"), default=0)
    closeness = models.FloatField(_("closeness to the others"), default=0)
    computed_at = models.DateTimeField(_("computed"))

    objects = UserStatsQuerySet.as_manager()

    class Meta:
        verbose_name = _("standing")
        verbose_name_plural = _("standings")
        indexes = [
            models.Index(fields=["frame", "lang", "-confirmed", "user"], name="userstats_board"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "frame", "lang"], name="userstats_once_per_frame_and_lang"
            ),
            models.CheckConstraint(
                name="userstats_accepted_of_decided", condition=Q(accepted__lte=F("texts"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.frame} {self.lang}: {self.confirmed}"


class Streak(models.Model):
    """Days in a row, in the person's own time zone, with something contributed. Derived."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="streak"
    )
    since = models.DateField(_("since"))
    last_day = models.DateField(_("last day"))
    longest = models.PositiveIntegerField(_("longest, in days"))

    class Meta:
        verbose_name = _("streak")
        constraints = [
            models.CheckConstraint(
                name="streak_in_order", condition=Q(since__lte=F("last_day"), longest__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.since} to {self.last_day}"


class TeamGoal(models.Model):
    """How much all contributors of a language want to do together in a week."""

    lang = models.CharField(_("language"), primary_key=True, max_length=LANG_LENGTH)
    target = models.PositiveIntegerField(_("confirmed contributions a week"))

    class Meta:
        verbose_name = _("goal of a language")
        verbose_name_plural = _("goals of languages")
        constraints = [
            models.CheckConstraint(name="teamgoal_positive", condition=Q(target__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.lang}: {self.target}"


class Prize(models.Model):
    """A period whose best contributors are named in public."""

    title = models.CharField(_("title"), max_length=120)
    text = models.CharField(_("what there is to win"), max_length=500, blank=True)
    lang = models.CharField(
        _("language"), max_length=LANG_LENGTH, blank=True, help_text=_("Empty: all languages.")
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    places = models.PositiveSmallIntegerField(_("winners"), default=3)
    published_at = models.DateTimeField(_("published"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("prize")
        ordering = ["-ends_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="prize_ends_after_it_starts", condition=Q(ends_at__gt=F("starts_at"))
            ),
            models.CheckConstraint(
                name="prize_has_places", condition=Q(places__gte=1, places__lte=100)
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": _("The period ends before it begins.")})


class PrizeWinner(models.Model):
    """One winner, as of when the prize was published."""

    prize = models.ForeignKey(Prize, models.CASCADE, related_name="winners", db_index=False)
    place = models.PositiveSmallIntegerField(_("place"))
    # Stays without the person when their account is deleted.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    points = models.DecimalField(_("points"), max_digits=12, decimal_places=1)

    class Meta:
        verbose_name = _("winner")
        ordering = ["prize", "place"]
        constraints = [
            models.UniqueConstraint(fields=["prize", "place"], name="prizewinner_place"),
            models.CheckConstraint(name="prizewinner_place_from_one", condition=Q(place__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.prize_id}: {self.place}"
