"""allauth's forms for passkeys, with our words, that no answer of a browser can break."""

import struct
from typing import Any

from allauth.mfa.webauthn import forms as webauthn
from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _

# What reading an answer raises that is not what the standard says; allauth expects a part of it.
_UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, struct.error)


class AnswerField(forms.JSONField):
    """What a browser says about a passkey: an object."""

    def clean(self, value: Any) -> Any:
        try:
            answer = super().clean(value)
        except RecursionError as error:  # of brackets in brackets
            raise _unreadable() from error
        if not isinstance(answer, dict):
            raise _unreadable()
        return answer

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Show what was sent as it came: nobody but a script reads it, and it may be unreadable."""
        return None if data is None else InvalidJSONInput(data)


class AddPasskeyForm(webauthn.AddWebAuthnForm):
    name = forms.CharField(label=_("Name"), required=False, max_length=100)
    credential = AnswerField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except _UNREADABLE as error:
            raise _unreadable() from error


class _UsePasskey:
    """What the forms for using one have in common."""

    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()  # type: ignore[misc]
        except _UNREADABLE as error:
            raise _unreadable() from error


class LoginForm(_UsePasskey, webauthn.LoginWebAuthnForm):
    credential = AnswerField(widget=forms.HiddenInput)


class AuthenticateForm(_UsePasskey, webauthn.AuthenticateWebAuthnForm):
    credential = AnswerField(widget=forms.HiddenInput)


class ReauthenticateForm(_UsePasskey, webauthn.ReauthenticateWebAuthnForm):
    credential = AnswerField(widget=forms.HiddenInput)


def _unreadable() -> ValidationError:
    return ValidationError(_("Your browser's answer could not be read. Please try again."))
