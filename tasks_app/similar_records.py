"""What is kept of texts to find those that say nearly the same. Written by `similar`."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class TextSignature(models.Model):
    """The bands of a message's text, and its signature in brief; see `minhash`."""

    message = models.OneToOneField(
        "Message", models.CASCADE, primary_key=True, related_name="signature"
    )
    bands = ArrayField(models.IntegerField())
    brief = models.BinaryField()

    class Meta:
        verbose_name = _("text signature")
        indexes = [
            # Without a list of what is pending, which every search would read through.
            GinIndex(fields=["bands"], name="textsignature_bands", fastupdate=False),
        ]

    def __str__(self) -> str:
        return f"signature of {self.message_id}"


class SimilarText(models.Model):
    """A message whose text is nearly that of an older one."""

    message = models.ForeignKey(
        "Message", models.CASCADE, related_name="similar_texts", db_index=False
    )
    other = models.ForeignKey("Message", models.CASCADE, related_name="+")
    similarity = models.FloatField(_("similarity"))

    class Meta:
        verbose_name = _("similar text")
        constraints = [
            models.UniqueConstraint(fields=["message", "other"], name="similartext_once"),
            models.CheckConstraint(name="similartext_of_another", condition=~Q(message=F("other"))),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} is like {self.other_id}"
