"""What people are told of: notifications, the facts they are made of, and what each person wishes.

Written by `notifications`. Tables of `models`.
"""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tasks_app.enums import NotificationKind


class Notification(models.Model):
    """One line on somebody's page. Facts of one kind share an unread one: "3 were accepted"."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifications", db_index=False
    )
    kind = models.CharField(_("kind"), max_length=16, choices=NotificationKind)
    count = models.PositiveIntegerField(_("how many"), default=1)
    # What it is about; of several, the newest.
    message = models.ForeignKey("Message", models.CASCADE, null=True, related_name="+")
    report = models.ForeignKey("Report", models.CASCADE, null=True, related_name="+")
    # Plain values that its words need: a reason, a place, a name.
    data = models.JSONField(_("details"), default=dict)
    created_at = models.DateTimeField(_("when"))
    read_at = models.DateTimeField(_("read"), null=True, blank=True)

    class Meta:
        verbose_name = _("notification")
        indexes = [
            models.Index(fields=["user", "-id"], name="notification_newest"),
            models.Index(
                fields=["user", "kind"], condition=Q(read_at=None), name="notification_unread"
            ),
        ]
        constraints = [
            models.CheckConstraint(name="notification_counts", condition=Q(count__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.user_id}"


class NotifiedFact(models.Model):
    """Something a person was told once, and is not told again. `key` names it."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False
    )
    key = models.CharField(_("what"), max_length=200)
    notification = models.ForeignKey(Notification, models.CASCADE, related_name="facts")

    class Meta:
        verbose_name = _("notified fact")
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="notifiedfact_once"),
        ]

    def __str__(self) -> str:
        return f"{self.key} for {self.user_id}"


class NotificationSettings(models.Model):
    """What somebody wishes to be told, and whether by mail. Without a row: all, and no mail."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        primary_key=True,
        related_name="notification_settings",
    )
    muted = ArrayField(
        models.CharField(max_length=16), verbose_name=_("not told"), default=list, blank=True
    )
    weekly_digest = models.BooleanField(_("weekly e-mail"), default=False)
    # Up to when the last mail told, or since when mails are wished for.
    digested_at = models.DateTimeField(_("last e-mail"), null=True, blank=True)

    class Meta:
        verbose_name = _("notification settings")
        indexes = [
            models.Index(
                fields=["digested_at"], condition=Q(weekly_digest=True), name="digest_due"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="digest_has_a_beginning",
                condition=Q(weekly_digest=False) | Q(digested_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"settings of {self.user_id}"


class EventCursor(models.Model):
    """How far a source of events was read. Its row is the lock of those who read on.

    Ids are given out before rows are seen, so one below `seen` may still appear: up to `position`,
    everything was read a second time, when that could not be any more.
    """

    source = models.CharField(max_length=32, primary_key=True)
    position = models.BigIntegerField(default=0)
    seen = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField()  # when it was last read on

    class Meta:
        verbose_name = _("event cursor")

    def __str__(self) -> str:
        return f"{self.source} at {self.position}"
