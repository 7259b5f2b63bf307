"""What merges of accounts moved and changed, for as long as they can be undone. Written by
`merging`, read by `unmerging`.

Tables of `models`.
"""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _


class Merge(models.Model):
    """One merge that can be undone. The row goes with the undoing, or when the time is over."""

    entry = models.OneToOneField("ModerationAction", models.PROTECT, related_name="merge")
    source = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    into = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    merged_at = models.DateTimeField(_("merged"), db_index=True)
    # Rows as Django serialises them: "source" and "into" before, "after" for `into` after it.
    accounts = models.JSONField(default=dict)
    # The e-mail addresses of both before: "source" and "into".
    addresses = models.JSONField(default=dict)
    # Tasks that were given back, with their drafts.
    dropped = models.JSONField(default=list)

    class Meta:
        verbose_name = _("merge of accounts")

    def __str__(self) -> str:
        return f"{self.source_id} into {self.into_id}"


class MergedRows(models.Model):
    """Up to 1,000 rows of one table whose column a merge changed."""

    merge = models.ForeignKey(Merge, models.CASCADE, related_name="rows")
    model = models.CharField(_("table"), max_length=100)
    column = models.CharField(_("column"), max_length=100)
    # False: it was the other account's, as votes are that stay with the closed one.
    was_source = models.BooleanField()
    ids = ArrayField(models.TextField())

    class Meta:
        verbose_name = _("rows of a merge")

    def __str__(self) -> str:
        return f"{len(self.ids)} of {self.model}"
