"""Records of what trees, people, moderators and files did; most of them append-only.

Tables of `models`.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tasks_app.enums import ContributionKind, Emoji, TreeState

LANG_LENGTH = 32


class TreeTransition(models.Model):
    """One change of a tree's state. Append-only."""

    tree = models.ForeignKey("MessageTree", models.CASCADE, related_name="transitions")
    from_state = models.CharField(_("from"), max_length=32, blank=True)
    to_state = models.CharField(_("to"), max_length=32, choices=TreeState)
    reason = models.CharField(_("reason"), max_length=500)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("tree transition")
        ordering = ["id"]
        indexes = [models.Index(fields=["created_at"], name="treetransition_by_time")]

    def __str__(self) -> str:
        return f"{self.tree_id}: {self.from_state} → {self.to_state}"


class Contribution(models.Model):
    """Journal of what people did, written by `journal`; the source for points and statistics."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="contributions")
    kind = models.CharField(_("kind"), max_length=16, choices=ContributionKind)
    task_kind = models.CharField(_("task"), max_length=32, blank=True)
    message = models.ForeignKey("Message", models.CASCADE, null=True, related_name="contributions")
    task = models.ForeignKey("Task", models.SET_NULL, null=True, related_name="+")
    lang = models.CharField(_("language"), max_length=LANG_LENGTH, blank=True)
    data = models.JSONField(_("details"), default=dict, blank=True)
    created_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("contribution")
        indexes = [
            models.Index(fields=["user", "-id"], name="contribution_user_newest"),
            models.Index(fields=["created_at"], name="contribution_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["task"], name="contribution_once_per_task"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.user_id}"


class Reaction(models.Model):
    """One person's emoji, or skip mark, on a message."""

    message = models.ForeignKey("Message", models.CASCADE, related_name="reactions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="reactions")
    code = models.CharField(_("code"), max_length=32)
    created_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("reaction")
        constraints = [
            models.UniqueConstraint(
                fields=["message", "user", "code"], name="reaction_once_per_person"
            ),
            models.UniqueConstraint(
                fields=["message", "user"],
                condition=Q(code__in=[Emoji.THUMBS_UP, Emoji.THUMBS_DOWN]),
                name="reaction_one_thumb_per_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} on {self.message_id}"


class ModerationAction(models.Model):
    """What a moderator did to a message, tree or person, and why.

    Append-only: a trigger of the database refuses to change or delete entries.
    """

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    action = models.CharField(_("action"), max_length=32)
    reason = models.CharField(_("reason"), max_length=500)
    tree_id = models.UUIDField(_("tree"), null=True, blank=True, db_index=True)
    message_id = models.UUIDField(_("message"), null=True, blank=True, db_index=True)
    user_id = models.UUIDField(_("user"), null=True, blank=True, db_index=True)
    # The bulk action it was part of, and the entry whose effect it took back.
    bulk_id = models.UUIDField(_("bulk action"), null=True, blank=True, db_index=True)
    undoes = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="undone_by"
    )
    data = models.JSONField(_("details"), default=dict, blank=True)
    created_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("moderation action")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.action}: {self.reason}"


class MessageRevision(models.Model):
    """A text a message had. The first edit stores the original too."""

    message = models.ForeignKey("Message", models.CASCADE, related_name="revisions")
    text = models.TextField(_("text"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("message revision")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.message_id} at {self.created_at:%Y-%m-%d %H:%M}"


class ImportedLabelAggregate(models.Model):
    """What an imported file said about a message's reviews, as published."""

    message = models.OneToOneField(
        "Message", models.CASCADE, primary_key=True, related_name="imported_labels"
    )
    values = models.JSONField(default=dict, help_text=_("Label name to {value: mean, count}."))
    review_count = models.PositiveIntegerField(default=0)
    review_count_known = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("imported labels")

    def __str__(self) -> str:
        return f"imported labels of {self.message_id}"
