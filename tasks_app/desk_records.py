"""What the moderators' desk works on: reports, questions to people, and bulk actions with what they
need to be undone.

Tables of `models`.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tasks_app.enums import BulkKind, BulkState, ReportState
from tasks_app.querysets import QuestionQuerySet, ReportQuerySet


class Report(models.Model):
    """Somebody asks the moderators to look at a message."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    message = models.ForeignKey("Message", models.CASCADE, related_name="reports")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    category = models.CharField(_("category"), max_length=32)
    text = models.CharField(_("explanation"), max_length=2000, blank=True)
    state = models.CharField(
        _("state"), max_length=16, choices=ReportState, default=ReportState.OPEN
    )
    created_at = models.DateTimeField(_("reported"))
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    note = models.CharField(_("moderator's note"), max_length=2000, blank=True)
    # When the webhook was told; empty for ever where there is none.
    announced_at = models.DateTimeField(_("announced"), null=True, blank=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("report")
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(state="open"), name="report_open_queue"
            ),
            models.Index(
                fields=["category", "created_at"],
                condition=Q(state="open"),
                name="report_open_by_category",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["message", "user"],
                condition=Q(state="open"),
                name="report_one_open_per_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.category} report on {self.message_id}"


# Characters of a question and of its answer.
MOST_ASKED = 1000
MOST_ANSWERED = 2000
_WAITS = Q(answered_at=None, withdrawn_at=None)


class Question(models.Model):
    """Something the moderators ask a person, who answers once or not at all. Until then it can be
    taken back.

    The person is not told which moderator asked.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="questions")
    # A message of theirs that it is about; empty: no one in particular.
    message = models.ForeignKey(
        "Message", models.CASCADE, null=True, blank=True, related_name="questions"
    )
    text = models.CharField(_("question"), max_length=MOST_ASKED)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked"))
    answer = models.CharField(_("answer"), max_length=MOST_ANSWERED, blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("taken back"), null=True, blank=True)

    objects = QuestionQuerySet.as_manager()

    class Meta:
        verbose_name = _("question")
        indexes = [
            models.Index(fields=["-id"], condition=_WAITS, name="question_waits"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "message"],
                condition=_WAITS,
                nulls_distinct=False,
                name="question_one_waits_per_thing",
            ),
            models.CheckConstraint(
                name="question_answered_in_words",
                condition=Q(answered_at=None, answer="")
                | (Q(answered_at__isnull=False) & ~Q(answer="")),
            ),
            models.CheckConstraint(
                name="question_answered_or_taken_back",
                condition=Q(answered_at=None) | Q(withdrawn_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"question to {self.person_id}"

    @property
    def is_open(self) -> bool:
        """True while it waits for its answer."""
        return self.answered_at is None and self.withdrawn_at is None


class BulkAction(models.Model):
    """One action on many messages, or on all that a person contributed; a job does it.

    It has a step for each tree. Each step remembers what it changed, so that it can be undone.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField(_("action"), max_length=16, choices=BulkKind)
    state = models.CharField(_("state"), max_length=8, choices=BulkState, default=BulkState.WAITING)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reason = models.CharField(_("reason"), max_length=500)
    # Whose contributions are purged.
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    label = models.CharField(_("label"), max_length=32, blank=True)
    # What it will change, as counted when it began.
    messages = models.PositiveIntegerField(_("messages"))
    trees = models.PositiveIntegerField(_("trees"))
    people = models.PositiveIntegerField(_("people"))
    votes = models.PositiveIntegerField(_("reviews, rankings and reactions"), default=0)
    undo_actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    undo_reason = models.CharField(_("reason for undoing"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("begun"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("bulk action")
        indexes = [
            models.Index(fields=["-created_at", "id"], name="bulkaction_newest"),
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=["waiting", "undoing"]),
                name="bulkaction_to_do",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.messages}"

    @property
    def is_finished(self) -> bool:
        """True if it is done or undone."""
        return self.state in {BulkState.DONE, BulkState.UNDONE}


class BulkStep(models.Model):
    """The share of a bulk action in one tree; without a tree, rankings of prompts and reports."""

    bulk = models.ForeignKey(BulkAction, models.CASCADE, related_name="steps")
    tree = models.ForeignKey("MessageTree", models.CASCADE, null=True, related_name="+")
    targets = models.JSONField(_("messages"), default=list, help_text=_("Ids."))
    # What it changed and how that was before, see tasks_app.bulk.images; empty until it is done.
    before = models.JSONField(_("before"), null=True)
    is_undone = models.BooleanField(_("undone"), default=False)

    class Meta:
        verbose_name = _("step of a bulk action")
        constraints = [
            models.UniqueConstraint(
                fields=["bulk", "tree"], nulls_distinct=False, name="bulkstep_once_per_tree"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bulk_id} in {self.tree_id}"
