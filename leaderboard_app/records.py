"""Statistics by day and by week, written by `daily`. Derived. Tables of `models`.

Each language has its rows, and the empty language has those of all together.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.records import LANG_LENGTH


class DailyStatistics(models.Model):
    """What happened on one day (UTC) in one language."""

    day = models.DateField(_("day"))
    lang = models.CharField(_("language"), max_length=LANG_LENGTH, blank=True)
    # Trees begun, as their own rows say; tells whether trees with older dates came since.
    trees = models.PositiveIntegerField(_("trees begun"), default=0)
    prompts = models.PositiveIntegerField(_("prompts written"), default=0)
    prompter_replies = models.PositiveIntegerField(_("prompter replies written"), default=0)
    assistant_replies = models.PositiveIntegerField(_("assistant replies written"), default=0)
    # TreeState to how many more, or fewer, trees are in it at the end of the day.
    states = models.JSONField(_("change of states"), default=dict)
    # Stage to the number of trees that reached it for the first time.
    stages = models.JSONField(_("stages reached"), default=dict)
    # ContributionKind to the number of contributions.
    contributions = models.JSONField(_("contributions"), default=dict)
    counted_at = models.DateTimeField(_("counted"))

    class Meta:
        verbose_name = _("statistics of a day")
        verbose_name_plural = _("statistics of days")
        constraints = [
            models.UniqueConstraint(fields=["lang", "day"], name="dailystatistics_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.lang}"


class WeeklyLabels(models.Model):
    """How the labels of one week (from Monday, UTC) are distributed, and how they go together."""

    week = models.DateField(_("week"))
    lang = models.CharField(_("language"), max_length=LANG_LENGTH, blank=True)
    # Label to the number of values near 0, ¼, ½, ¾ and 1.
    values = models.JSONField(_("values"), default=dict)
    # "a b" to [n, Σa, Σb, Σa², Σb², Σab] over the label sets that hold both labels.
    pairs = models.JSONField(_("pairs"), default=dict)

    class Meta:
        verbose_name = _("labels of a week")
        verbose_name_plural = _("labels of weeks")
        constraints = [
            models.UniqueConstraint(fields=["lang", "week"], name="weeklylabels_once"),
        ]

    def __str__(self) -> str:
        return f"{self.week} {self.lang}"


class WeeklyPeople(models.Model):
    """How many people contributed in one week. Shown only where they are many: see `crowds`."""

    week = models.DateField(_("week"))
    lang = models.CharField(_("language"), max_length=LANG_LENGTH, blank=True)
    active = models.PositiveIntegerField(_("people"))
    # Week of somebody's first contribution to how many of those are active in this one.
    by_first_week = models.JSONField(_("by first week"), default=dict)

    class Meta:
        verbose_name = _("people of a week")
        verbose_name_plural = _("people of weeks")
        constraints = [
            models.UniqueConstraint(fields=["lang", "week"], name="weeklypeople_once"),
        ]

    def __str__(self) -> str:
        return f"{self.week} {self.lang}"
