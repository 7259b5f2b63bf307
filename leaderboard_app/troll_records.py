"""What others found wrong with what people wrote, for the trollboard. A table of `models`."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from leaderboard_app.enums import Frame


class TrollStats(models.Model):
    """Marks that one person's messages of a frame got from others. Derived by `trolls`."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="troll_stats", db_index=False
    )
    frame = models.CharField(_("frame"), max_length=8, choices=Frame)
    rank = models.PositiveIntegerField(_("place"))
    score = models.FloatField(_("troll score"))
    messages = models.PositiveIntegerField(_("messages"))
    removed = models.PositiveIntegerField(_("removed"))
    red_flags = models.PositiveIntegerField(_("red flags"))
    upvotes = models.PositiveIntegerField(_("thumbs up"))
    downvotes = models.PositiveIntegerField(_("thumbs down"))
    spam_prompts = models.PositiveIntegerField(_("prompts not accepted"))
    spam = models.FloatField(_("spam"))
    lang_mismatch = models.FloatField(_("wrong language"))
    not_appropriate = models.FloatField(_("not appropriate"))
    pii = models.FloatField(_("personal data"))
    hate_speech = models.FloatField(_("hate speech"))
    sexual_content = models.FloatField(_("sexual content"))
    political_content = models.FloatField(_("political content"))
    # Means over those who answered; empty if nobody did.
    quality = models.FloatField(_("quality"), null=True)
    helpfulness = models.FloatField(_("helpfulness"), null=True)
    humor = models.FloatField(_("humour"), null=True)
    toxicity = models.FloatField(_("rudeness"), null=True)
    violence = models.FloatField(_("violence"), null=True)
    computed_at = models.DateTimeField(_("computed"))

    class Meta:
        verbose_name = _("line of the trollboard")
        verbose_name_plural = _("lines of the trollboard")
        indexes = [models.Index(fields=["frame", "rank"], name="trollstats_board")]
        constraints = [
            models.UniqueConstraint(fields=["user", "frame"], name="trollstats_once_per_frame"),
        ]

    def __str__(self) -> str:
        return f"{self.frame} {self.rank}: {self.score:g}"
