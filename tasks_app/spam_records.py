"""Models that tell spam. Written by `spam`."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SpamModel(models.Model):
    """What was learned from texts, without any of them. That with the newest `chosen_at` holds."""

    # Of the features that the weights are for; see `spam_scores`.
    version = models.PositiveSmallIntegerField(_("version of the features"))
    weights = models.BinaryField(_("weights"), help_text=_("32-bit numbers, little-endian."))
    threshold = models.FloatField(_("threshold"))
    # How good it is, and on how many texts that was measured.
    figures = models.JSONField(_("figures"))
    created_at = models.DateTimeField(_("trained"))
    chosen_at = models.DateTimeField(_("chosen"))

    class Meta:
        verbose_name = _("spam model")
        constraints = [
            models.CheckConstraint(
                name="spammodel_threshold_is_a_score",
                condition=models.Q(threshold__gte=0, threshold__lte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"spam model {self.pk}"
