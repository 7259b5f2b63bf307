"""Sums of how much people agree, kept up to date by `agreement_sums`. Tables of `models`.

Nothing here refers to a row of another table: what was counted must still be known when the
message is gone, so that it can be taken off again.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from tasks_app.enums import VoteSource
from tasks_app.records import LANG_LENGTH


class AgreementMark(models.Model):
    """Reviews or rankings of a message have changed since it was counted.

    Triggers of the database write marks, in the transaction of the change: see decision 0008.
    """

    message_id = models.UUIDField(_("message"))

    class Meta:
        verbose_name = _("agreement mark")

    def __str__(self) -> str:
        return f"mark of {self.message_id}"


class AgreementUnit(models.Model):
    """What was counted of one message: of its reviews, or of the rankings of its replies."""

    message_id = models.UUIDField(_("message"))
    source = models.CharField(_("votes"), max_length=8, choices=VoteSource)
    kind = models.CharField(_("kind"), max_length=16)
    lang = models.CharField(_("language"), max_length=LANG_LENGTH)
    week = models.DateField(_("week"), help_text=_("The Monday before the first vote, in UTC."))
    profiles = models.JSONField(_("profiles"), help_text=_("Measure to profile."))

    class Meta:
        verbose_name = _("agreement unit")
        indexes = [
            models.Index(
                F("source"), F("week").desc(), F("id").desc(), name="agreementunit_newest"
            ),
            models.Index(
                F("source"),
                F("lang"),
                F("week").desc(),
                F("id").desc(),
                name="agreementunit_newest_of_lang",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["message_id", "source"], name="agreementunit_once"),
        ]

    def __str__(self) -> str:
        return f"{self.source} of {self.message_id}"


class AgreementCell(models.Model):
    """How many units of one kind, language and week have each profile, by measure.

    Empty `kind` and `lang` stand for all: those cells are sums of others.
    """

    kind = models.CharField(_("kind"), max_length=16, blank=True)
    lang = models.CharField(_("language"), max_length=LANG_LENGTH, blank=True)
    week = models.DateField(_("week"))
    profiles = models.JSONField(_("profiles"), help_text=_("Measure to profile to number."))

    class Meta:
        verbose_name = _("agreement cell")
        constraints = [
            models.UniqueConstraint(fields=["lang", "kind", "week"], name="agreementcell_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind or 'all'} in {self.lang or 'all'}, week of {self.week}"


class AgreementDissent(models.Model):
    """A message about which people differ so much that staff may want to look."""

    message_id = models.UUIDField(_("message"))
    measure = models.CharField(_("measure"), max_length=32)
    kind = models.CharField(_("kind"), max_length=16)
    lang = models.CharField(_("language"), max_length=LANG_LENGTH)
    week = models.DateField(_("week"))
    dissent = models.FloatField(_("dissent"), help_text=_("From 0, all agree, to 1."))
    votes = models.PositiveIntegerField(_("votes"))

    class Meta:
        verbose_name = _("dissent")
        indexes = [
            models.Index(F("measure"), F("dissent").desc(), F("message_id"), name="dissent_worst"),
            models.Index(
                F("measure"),
                F("lang"),
                F("dissent").desc(),
                F("message_id"),
                name="dissent_worst_of_lang",
            ),
            models.Index(
                F("measure"),
                F("week"),
                F("dissent").desc(),
                F("message_id"),
                name="dissent_worst_of_week",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["message_id", "measure"], name="dissent_once"),
            models.CheckConstraint(
                name="dissent_is_a_share", condition=Q(dissent__gte=0, dissent__lte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dissent:.2f} on {self.measure} of {self.message_id}"
