"""What conversations are about, and who said so. Written by `topics`."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.enums import Topic

SLUG_LENGTH = 32


class TreeTopic(models.Model):
    """One topic of a message tree, as it is now."""

    tree = models.ForeignKey("MessageTree", models.CASCADE, related_name="topics", db_index=False)
    # Not checked against the catalogue: an old row may have one that is offered no more.
    topic = models.CharField(_("topic"), max_length=SLUG_LENGTH)
    suggested = models.BooleanField(
        _("suggested"), default=False, help_text=_("By its words; nobody has looked at it yet.")
    )

    class Meta:
        verbose_name = _("topic of a tree")
        indexes = [models.Index(fields=["topic", "tree"], name="treetopic_topic_tree")]
        constraints = [models.UniqueConstraint(fields=["tree", "topic"], name="treetopic_once")]

    def __str__(self) -> str:
        return f"{self.topic} of {self.tree_id}"

    @property
    def label(self) -> str:
        """Its name for people; the slug of one that is offered no more."""
        return str(Topic(self.topic).label) if self.topic in Topic else self.topic


class TopicChange(models.Model):
    """The topics that somebody gave a message tree. Append-only."""

    tree = models.ForeignKey("MessageTree", models.CASCADE, related_name="topic_changes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    topics = ArrayField(models.CharField(max_length=SLUG_LENGTH))
    created_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("change of topics")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"topics of {self.tree_id}: {', '.join(self.topics)}"
