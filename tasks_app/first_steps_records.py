"""What a person's first steps were. Tables of `models`; written by `first_steps`."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.enums import TaskType


class FirstSteps(models.Model):
    """Whether somebody has practised, and which kinds of task they need no hints for any more."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="first_steps"
    )
    practised_at = models.DateTimeField(_("practised"), null=True)
    hints_off = ArrayField(
        models.CharField(max_length=32, choices=TaskType),
        verbose_name=_("no hints for"),
        default=list,
    )

    class Meta:
        verbose_name = _("first steps")
        verbose_name_plural = _("first steps")
        constraints = [
            models.CheckConstraint(
                name="firststeps_hints_of_kinds",
                condition=models.Q(hints_off__contained_by=TaskType.values),
            ),
        ]

    def __str__(self) -> str:
        return f"first steps of {self.user_id}"
