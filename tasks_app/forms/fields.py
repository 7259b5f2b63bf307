"""What the forms share: labels as fields, and drafts of a form."""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from oasst.lib.characters import UNSTORABLE
from tasks_app.labels import LABELS, Label, Widget

# More than this of one field is not kept as a draft; the page keeps it, and so does the browser.
MAX_DRAFT_CHARACTERS = 100_000


# A nine-digit number fits into any column of numbers.
_COUNT = re.compile(r"[0-9]{1,9}")


class Count(forms.Field):
    """How often something was, as a script of the page says. What is no number counts as not said:
    it must never keep anybody from submitting."""

    widget = forms.HiddenInput

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def clean(self, value: Any) -> int | None:
        """The number, or None."""
        return int(value) if isinstance(value, str) and _COUNT.fullmatch(value) else None


class Draftable(forms.Form):
    """A form that is kept while somebody fills it in."""

    def draft(self) -> dict[str, str]:
        """What was entered so far, valid or not, as storable text by field."""
        kept = {}
        for name in self.fields:
            value = self.data.get(self.add_prefix(name))
            if isinstance(value, str) and value:
                value = value[:MAX_DRAFT_CHARACTERS].replace("\r\n", "\n")
                kept[name] = UNSTORABLE.sub("\ufffd", value)
        return kept


def label_field(name: str, *, required: bool) -> forms.Field:
    """The field that asks for a label. Every answer can be left open unless `required`."""
    label = LABELS[name]
    if label.widget == Widget.FLAG:
        return forms.BooleanField(label=label.title, help_text=label.text, required=False)
    return forms.ChoiceField(
        label=label.title,
        help_text=label.text,
        required=required,
        widget=forms.RadioSelect,
        choices=_choices(label, required=required),
        error_messages={"required": _("Please answer this first.")},
    )


def _choices(label: Label, *, required: bool) -> list[tuple[str, Any]]:
    choices: list[tuple[str, Any]] = [(f"{value:g}", words) for value, words in label.choices]
    return choices if required else [*choices, ("", _("No answer"))]


class LabelFields(Draftable):
    """A form that asks for labels."""

    def __init__(
        self, *args: Any, valid: Iterable[str], mandatory: Iterable[str] = (), **options: Any
    ) -> None:
        super().__init__(*args, **options)
        for name in valid:
            self.fields[name] = label_field(name, required=name in mandatory)

    def values(self) -> dict[str, float]:
        """The answers. What was not answered is absent."""
        answers = {name: self.cleaned_data.get(name) for name in self.fields}
        return {name: float(value) for name, value in answers.items() if value not in ("", False)}

    def of_widget(self, widget: Widget) -> list[forms.BoundField]:
        """The fields with this widget, mandatory ones first."""
        found = [self[name] for name in self.fields if LABELS[name].widget == widget]
        return sorted(found, key=lambda bound: not bound.field.required)

    def questions(self) -> list[forms.BoundField]:
        """Questions with yes or no."""
        return self.of_widget(Widget.YES_NO)

    def scales(self) -> list[forms.BoundField]:
        """Scales of five steps."""
        return self.of_widget(Widget.LIKERT)

    def flags(self) -> list[forms.BoundField]:
        """Marks that are set or not."""
        return self.of_widget(Widget.FLAG)
