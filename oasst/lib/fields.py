"""Form fields for text of people: what can be stored, counted the way the database will."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.utils.translation import gettext_lazy as _

from oasst.lib.characters import UNSTORABLE


def check_storable(text: str) -> None:
    """Refuse characters that PostgreSQL cannot hold, in words that say what to do."""
    if UNSTORABLE.search(text):
        raise ValidationError(
            _(
                "Your text contains characters that cannot be stored."
                " Please type it again as plain text."
            ),
            code="text_invalid",
        )


class PlainText(forms.CharField):
    """Text of a person."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.validators = [
            validator
            for validator in self.validators
            if not isinstance(validator, ProhibitNullCharactersValidator)
        ]
        self.validators.insert(0, check_storable)

    def to_python(self, value: Any) -> str:
        """Browsers send line ends as two characters; one is meant, and one is counted."""
        return (super().to_python(value) or "").replace("\r\n", "\n")
