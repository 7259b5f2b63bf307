"""What training has said of this site's messages: snapshots, what is in them, models made of them.

Written by `importing.record_usage()` only. Tables of `models`.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _


class DataSnapshot(models.Model):
    """A frozen copy of the data."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    made_at = models.DateTimeField(_("made"))
    # Something in it was withdrawn since: nothing new learns from it.
    superseded_at = models.DateTimeField(_("superseded"), null=True, blank=True)

    class Meta:
        verbose_name = _("data snapshot")

    def __str__(self) -> str:
        return self.name


class SnapshotTree(models.Model):
    """Which messages of a tree are in a snapshot.

    One row a tree, not one a message: a million messages are some hundred thousand rows, a tenth of
    the bytes, and whoever asks for a message knows its tree. Rows go with their tree.
    """

    snapshot = models.ForeignKey(DataSnapshot, models.CASCADE, related_name="trees")
    tree = models.ForeignKey(
        "MessageTree", models.CASCADE, related_name="snapshot_trees", db_index=False
    )
    message_ids = ArrayField(models.UUIDField(), verbose_name=_("messages"))

    class Meta:
        verbose_name = _("tree of a snapshot")
        constraints = [
            models.UniqueConstraint(fields=["tree", "snapshot"], name="snapshottree_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tree_id} in {self.snapshot_id}"


class TrainedModel(models.Model):
    """A model that learned from snapshots, itself or through the models it was made from."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    stage = models.CharField(_("stage"), max_length=12)
    trained_at = models.DateTimeField(_("trained"))
    served_as = models.CharField(_("name in the chat"), max_length=200, blank=True)
    snapshots = models.ManyToManyField(DataSnapshot, related_name="models")

    class Meta:
        verbose_name = _("trained model")

    def __str__(self) -> str:
        return self.name
