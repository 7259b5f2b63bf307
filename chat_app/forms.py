"""Everything people send to the chat pages passes one of these. Rules about texts and parameters
are the domain's; a form only reads."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from chat_app.enums import ReportKind, VoteReason
from chat_app.inference.sampling import LIMITS, SamplingParameters
from chat_app.models import TITLE_LENGTH, CustomInstructions
from chat_app.reading import Offer
from oasst.lib.fields import PlainText
from oasst.lib.keyset import CursorField
from oasst.lib.languages import name as language_name

MAX_DRAFTS = 3
# Values of a control while its parameter is switched off, where the default has none.
_AT_REST = {"top_k": 50, "top_p": 0.95, "typical_p": 0.2, "seed": 0}
# Nobody drags a slider through thousands of values.
_SLIDER_MOST = {"top_k": 200, "max_new_tokens": 2048}


class PromptForm(forms.Form):
    """What the person says, and after which message."""

    text = PlainText(
        label=_("Your message"),
        required=False,
        strip=False,
        widget=forms.Textarea({"rows": 1, "dir": "auto"}),
    )
    parent = forms.UUIDField(required=False, widget=forms.HiddenInput)
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)
    count = forms.IntegerField(
        required=False, min_value=1, max_value=MAX_DRAFTS, widget=forms.HiddenInput
    )

    def drafts(self) -> int:
        """How many replies are asked for."""
        return self.cleaned_data["count"] or 1


class NewChatForm(PromptForm):
    """The first prompt, which model answers, and whether the chat stays out of training."""

    model = forms.ChoiceField(label=_("Model"), required=False)
    private = forms.BooleanField(label=_("Keep this chat out of training"), required=False)

    def __init__(self, *args: Any, offers: Iterable[Offer], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["model"].choices = [(offer.model.name, str(offer.model)) for offer in offers]


class DraftsForm(forms.Form):
    """How many new replies."""

    count = forms.IntegerField(required=False, min_value=1, max_value=MAX_DRAFTS)

    def drafts(self) -> int:
        return self.cleaned_data["count"] or 1


class FindForm(forms.Form):
    """Which chats to list."""

    q = PlainText(label=_("Search your chats"), required=False, max_length=200)
    archived = forms.BooleanField(required=False)
    before = CursorField(required=False)


class WindowForm(forms.Form):
    """Which part of a long thread: before a message, or from one on."""

    before = forms.UUIDField(required=False)
    since = forms.UUIDField(required=False)
    whole = forms.BooleanField(required=False)


class RenameForm(forms.Form):
    title = PlainText(
        label=_("Title"),
        required=False,
        max_length=TITLE_LENGTH,
        help_text=_("Leave it empty for the one made from your first message."),
    )


class FlagForm(forms.Form):
    """One setting that is on or off."""

    on = forms.BooleanField(required=False)


class VoteForm(forms.Form):
    """A thumb, with reasons. 0 takes it back."""

    value = forms.TypedChoiceField(
        choices=[("1", _("Good")), ("-1", _("Bad")), ("0", _("Neither"))], coerce=int
    )
    reasons = forms.MultipleChoiceField(required=False, choices=VoteReason)
    text = PlainText(label=_("Anything to add?"), required=False, max_length=2000)


class ReportForm(forms.Form):
    """What is wrong with a message."""

    kind = forms.ChoiceField(
        label=_("What is wrong?"),
        choices=ReportKind,
        widget=forms.RadioSelect,
        error_messages={"required": _("Please choose what is wrong with the message.")},
    )
    text = PlainText(
        label=_("What should the moderators know?"),
        required=False,
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
    )


class ShareForm(forms.Form):
    """The link to revoke; none means: make one."""

    revoke = forms.UUIDField(required=False)


class ExportForm(forms.Form):
    format = forms.ChoiceField(choices=[("json", "JSON"), ("markdown", "Markdown")])


class PresetForm(forms.Form):
    """A preset to forget."""

    forget = PlainText(required=False, max_length=60)


class InstructionsForm(forms.ModelForm):
    """What every reply should know."""

    class Meta:
        model = CustomInstructions
        fields = ["about_me", "how_to_respond", "enabled"]
        field_classes = {"about_me": PlainText, "how_to_respond": PlainText}
        labels = {
            "about_me": _("About you"),
            "how_to_respond": _("How the assistant should answer"),
            "enabled": _("Use these in new replies"),
        }
        help_texts = {
            "about_me": _("For example what you do, what you know already, where you live."),
            "how_to_respond": _("For example short or long, formal or not, in which language."),
        }
        widgets = {
            "about_me": forms.Textarea({"rows": 3, "maxlength": 1000}),
            "how_to_respond": forms.Textarea({"rows": 3, "maxlength": 1000}),
        }


class SettingsForm(forms.Form):
    """Model, preset and sampling parameters of a chat's next reply.

    A named preset gives the values of how tokens are drawn; length, seed and stop texts are
    always the form's.
    """

    OPTIONAL = ("top_k", "top_p", "typical_p", "seed")
    OF_PRESETS = ("temperature", "top_k", "top_p", "typical_p", "repetition_penalty")

    model = forms.ChoiceField(label=_("Model"), required=False, widget=forms.RadioSelect)
    preset = forms.ChoiceField(label=_("Preset"), required=False)
    save_as = PlainText(label=_("Keep these values as"), required=False, max_length=60)
    stop = PlainText(
        label=_("Stop texts"),
        required=False,
        strip=False,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("One a line. The reply ends before the first of them."),
    )

    def __init__(
        self,
        *args: Any,
        offers: Iterable[Offer],
        presets: Mapping[str, SamplingParameters],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.presets = presets
        self.fields["model"].choices = [(offer.model.name, str(offer.model)) for offer in offers]
        named = [(name, name) for name in presets]
        self.fields["preset"].choices = [*named, ("", _("My own values"))]
        for name, label, help_text in SLIDERS:
            self.fields[name] = _number(name, label, help_text)
        self.fields["seed"] = _number("seed", _("Seed"), _("The same seed draws the same words."))
        for name in self.OPTIONAL:
            self.fields[f"use_{name}"] = forms.BooleanField(required=False)

    def parameters(self) -> dict[str, Any]:
        """Values as the domain reads them; a named preset wins over the sliders."""
        data = self.cleaned_data
        values = {name: data[name] for name in LIMITS if data.get(name) is not None}
        values |= {name: None for name in self.OPTIONAL if not data[f"use_{name}"]}
        if chosen := self.presets.get(data["preset"]):
            values |= {name: getattr(chosen, name) for name in self.OF_PRESETS}
        return values | {"stop": [line for line in data["stop"].split("\n") if line]}

    def sliders(self) -> list[dict[str, Any]]:
        """The numbers with their switches, for the template."""
        return [self._control(name) for name, _label, _help in SLIDERS]

    def seed_control(self) -> dict[str, Any]:
        """Nobody drags a slider through all seeds."""
        return {"name": "seed", "field": self["seed"], "switch": self["use_seed"]}

    def _control(self, name: str) -> dict[str, Any]:
        switch = self[f"use_{name}"] if name in self.OPTIONAL else None
        least, most = LIMITS[name]
        is_whole = isinstance(least, int)
        return {
            "name": name,
            "field": self[name],
            "switch": switch,
            "least": f"{least:g}",
            "most": f"{_SLIDER_MOST.get(name, most):g}",
            "step": "1" if is_whole else "0.01",
        }


SLIDERS = (
    ("temperature", _("Temperature"), _("0 always takes the likeliest word, 2 dares a lot.")),
    ("max_new_tokens", _("Longest answer, tokens"), _("About three quarters of a word each.")),
    ("top_k", _("Top k"), _("Draws from this many of the likeliest words.")),
    ("top_p", _("Top p"), _("Draws from the likeliest words that make up this share.")),
    ("typical_p", _("Typical p"), _("Leaves out what is too likely or too surprising.")),
    ("repetition_penalty", _("Repetition penalty"), _("1 lets words come again freely.")),
)


def _number(name: str, label: Any, help_text: Any) -> forms.Field:
    least, most = LIMITS[name]
    kind = forms.IntegerField if isinstance(least, int) else forms.FloatField
    # Steps are for the slider; the field takes any value between them.
    attributes = {"step": 1 if isinstance(least, int) else "any", "inputmode": "decimal"}
    return kind(
        label=label,
        help_text=help_text,
        required=False,
        min_value=least,
        max_value=most,
        widget=forms.NumberInput(attributes),
    )


def settings_of(chat: Any) -> dict[str, Any]:
    """What the settings form of a chat begins with."""
    kept = dict(chat.parameters)
    shown = SamplingParameters.from_dict(kept).to_dict()
    switches = {f"use_{name}": shown[name] is not None for name in SettingsForm.OPTIONAL}
    resting = {name: value for name, value in _AT_REST.items() if shown[name] is None}
    return {
        **shown,
        **switches,
        **resting,
        "model": chat.model.name if chat.model else "",
        "preset": chat.preset,
        "stop": "\n".join(shown["stop"]),
    }


class OfferForm(forms.Form):
    """The language in which others are to rank."""

    lang = forms.ChoiceField(label=_("Language of the conversation"))

    def __init__(self, *args: Any, languages: Iterable[str], **options: Any) -> None:
        super().__init__(*args, **options)
        own = list(languages) or ["en"]
        self.fields["lang"].choices = [(code, language_name(code)) for code in own]
        self.fields["lang"].initial = own[0]
