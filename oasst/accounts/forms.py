"""Everything people send to the account pages passes one of these."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from oasst.accounts import names, people
from oasst.accounts.enums import Scope
from oasst.accounts.models import TOKEN_NAME_MAX_LENGTH, VIEW_NAME_MAX_LENGTH, User
from oasst.lib import timezones
from oasst.lib.languages import LANGUAGES

MOST_LANGUAGES = 10


class AddressField(forms.EmailField):
    """An e-mail address, in lower case."""

    def __init__(self, **kwargs: Any) -> None:
        attributes = {"autocomplete": "email", "inputmode": "email", "spellcheck": "false"}
        super().__init__(max_length=254, widget=forms.EmailInput(attributes), **kwargs)

    def clean(self, value: Any) -> str:
        email: str = super().clean(value)
        # Before lowering: the Kelvin sign, for one, lowers to a plain k.
        if not email.rpartition("@")[0].isascii():
            raise ValidationError(_("The part before @ can only have plain letters and digits."))
        return email.lower()


class SignInForm(forms.Form):
    email = AddressField(label=_("E-mail address"))


class CodeForm(forms.Form):
    """Six digits, with the spaces and dashes people copy along."""

    code = forms.CharField(
        label=_("6-digit code"),
        max_length=20,
        widget=forms.TextInput(
            {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
        ),
    )

    def clean_code(self) -> str:
        digits = "".join(part for part in self.cleaned_data["code"] if part.isdecimal())
        if len(digits) != 6:
            raise ValidationError(_("The code has six digits."))
        return "".join(str(int(digit)) for digit in digits)


class LanguagesField(forms.MultipleChoiceField):
    """Contribution languages: one to ten of the known ones."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=_("Languages you want to contribute in"),
            choices=list(LANGUAGES.items()),
            widget=forms.CheckboxSelectMultiple,
            error_messages={"required": _("Please choose at least one language.")},
            **kwargs,
        )

    def validate(self, value: Any) -> None:
        super().validate(value)
        if len(value) > MOST_LANGUAGES:
            raise ValidationError(_("Please choose at most ten languages."))


class _NamedForm(forms.ModelForm):
    """A form that has the display name; an empty one stays empty where that is allowed.

    It writes its own columns only: others, such as counts, may change meanwhile.
    """

    def save(self, commit: bool = True) -> User:
        self.instance.save(update_fields=list(self.fields))
        user: User = self.instance
        if "time_zone" in self.changed_data:
            people.count_days_anew(user)
        return user

    def clean_display_name(self) -> str:
        text = self.cleaned_data["display_name"]
        if not text:
            return ""
        try:
            return names.clean(text)
        except names.BadName as error:
            raise ValidationError(error.message) from error


class WelcomeForm(_NamedForm):
    contribution_languages = LanguagesField()
    # The browser tells it, if scripts run; what is unknown is left as it is.
    time_zone = forms.CharField(
        required=False, max_length=64, widget=forms.HiddenInput({"data-time-zone": True})
    )

    class Meta:
        model = User
        fields = ["display_name", "contribution_languages", "time_zone"]
        help_texts = {"display_name": _("What others see beside your messages.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["time_zone"] = ""  # for the browser to fill in

    def clean_time_zone(self) -> str:
        told: str = self.cleaned_data["time_zone"]
        return told if told in timezones.known() else self.instance.time_zone


class ProfileForm(_NamedForm):
    contribution_languages = LanguagesField()
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=lambda: [(name, name.replace("_", " ")) for name in timezones.known()],
        help_text=_("For the days of your streak."),
        required=False,
    )
    ui_language = forms.ChoiceField(
        label=_("Language of the pages"), choices=lambda: settings.LANGUAGES
    )

    class Meta:
        model = User
        fields = [
            "display_name",
            "contribution_languages",
            "ui_language",
            "theme",
            "shortcuts_enabled",
            "time_zone",
            "on_leaderboard",
        ]
        widgets = {"theme": forms.RadioSelect}
        help_texts = {
            "display_name": _("What others see beside your messages."),
            "shortcuts_enabled": _("Single keys such as n, s and 1–5 on task pages."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["display_name"].required = True

    def clean_time_zone(self) -> str:
        return self.cleaned_data["time_zone"] or self.initial["time_zone"]


class EmailChangeForm(forms.Form):
    email = AddressField(label=_("New e-mail address"))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if email == self.user.email:
            raise ValidationError(_("This is your address already."))
        return email


class TokenForm(forms.Form):
    """A new API token: what it is for, what it may do, how long."""

    name = forms.CharField(
        label=_("What it is for"),
        max_length=TOKEN_NAME_MAX_LENGTH,
        help_text=_("So that you know it again, for example: script on my laptop."),
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do in your name"),
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Please choose at least one right.")},
    )
    days = forms.TypedChoiceField(
        label=_("Valid for"),
        choices=[
            (30, _("30 days")),
            (90, _("90 days")),
            (365, _("one year")),
            (0, _("until I revoke it")),
        ],
        coerce=int,
        initial=90,
    )

    def expires_at(self, now: datetime) -> datetime | None:
        """When the token ends; None for never. The form is valid."""
        days = self.cleaned_data["days"]
        return now + timedelta(days=days) if days else None


class SavedViewForm(forms.Form):
    """What a view of one of the desk's lists is kept under."""

    name = forms.CharField(
        max_length=VIEW_NAME_MAX_LENGTH,
        error_messages={
            "required": _("Please give the view a name."),
            "max_length": _("The name of a view has at most %(limit_value)d characters."),
        },
    )

    def clean_name(self) -> str:
        try:
            return names.clean(self.cleaned_data["name"], max_length=VIEW_NAME_MAX_LENGTH)
        except names.BadName as error:
            raise ValidationError(error.message) from error


class DeleteForm(forms.Form):
    """What is to become of the texts; deleting is confirmed by typing the address."""

    KEEP, ERASE = "keep", "erase"
    texts = forms.ChoiceField(
        label=_("What you wrote"),
        choices=[
            (KEEP, _("Keep it in the collection, without my name")),
            (
                ERASE,
                _("Erase it, with the replies that others wrote to it, which make no sense alone"),
            ),
        ],
        initial=KEEP,
        widget=forms.RadioSelect,
    )

    confirmation = forms.CharField(
        label=_("Type your e-mail address to confirm"),
        max_length=254,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    @property
    def erases_texts(self) -> bool:
        chosen: str = self.cleaned_data["texts"]
        return chosen == self.ERASE

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed.lower() != self.user.email:
            raise ValidationError(_("This is not the address of your account."))
        return typed
