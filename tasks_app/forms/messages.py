"""The forms around messages: search and filters, reactions, reports, free labels."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from oasst.lib.fields import PlainText
from oasst.lib.keyset import Cursor, CursorField
from oasst.lib.languages import LANGUAGES
from tasks_app import search
from tasks_app.enums import ContributionKind, Emoji, Role, Topic
from tasks_app.forms.fields import LabelFields
from tasks_app.labels import LABELS, REPORT_LABELS, free_form
from tasks_app.models import Message


class PlaceField(CursorField):
    """The same in a list that may be in order of relevance."""

    def parse(self, text: str) -> search.Place | Cursor:
        """A Place or a Cursor."""
        return search.place(text)


class BrowseForm(forms.Form):
    """Which messages to show."""

    STATES = (
        ("", _("Any state")),
        ("accepted", _("Accepted")),
        ("review", _("In review")),
    )
    ORDERS = (("", _("Newest first")), ("best", _("Best match first")))

    q = PlainText(label=_("Search"), required=False, max_length=200)
    lang = forms.ChoiceField(label=_("Language"), required=False)
    role = forms.ChoiceField(
        label=_("Role"), required=False, choices=[("", _("Any role")), *Role.choices]
    )
    state = forms.ChoiceField(label=_("State"), required=False, choices=STATES)
    topic = forms.ChoiceField(
        label=_("Topic"), required=False, choices=[("", _("Any topic")), *Topic.choices]
    )
    sort = forms.ChoiceField(label=_("Order"), required=False, choices=ORDERS)
    mine = forms.BooleanField(required=False, widget=forms.HiddenInput)
    before = PlaceField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, langs: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.langs = list(langs)
        self.fields["lang"].choices = [
            ("", _("All my languages")),
            *((code, LANGUAGES.get(code, code)) for code in langs),
        ]

    def wanted(self) -> search.Wanted:
        """What is asked for. The form is valid."""
        asked = self.cleaned_data
        return search.Wanted(
            langs=self.langs,
            words=asked["q"],
            lang=asked["lang"],
            role=asked["role"],
            state=asked["state"],
            is_mine=asked["mine"],
            topic=asked["topic"],
            by_relevance=asked["sort"] == "best",
        )


class ContributionsForm(forms.Form):
    """Which of one's contributions to show."""

    KINDS = (
        ("", _("Everything")),
        (ContributionKind.PROMPT.value, _("Prompts")),
        (ContributionKind.REPLY.value, _("Replies")),
        (ContributionKind.LABELS.value, _("Reviews")),
        (ContributionKind.RANKING.value, _("Rankings")),
    )
    OUTCOMES = (
        ("", _("Any outcome")),
        ("waiting", _("Waiting")),
        ("accepted", _("Accepted")),
        ("not_accepted", _("Not accepted or removed")),
    )

    kind = forms.ChoiceField(required=False, choices=KINDS)
    outcome = forms.ChoiceField(required=False, choices=OUTCOMES)
    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class ReactionForm(forms.Form):
    """An emoji to give or take back."""

    # A red flag comes with a report, which says why and which moderators see.
    code = forms.ChoiceField(choices=[c for c in Emoji.choices if c[0] != Emoji.RED_FLAG])


# Labels whose titles name the good end of their scale.
_WRONGS = {
    "toxicity": _("Rude or insulting"),
    "violence": _("Violence or self-harm"),
    "quality": _("Very low quality"),
}


class ReportForm(forms.Form):
    """What is wrong with a message."""

    category = forms.ChoiceField(
        label=_("What is wrong?"),
        choices=[(name, _WRONGS.get(name, LABELS[name].title)) for name in REPORT_LABELS],
        widget=forms.RadioSelect,
        error_messages={"required": _("Please choose what is wrong with the message.")},
    )
    text = PlainText(
        label=_("What should the moderators know?"),
        required=False,
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
    )


class FollowForm(forms.Form):
    """Whether to leave a conversation instead of following it."""

    leave = forms.BooleanField(required=False)


class FreeLabelForm(LabelFields):
    """Labels outside of a task. None has to be given, but one at least."""

    def __init__(self, *args: Any, message: Message, **options: Any) -> None:
        asked = free_form(message.role, is_root=message.is_root)
        super().__init__(*args, valid=asked.valid, mandatory=asked.mandatory, **options)

    def clean(self) -> dict[str, Any]:
        """Nothing answered is nothing to store."""
        cleaned = super().clean() or {}
        if not self.errors and not self.values():
            raise forms.ValidationError(_("Please answer at least one question."))
        return cleaned
