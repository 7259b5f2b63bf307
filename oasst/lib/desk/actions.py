"""What staff may do to a row: one class per action, always by POST, nearly always with a reason."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget


class ReasonForm(forms.Form):
    """Asks why."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Kept in the moderation log, with your name."),
        error_messages={"required": _("Please give a reason; it is kept with what you did.")},
    )


class NothingToAsk(forms.Form):
    """For what can be taken back at once, such as a claim."""


class DeskAction:
    """One thing staff can do. Subclasses call one domain function in `run`."""

    name: ClassVar[str]
    title: ClassVar[str | Promise]
    icon: ClassVar[str] = ""
    # The letter or digit that asks for it, on the row's page and on the row in focus of a list.
    key: ClassVar[str] = ""
    is_danger: ClassVar[bool] = False
    in_bulk: ClassVar[bool] = False
    has_preview: ClassVar[bool] = False
    # Chosen rows are not done one by one but handed to `begin` together, many more of them.
    is_job: ClassVar[bool] = False
    form_class: ClassVar[type[forms.Form]] = ReasonForm

    @property
    def is_at_once(self) -> bool:
        """True if there is nothing to ask, so that its button does it."""
        return not self.form_class.base_fields

    def allows(self, actor: Any) -> bool:
        """Whether this person may do it at all, beyond changing such rows."""
        return True

    def fits(self, row: Any, *, actor: Any, now: datetime) -> bool:
        """Whether it makes sense for a row in the state it is in."""
        return True

    def explain(self, rows: Sequence[Any]) -> str:
        """What will happen, with counts."""
        return ""

    def explain_job(self, ids: Sequence[Any], *, actor: Any) -> str:
        """What `begin` would do with rows of these keys, with counts."""
        return ""

    def begin(self, ids: Sequence[Any], data: dict[str, Any], *, actor: Any, now: datetime) -> Any:
        """Begin a job on rows of these keys; returns its row, which says `is_finished`.

        Raises DomainError.
        """
        raise NotImplementedError

    def initial(self, row: Any) -> dict[str, Any]:
        """Values that the form starts with."""
        return {}

    def preview(self, row: Any, form: forms.Form) -> str:
        """What the filled-in form would show, for actions with `has_preview`."""
        return ""

    def run(self, row: Any, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        """Do it, by a domain function; returns what was done. Raises DomainError."""
        raise NotImplementedError
