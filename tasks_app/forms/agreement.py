"""The filters of the pages about agreement."""

from collections.abc import Sequence
from datetime import date
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from oasst.lib.languages import name as language_name
from tasks_app import agreement_report
from tasks_app.agreement_report import Cursor, Filter
from tasks_app.agreement_units import ASKED, RANKINGS
from tasks_app.enums import TaskType
from tasks_app.labels import LABELS

MEASURES = [*((name, LABELS[name].title) for name in ASKED), (RANKINGS, _("Rankings"))]
KINDS = (
    ("", _("All kinds")),
    (TaskType.INITIAL_PROMPT.value, _("Initial prompts")),
    (TaskType.PROMPTER_REPLY.value, _("Prompter replies")),
    (TaskType.ASSISTANT_REPLY.value, _("Assistant replies")),
)
SPANS = (("", _("One year")), ("4", _("4 weeks")), ("13", _("13 weeks")), ("all", _("All time")))
NUMBERS = (10, 20, 30)
USUAL_MEASURE, USUAL_WEEKS = "quality", 52


class WeekField(forms.CharField):
    """A single week, written as browsers do: `2026-W48`."""

    widget = forms.TextInput(attrs={"type": "week", "placeholder": "2026-W48"})

    def to_python(self, value: Any) -> Any:
        """The Monday of the week, or None for all weeks."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            return agreement_report.week_of_code(text)
        except ValueError as error:
            raise forms.ValidationError(
                _("There is no such week. Write one like 2026-W48, or leave it empty.")
            ) from error

    def run_validators(self, value: Any) -> None:
        """A week is valid or was not parsed."""


class AgreementForm(forms.Form):
    """Which votes to look at. Everything may be left out."""

    kept: ClassVar[tuple[str, ...]] = ("lang", "kind", "span", "week")

    measure = forms.ChoiceField(label=_("Label"), choices=MEASURES)
    lang = forms.ChoiceField(label=_("Language"), required=False)
    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=KINDS)
    span = forms.ChoiceField(label=_("Time"), required=False, choices=SPANS)
    week = WeekField(label=_("Single week"), required=False)
    format = forms.ChoiceField(
        required=False, choices=[("", ""), ("csv", "csv")], widget=forms.HiddenInput
    )

    def __init__(self, data: QueryDict, *, langs: Sequence[str]) -> None:
        asked = data.copy()
        asked["measure"] = asked.get("measure") or USUAL_MEASURE  # so that the form shows it
        super().__init__(asked)
        self.fields["lang"].choices = [
            ("", _("All languages")),
            *((code, language_name(code)) for code in langs),
        ]

    def query(self, **more: str) -> str:
        """The filters as they are, but for the measure, as an address has them."""
        asked = {name: self.cleaned_data[name] for name in self.kept} | more
        written = {
            name: agreement_report.code_of(value) if isinstance(value, date) else value
            for name, value in asked.items()
        }
        return urlencode({name: value for name, value in written.items() if value})

    def filter(self, today: date) -> Filter:
        """What the query asks for; a single week goes before a span. The form is valid."""
        asked = self.cleaned_data
        if asked["week"]:
            return Filter(asked["lang"], asked["kind"], week=asked["week"])
        weeks = int(asked["span"] or USUAL_WEEKS) if asked["span"] != "all" else 0
        since = agreement_report.since(weeks, today) if weeks else None
        return Filter(asked["lang"], asked["kind"], since)


class WorstField(forms.CharField):
    """Where the page before ended."""

    def to_python(self, value: Any) -> Any:
        """A Cursor, or None for the first page."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            return Cursor.parse(text)
        except ValueError as error:
            raise forms.ValidationError(_("This page does not exist.")) from error

    def run_validators(self, value: Any) -> None:
        """A cursor is valid or was not parsed."""


class DisputedForm(AgreementForm):
    """Which disputed messages to list."""

    after = WorstField(required=False, widget=forms.HiddenInput)


class PeopleForm(AgreementForm):
    """Whose agreement with whom to show."""

    kept = (*AgreementForm.kept, "people")

    people = forms.TypedChoiceField(
        label=_("People"),
        required=False,
        choices=[(number, format_lazy(_("{number} people"), number=number)) for number in NUMBERS],
        coerce=int,
        empty_value=NUMBERS[0],
    )
