"""What people may send to the pages of training."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from oasst.lib.keyset import CursorField
from training import config as configs
from training.models import Snapshot, TrainingRun
from training.reading import MOST_COMPARED, config_names
from training.snapshot_requests import Wish

LONGEST_CONFIG = 20_000
AS_ADAPTER = _("As an adapter on its base")
WHY_AS_ADAPTER = _(
    "A worker of its base, or of another adapter on it, then writes for it too, and holds the base "
    "in memory once. Not ticked: with merged weights of its own, which answer faster."
)
TRAINED = ("sft", "rm", "dpo", "ppo")


class StartForm(forms.Form):
    """What a new run begins from."""

    config = forms.ChoiceField(label=_("Config"), required=False)
    snapshot = forms.ModelChoiceField(
        Snapshot.objects.none(),
        label=_("Data"),
        required=False,
        to_field_name="name",
        empty_label=_("as the config says"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["config"].choices = [(name, name) for name in config_names()]
        self.fields["snapshot"].queryset = Snapshot.objects.current()


class RunForm(forms.Form):
    """A config as text; `cleaned_data["config"]` is what training.config makes of it."""

    config_yaml = forms.CharField(
        label=_("Config (YAML)"),
        max_length=LONGEST_CONFIG,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "code-field"}),
        help_text=_("Keys that are left out have their usual values; a wrong one is named."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "config_yaml" in cleaned:
            cleaned["config_yaml"] = cleaned["config_yaml"].replace(
                "\r\n", "\n"
            )  # as browsers send
            try:
                cleaned["config"] = configs.from_yaml(cleaned["config_yaml"])
            except configs.ConfigError as error:
                self.add_error("config_yaml", str(error))
        return cleaned


class RunsForm(forms.Form):
    """Which part of the list of runs."""

    before = CursorField(required=False)


class CompareForm(forms.Form):
    """Which runs are laid over each other."""

    run = forms.ModelMultipleChoiceField(TrainingRun.objects.all(), required=False)

    def clean_run(self) -> list[TrainingRun]:
        return list(self.cleaned_data["run"].order_by("queued_at")[:MOST_COMPARED])


class SnapshotForm(forms.Form):
    """A new snapshot; the command has more filters."""

    name = forms.SlugField(
        label=_("Name"), max_length=100, help_text=_("Letters, digits, - and _"),
        error_messages={"invalid": _("Only letters, digits, - and _ can stand in a name.")},
    )  # fmt: skip
    langs = forms.CharField(
        label=_("Languages"),
        required=False,
        max_length=200,
        help_text=_("Of the prompts, separated by commas. None: all."),
    )
    synthetic = forms.BooleanField(
        label=_("With trees in which models wrote messages"), required=False
    )
    chats = forms.BooleanField(
        label=_("With chats whose owners allow it, and their votes"), required=False
    )

    gate = forms.BooleanField(
        label=_("Leave out what looks planted"),
        required=False,
        initial=True,
        help_text=_(
            "Phrases with which few people win, copies, and more than one person's share of weight."
        ),
    )

    scrub_pii = forms.BooleanField(
        label=_("Replace personal data in the texts"),
        required=False,
        help_text=_(
            "E-mail addresses, telephone numbers, payment cards, IBANs and IP addresses become "
            "words in brackets."
        ),
    )

    def wish(self) -> Wish:
        """What was asked for, but for the name."""
        data = self.cleaned_data
        langs = tuple(filter(None, (tag.strip() for tag in data["langs"].split(","))))
        return Wish(
            langs,
            synthetic=data["synthetic"],
            chats=data["chats"],
            gate=data["gate"],
            scrub_pii=data["scrub_pii"],
        )


class DiffForm(forms.Form):
    """The older snapshot that one is compared with."""

    old = forms.ModelChoiceField(
        Snapshot.objects.none(), label=_("Compare with"), to_field_name="name"
    )

    def __init__(self, *args: Any, of: Snapshot, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old"].queryset = Snapshot.objects.exclude(pk=of.pk)


class PromoteForm(forms.Form):
    """Under which name and how a model goes live; a reason overrules the gate."""

    name = forms.SlugField(
        label=_("Name in the chat"),
        max_length=200,
        help_text=_("A known name is replaced, and can be rolled back."),
    )
    title = forms.CharField(label=_("What people read"), required=False, max_length=200)
    make_default = forms.BooleanField(label=_("New chats begin with it"), required=False)
    as_adapter = forms.BooleanField(label=AS_ADAPTER, help_text=WHY_AS_ADAPTER, required=False)
    reason = forms.CharField(
        label=_("Overrule the objections because"),
        required=False,
        max_length=500,
        help_text=_("Only where the gate objects. It is kept with your name."),
    )
