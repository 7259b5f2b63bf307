"""Which statistics somebody wants to see: language and span."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from leaderboard_app.spans import Span
from oasst.lib.languages import name


class StatsForm(forms.Form):
    """What stands in the address of the page and of its files."""

    lang = forms.ChoiceField(label=_("Language"), required=False)
    span = forms.ChoiceField(label=_("Span"), required=False, choices=Span)

    def __init__(self, data: Any, *, langs: Sequence[str]) -> None:
        usual = {"lang": "", "span": Span.QUARTER}
        super().__init__({key: data.get(key) or value for key, value in usual.items()})
        field = self.fields["lang"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All languages")), *((lang, name(lang)) for lang in langs)]

    def chosen(self) -> tuple[str, str]:
        """Language (empty for all) and span; the usual ones in place of what cannot be."""
        self.is_valid()
        return self.cleaned_data.get("lang", ""), self.cleaned_data.get("span", Span.QUARTER)
