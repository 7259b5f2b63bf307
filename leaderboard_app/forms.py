"""What people ask of the boards passes one of these."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from leaderboard_app.enums import EntryState, Frame
from leaderboard_app.models import Prize
from oasst.lib.languages import LANGUAGES

_BAD_PLACE = _("This page of the list does not exist.")
_MOST = 10**12  # points; beyond it numbers do not fit the column
_BIGGEST_ID = 2**63 - 1


class BoardForm(forms.Form):
    """Which board, and where on it."""

    frame = forms.ChoiceField(choices=Frame.choices, required=False, widget=forms.HiddenInput)
    lang = forms.ChoiceField(
        label=_("Language"),
        choices=[("", _("All languages")), *LANGUAGES.items()],
        required=False,
    )
    after = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)

    def clean_after(self) -> tuple[Decimal, UUID] | None:
        text = self.cleaned_data["after"]
        if not text:
            return None
        score, _comma, pk = text.partition(",")
        try:
            number, user = Decimal(score), UUID(pk)
        except (InvalidOperation, ValueError) as error:
            raise ValidationError(_BAD_PLACE) from error
        if not number.is_finite() or abs(number) > _MOST:
            raise ValidationError(_BAD_PLACE)
        return number, user


class PointsForm(forms.Form):
    """Which entries of one's own."""

    state = forms.ChoiceField(choices=EntryState.choices, required=False)
    after = forms.CharField(required=False, max_length=80)

    def clean_after(self) -> tuple[datetime, int] | None:
        text = self.cleaned_data["after"]
        if not text:
            return None
        at, _comma, pk = text.rpartition(",")
        try:
            moment, number = datetime.fromisoformat(at), int(pk)
        except ValueError as error:
            raise ValidationError(_BAD_PLACE) from error
        if moment.tzinfo is None or not 0 <= number <= _BIGGEST_ID:
            raise ValidationError(_BAD_PLACE)
        return moment, number


class _DateTime(forms.DateTimeInput):
    input_type = "datetime-local"


class PrizeForm(forms.ModelForm):
    """Names a period; times are in UTC."""

    lang = forms.ChoiceField(
        label=_("Language"),
        choices=[("", _("All languages")), *LANGUAGES.items()],
        required=False,
    )

    class Meta:
        model = Prize
        fields = ["title", "text", "lang", "starts_at", "ends_at", "places"]
        widgets = {
            "starts_at": _DateTime(format="%Y-%m-%dT%H:%M"),
            "ends_at": _DateTime(format="%Y-%m-%dT%H:%M"),
        }
        help_texts = {"starts_at": _("In UTC."), "ends_at": _("In UTC.")}
