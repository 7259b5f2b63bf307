"""The queue of reports: the most urgent first, claimed by one moderator at a time, decided here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanWidget,
)

from oasst.lib.desk.actions import DeskAction, NothingToAsk
from oasst.lib.desk.admin import ANY_ROW, DeskAdmin, RowKey
from oasst.lib.desk.display import excerpt, page_url, row_link, when
from oasst.lib.desk.filters import LanguageFilter
from tasks_app import moderation, reading
from tasks_app.admin import report_item, report_list, report_page
from tasks_app.admin.ask import AskAboutReported
from tasks_app.bulk import actions, plans
from tasks_app.enums import BulkKind, ReportState
from tasks_app.labels import REPORT_SEVERITY
from tasks_app.models import Message, Report

SEVERITY_COLOURS = {1: "default", 2: "info", 3: "warning", 4: "warning", 5: "danger"}
STATE_COLOURS = {"open": "info", "resolved": "success", "dismissed": "default",
                 "inconclusive": "warning"}  # fmt: skip
OUTCOMES = [choice for choice in ReportState.choices if choice[0] != ReportState.OPEN]


@dataclass(frozen=True)
class Decision:
    """A usual answer, which a key fills in; the note stays to be written."""

    key: str
    name: str
    title: Any
    outcome: ReportState
    delete: bool = False


DECISIONS = (
    Decision("a", "let-stand", _l("Let it stand"), ReportState.DISMISSED),
    Decision("d", "delete", _l("Delete the message"), ReportState.RESOLVED, delete=True),
    Decision("i", "inconclusive", _l("Inconclusive"), ReportState.INCONCLUSIVE),
)


class DecisionForm(forms.Form):
    """What a moderator decides about a report."""

    outcome = forms.ChoiceField(
        label=_l("Decision"), choices=OUTCOMES, widget=UnfoldAdminRadioSelectWidget
    )
    delete = forms.BooleanField(
        label=_l("Delete the message and everything below it"),
        required=False,
        widget=UnfoldBooleanWidget,
    )
    others = forms.BooleanField(
        label=_l("Decide the same on all other open reports of this message"),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
    )
    note = forms.CharField(
        label=_l("Note"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_l("Why. Kept with the report; if you delete, the author reads it too."),
        error_messages={"required": _l("Please say why; it is kept with the decision.")},
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("delete") and data.get("outcome") not in (None, ReportState.RESOLVED):
            text = _("You delete the message, so the decision is “Acted upon”.")
            self.add_error("outcome", text)
        return data


class ClaimReport(DeskAction):
    """Keeps others from working on the same report."""

    name, title, icon, form_class, key = "claim", _l("Take it"), "lock", NothingToAsk, "c"

    def fits(self, row: Report, *, actor: Any, now: datetime) -> bool:
        mine = row.claimed_by_id == actor.pk
        other = moderation.is_claimed_by_other(row, actor, now)
        return row.state == ReportState.OPEN and not mine and not other

    def run(self, row: Report, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        if not moderation.claim_report(row.pk, actor=actor, now=now):
            raise moderation.ReportClaimed
        return _("The report is yours for 30 minutes.")


class ReleaseReport(DeskAction):
    """Gives a report back to the queue."""

    name, title, icon, form_class = "release", _l("Give it back"), "lock_open", NothingToAsk

    def fits(self, row: Report, *, actor: Any, now: datetime) -> bool:
        return row.state == ReportState.OPEN and row.claimed_by_id == actor.pk

    def run(self, row: Report, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        moderation.release_report(row.pk, actor=actor)
        return _("The report is back in the queue.")


class DecideReport(DeskAction):
    """Closes a report, and may delete the message and close the other reports of it."""

    name, title, icon = "decide", _l("Decide"), "gavel"
    in_bulk, form_class = True, DecisionForm

    def fits(self, row: Report, *, actor: Any, now: datetime) -> bool:
        return False  # no button: the form stands on the report's page

    def explain(self, rows: Sequence[Report]) -> str:
        below = Message.objects.with_all_below([row.message_id for row in rows])
        count = Message.objects.filter(pk__in=below, deleted=False).count()
        chosen = ngettext("You decide on %d report.", "You decide on %d reports.", len(rows))
        hidden = ngettext(
            "Deleting would hide %d message.", "Deleting would hide %d messages.", count
        )
        return f"{chosen % len(rows)} {hidden % count}"

    @transaction.atomic
    def run(self, row: Report, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        note, outcome = data["note"], ReportState(data["outcome"])
        # Whoever reports locks the tree before the report, so this must too, and reports in order.
        if data["delete"]:
            plan = plans.of_messages(BulkKind.DELETE, [row.message_id])
            if plan.targets:  # else another report of it has led to that
                actions.do_now(plan, actor=actor, reason=note, now=now)
        ids = {row.pk}
        if data["others"]:
            same = Report.objects.waiting().filter(message=row.message_id)
            ids.update(same.values_list("pk", flat=True))
        taken = []
        for pk in sorted(ids):
            try:
                moderation.resolve_report(pk, actor=actor, outcome=outcome, note=note, now=now)
            except moderation.ReportClaimed:
                if pk == row.pk:
                    raise
                taken.append(pk)
        return _what_was_decided(len(ids) - len(taken), taken)


def _what_was_decided(count: int, taken: Collection[Any]) -> str:
    """How many reports, and which of the message were left to the colleagues who hold them."""
    done = ngettext("%d report is decided.", "%d reports are decided.", count) % count
    rows = Report.objects.filter(pk__in=taken).select_related("claimed_by").order_by("pk")
    words = _("%(name)s is working on another one, %(category)s: it stays open.")
    left = [
        words % {"name": report.claimed_by, "category": report_item.category(report)}
        for report in rows
    ]
    return " ".join([done, *left])


class ReportStateFilter(DropdownFilter):
    """Shows what is open unless something else is asked for."""

    title, parameter_name = _l("state"), "state"
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [*ReportState.choices, ("all", _("All"))]

    def value(self) -> str:
        return super().value() or ReportState.OPEN

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset if self.value() == "all" else queryset.filter(state=self.value())


class CategoryFilter(DropdownFilter):
    """By what is said to be wrong."""

    title, parameter_name = _l("category"), "category"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return list(report_item.CATEGORIES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(category=self.value()) if self.value() else queryset


class MessageLanguageFilter(LanguageFilter):
    """By the language of the message."""

    def narrow(self, queryset: QuerySet, code: str) -> QuerySet:
        return queryset.filter(message__lang=code)


@admin.register(Report)
class ReportAdmin(DeskAdmin):
    """Open reports by severity times age."""

    list_display = ("category_column", "message_column", "reporter_column", "state_column",
                    "claim_column", "created_column")  # fmt: skip
    list_filter = (ReportStateFilter, CategoryFilter, MessageLanguageFilter)
    list_select_related = ("message", "user", "claimed_by")
    page_template = "admin/desk/report.html"
    desk_actions = (ClaimReport(), ReleaseReport(), AskAboutReported(), DecideReport())

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("message__user", "message__tree")
        people = rows.select_related("message", "user", "claimed_by", "resolved_by")
        return report_list.in_order(people.defer("message__search_vector"), request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[report_list.ReportList]:
        return report_list.ReportList

    def row_keys(self, request: HttpRequest) -> list[RowKey]:
        """Deciding asks for more than a reason: the report's page, with the answer filled in."""
        keys = super().row_keys(request)
        if not keys:
            return []
        page = page_url(Report, ANY_ROW)
        return [*keys, *(RowKey(each.key, each.title, f"{page}#{each.name}") for each in DECISIONS)]

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Report | None:
        found: Any = super().get_object(request, *args, **kwargs)
        if found is not None:
            found.message.veil = reading.veil([found.message.tree_id], request.user)
        return found

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        decide = next(action for action in self.desk_actions if action.name == "decide")
        return report_page.context(obj, obj.message.veil, timezone.now()) | {
            "has_decision": self.has_change_permission(request, obj),
            "decision": DecisionForm(),
            "decisions": DECISIONS,
            "next_url": report_list.next_url(obj, request),
            "decide_url": self.act_url("decide", obj.pk),
            "consequence": decide.explain([obj]),
        }

    @display(description=_l("category"), label=SEVERITY_COLOURS)
    def category_column(self, row: Report) -> tuple[int, str]:
        return REPORT_SEVERITY.get(row.category, 1), report_item.category(row)

    @display(description=_l("message"))
    def message_column(self, row: Report) -> SafeString:
        return excerpt(row.message.text)

    @display(description=_l("reported by"))
    def reporter_column(self, row: Report) -> SafeString | str:
        return row_link(row.user)

    @display(description=_l("state"), label=STATE_COLOURS)
    def state_column(self, row: Report) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_l("taken by"))
    def claim_column(self, row: Report) -> SafeString | str:
        return row_link(row.claimed_by)

    @display(description=_l("reported"))
    def created_column(self, row: Report) -> SafeString | str:
        return when(row.created_at)
