"""What moderators do about the crowd's judgement: settle what a message is, decide splits."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanWidget,
)

from oasst.lib.desk.actions import DeskAction
from tasks_app import gold_items, splits
from tasks_app.labels import LABELS
from tasks_app.models import GoldItem, Message


class GoldForm(forms.Form):
    """The right answers, and why they are right."""

    spam = forms.TypedChoiceField(
        label=LABELS["spam"].text,
        choices=[(f"{value:g}", word) for value, word in LABELS["spam"].choices],
        coerce=float,
        widget=UnfoldAdminRadioSelectWidget,
    )
    lang_mismatch = forms.BooleanField(
        label=LABELS["lang_mismatch"].text, required=False, widget=UnfoldBooleanWidget
    )
    quality = forms.TypedChoiceField(
        label=LABELS["quality"].text,
        choices=[
            ("", _l("Not part of it")),
            *((f"{value:g}", word) for value, word in LABELS["quality"].choices),
        ],
        coerce=float,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=_l("One step beside it counts as right too."),
    )
    explanation = forms.CharField(
        label=_l("Explanation"),
        max_length=gold_items.MOST_EXPLAINED,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text=_l("Contributors read it after their answer, right or not. Be kind and exact."),
        error_messages={"required": _l("Please explain why these answers are the right ones.")},
    )
    for_practice = forms.BooleanField(
        label=_l("Show it to visitors for practice"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_l(
            "Anybody may read and judge it without an account, and nobody gets it among their "
            "reviews. Only for messages without anything personal or harmful."
        ),
    )

    def answers(self) -> dict[str, float]:
        """Label name to value."""
        chosen = {name: self.cleaned_data[name] for name in ("spam", "lang_mismatch", "quality")}
        return {name: float(value) for name, value in chosen.items() if value is not None}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "spam" in data and "quality" in data:
            data["answers"] = self.answers()
        return data


class MakeGold(DeskAction):
    """Gives a message now and then to reviewers, to see how they judge."""

    name, title, icon, form_class = "make-gold", _l("Make it a gold item"), "stars", GoldForm

    def fits(self, row: Message, *, actor: Any, now: datetime) -> bool:
        return row.review_result is not None and not row.deleted

    def explain(self, rows: Any) -> str:
        return _(
            "Reviewers get this message now and then like any other, and are told afterwards what "
            "was known. Their answers change nothing about it; they show how well people judge."
        )

    def initial(self, row: Message) -> dict[str, Any]:
        return {"spam": "0" if row.review_result else "1"}

    def run(self, row: Message, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        gold_items.make(
            row.pk,
            data["answers"],
            explanation=data["explanation"],
            for_practice=data["for_practice"],
            actor=actor,
            now=now,
        )
        return _("It is a gold item now.")


class RetireGold(DeskAction):
    """Stops using a gold item."""

    name, title, icon, is_danger = "retire", _l("Retire"), "block", True

    def fits(self, row: GoldItem, *, actor: Any, now: datetime) -> bool:
        return row.active

    def explain(self, rows: Any) -> str:
        return _(
            "Nobody gets it any more, and what answers to it said about people is forgotten within "
            "minutes. It can be made a gold item again from the message's page."
        )

    def run(self, row: GoldItem, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        gold_items.retire(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("It is retired.")


class DecideSplit(DeskAction):
    """Decides about a message in place of reviewers who differ."""

    accept: bool

    def fits(self, row: Message, *, actor: Any, now: datetime) -> bool:
        return row.split_at is not None and row.review_result is None and not row.deleted

    def explain(self, rows: Any) -> str:
        return _("The reviewers differ. Your decision is final; later reviews do not change it.")

    def run(self, row: Message, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        reason = data["reason"]
        splits.decide(row.pk, accept=self.accept, actor=actor, reason=reason, now=now)
        return _("It is accepted.") if self.accept else _("It is not accepted.")


class TakeIn(DecideSplit):
    """It belongs here."""

    name, title, icon, accept, key = "take-in", _l("Accept"), "check_circle", True, "a"


class LeaveOut(DecideSplit):
    """It does not belong here."""

    name, title, icon, accept, key = "leave-out", _l("Do not accept"), "cancel", False, "x"
    is_danger = True
