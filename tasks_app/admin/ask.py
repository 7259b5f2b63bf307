"""Asking a person something: from their page, from a message of theirs, from a report on it; and
taking it back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.widgets import UnfoldAdminTextareaWidget

from oasst.accounts.models import User
from oasst.lib.desk.actions import DeskAction, ReasonForm
from oasst.lib.fields import PlainText
from tasks_app import moderation, questions
from tasks_app.desk_records import MOST_ASKED
from tasks_app.models import Message, Question, Report


class AskForm(ReasonForm):
    """A question, and why it is asked."""

    text = PlainText(
        label=_l("Question"),
        max_length=MOST_ASKED,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5, "dir": "auto"}),
        help_text=_l("The person reads this as coming from “the moderators”, without your name."),
        error_messages={"required": questions.QuestionEmpty.default_message},
    )
    field_order = ("text", "reason")


class Ask(DeskAction):
    """Puts a question to a person."""

    name, icon, form_class, key = "ask", "contact_support", AskForm, "q"

    def explain(self, rows: Sequence[Any]) -> str:
        return _(
            "The person is told that the moderators have a question, and can answer it once. "
            "Neither changes anything by itself. Whoever is held back does not know: let the "
            "question not tell."
        )


class Withdraw(DeskAction):
    """Takes back what was asked."""

    name, title, icon = "withdraw", _l("Take the question back"), "undo"

    def fits(self, row: Question, *, actor: Any, now: datetime) -> bool:
        return row.is_open

    def explain(self, rows: Sequence[Any]) -> str:
        return _(
            "It can be answered no more. If the person was told of it, they are told that it "
            "needs no answer; they can still read it."
        )

    def run(self, row: Question, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        questions.withdraw(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("The question is taken back.")


class AskPerson(Ask):
    """About nothing in particular."""

    title = _l("Ask a question")

    def fits(self, row: User, *, actor: Any, now: datetime) -> bool:
        return row.is_active

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        questions.ask(row.pk, data["text"], actor=actor, reason=data["reason"], now=now)
        return _("The question is asked. The answer will stand on this page.")


class AskAuthor(Ask):
    """About a message, which knows what is kept from the moderator; see reading.Veil."""

    title = _l("Ask the author")

    def fits(self, row: Any, *, actor: Any, now: datetime) -> bool:
        return questions.may_ask_author(row, row.veil)

    def run(self, row: Message, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        questions.ask_author(row.pk, data["text"], actor=actor, reason=data["reason"], now=now)
        return _("The question is asked. The answer will stand on this page.")


class AskAboutReported(AskAuthor):
    """About a message that is reported."""

    def fits(self, row: Report, *, actor: Any, now: datetime) -> bool:
        return super().fits(row.message, actor=actor, now=now)

    def run(self, row: Report, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        if moderation.is_claimed_by_other(row, actor, now):
            raise moderation.ReportClaimed
        return super().run(row.message, data, actor=actor, now=now)
