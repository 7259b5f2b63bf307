"""What is kept of entering an answer: the draft of it, and how a text came to be."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Draft(models.Model):
    """What somebody has entered for a task and not submitted, or could no longer submit."""

    task = models.OneToOneField("Task", models.CASCADE, primary_key=True, related_name="draft")
    body = models.JSONField(_("content"))
    saved_at = models.DateTimeField(_("saved"))
    # Why it stayed a draft although the author submitted it; empty for an ordinary draft.
    kept_because = models.CharField(_("kept because"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("draft")

    def __str__(self) -> str:
        return f"draft for {self.task_id}"


class WritingTrace(models.Model):
    """How a text was entered, as its author's page counted. Written and told by `writing`."""

    message = models.OneToOneField(
        "Message", models.CASCADE, primary_key=True, related_name="writing"
    )
    pasted = models.PositiveIntegerField(_("characters pasted"))
    seconds = models.PositiveIntegerField(_("seconds at it"))

    class Meta:
        verbose_name = _("writing trace")

    def __str__(self) -> str:
        return f"how {self.message_id} was entered"
