"""What people send to the pages of notifications."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tasks_app.enums import NotificationKind
from tasks_app.notice_records import NotificationSettings

# A question waits for an answer, so nobody leaves that out.
WISHES = [choice for choice in NotificationKind.choices if choice[0] != NotificationKind.QUESTION]


class PageForm(forms.Form):
    """Where a page begins."""

    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class ReadForm(forms.Form):
    """Up to which one everything was seen."""

    up_to = forms.IntegerField(min_value=1, max_value=2**63 - 1)


class WishesForm(forms.Form):
    """Which kinds are told on the page, and the weekly mail."""

    told = forms.MultipleChoiceField(
        label=_("Tell me when"),
        choices=WISHES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    weekly_digest = forms.BooleanField(
        label=_("Send me an e-mail once a week"),
        required=False,
        help_text=_("Only in weeks with news; each mail has a link that ends them."),
    )

    def __init__(self, *args: Any, settings: NotificationSettings, **options: Any) -> None:
        told = [kind for kind, _title in WISHES if kind not in settings.muted]
        initial = {"told": told, "weekly_digest": settings.weekly_digest}
        super().__init__(*args, initial=initial, **options)

    def muted(self) -> list[str]:
        """The kinds that are not wished for. The form is valid."""
        told = self.cleaned_data["told"]
        return [kind for kind, _title in WISHES if kind not in told]
