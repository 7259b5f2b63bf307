"""The desk's pages of the chat: workers, served models, reports.

Chats are private and have no page here: whoever reports a message shows it, with the prompt it
answers, and nothing else of the conversation.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from chat_app import catalogue, conversations, workers
from chat_app.enums import Role
from chat_app.models import ChatReport, ServedModel, Worker
from oasst.lib.desk.actions import DeskAction, NothingToAsk
from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import NONE, Fact, excerpt, row_link, when

WORKER_COLOURS = {"alive": "success", "silent": "danger", "ended": "default"}
OFFER_COLOURS = {"default": "success", "offered": "info", "off": "default"}
REPORT_COLOURS = {"open": "info", "resolved": "success"}


def open_reports(request: HttpRequest) -> str:
    """The number beside "Reports on chats" in the side bar; nothing if none waits."""
    if not request.user.has_perm("chat_app.view_chatreport"):
        return ""
    count = ChatReport.objects.filter(resolved_at=None).count()
    return str(count) if count else ""


class QueueColumns:
    """What waits for a model, in rows of `with_queue`."""

    @display(description=_l("waiting"))
    def waiting_column(self, row: Any) -> int:
        return row.waiting

    @display(description=_l("oldest waits"))
    def oldest_column(self, row: Any) -> SafeString | str:
        return when(row.oldest)


# Workers


@admin.register(Worker)
class WorkerAdmin(QueueColumns, DeskAdmin):
    """Who writes replies, how fast, and what waits for them."""

    list_display = ("name", "state_column", "model_column", "engine", "quantization", "device",
                    "batch_column", "speed_column", "waiting_column", "oldest_column",
                    "beat_column")  # fmt: skip
    list_filter = (("model", RelatedDropdownFilter),)
    ordering = ("stopped_at", "-heartbeat_at")
    page_template = "admin/desk/page.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        queue = ServedModel.objects.with_queue().filter(pk=OuterRef("model"))
        return (
            super()
            .get_queryset(request)
            .select_related("model")
            .annotate(
                waiting=Subquery(queue.values("waiting")), oldest=Subquery(queue.values("oldest"))
            )
            .order_by(F("stopped_at").desc(nulls_first=True), "-heartbeat_at", "id")
        )

    def page(self, request: HttpRequest, obj: Worker) -> dict[str, Any]:
        return {"title": _("Worker %s") % obj.name, "facts": _worker_facts(obj)}

    @display(description=_l("state"), label=WORKER_COLOURS)
    def state_column(self, row: Worker) -> tuple[str, str]:
        return worker_state(row)

    @display(description=_l("model"))
    def model_column(self, row: Worker) -> SafeString | str:
        return row_link(row.model)

    @display(description=_l("batch"))
    def batch_column(self, row: Worker) -> str:
        return _batch(row)

    @display(description=_l("tokens/s"))
    def speed_column(self, row: Worker) -> str:
        return number_format(row.tokens_per_s, decimal_pos=1)

    @display(description=_l("last heartbeat"))
    def beat_column(self, row: Worker) -> SafeString | str:
        return when(row.heartbeat_at)


def worker_state(worker: Worker) -> tuple[str, str]:
    """A key and words for whether a worker lives."""
    if worker.stopped_at:
        return "ended", _("Ended")
    if worker.heartbeat_at > timezone.now() - workers.ALIVE:
        return "alive", _("At work")
    return "silent", _("Silent")


def _batch(worker: Worker) -> str:
    return _("%(running)d of %(most)d") % {"running": worker.running, "most": worker.max_batch}


def _worker_facts(worker: Any) -> list[Fact]:
    return [
        (_("State"), worker_state(worker)[1]),
        (_("Model"), row_link(worker.model)),
        (_("Engine"), worker.engine),
        (_("Quantization"), worker.get_quantization_display()),
        (_("Device"), worker.device),
        (_("Data type"), worker.dtype or NONE),
        (_("Batch"), _batch(worker)),
        (_("Context, tokens"), number_format(worker.max_context, use_l10n=True)),
        (_("Tokens per second"), number_format(worker.tokens_per_s, decimal_pos=1)),
        (_("Waiting for this model"), worker.waiting),
        (_("Oldest waits"), when(worker.oldest)),
        (_("Started"), when(worker.started_at)),
        (_("Last heartbeat"), when(worker.heartbeat_at)),
        (_("Ended"), when(worker.stopped_at)),
    ]


# Models


class MakeDefault(DeskAction):
    """New chats begin with it."""

    name, title, icon, form_class = "default", _l("Make it the default"), "star", NothingToAsk

    def fits(self, row: ServedModel, *, actor: Any, now: datetime) -> bool:
        return not row.is_default

    def run(self, row: ServedModel, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        catalogue.set_default(row)
        return _("New chats begin with this model.")


class PutOnOffer(DeskAction):
    """People may choose it again."""

    name, title, icon, form_class = "offer", _l("Put on offer"), "visibility", NothingToAsk

    def fits(self, row: ServedModel, *, actor: Any, now: datetime) -> bool:
        return not row.enabled

    def run(self, row: ServedModel, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        catalogue.put_on_offer(row)
        return _("The model is on offer.")


class TakeOffOffer(DeskAction):
    """Nobody can choose it any more."""

    name, title, icon = "withdraw", _l("Take off the offer"), "visibility_off"
    form_class = NothingToAsk

    def fits(self, row: ServedModel, *, actor: Any, now: datetime) -> bool:
        return row.enabled and not row.is_default

    def run(self, row: ServedModel, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        catalogue.take_off_offer(row)
        return _("The model is off the offer; what waits for it is still written.")


@admin.register(ServedModel)
class ServedModelAdmin(QueueColumns, DeskAdmin):
    """What people may chat with. `manage.py promote_model` adds to it."""

    list_display = ("name", "title", "state_column", "parameters_column", "waiting_column",
                    "oldest_column", "promoted_column")  # fmt: skip
    page_template = "admin/desk/page.html"
    desk_actions = (MakeDefault(), PutOnOffer(), TakeOffOffer())

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).with_queue()

    def page(self, request: HttpRequest, obj: ServedModel) -> dict[str, Any]:
        return {"title": str(obj), "facts": _model_facts(obj)}

    @display(description=_l("state"), label=OFFER_COLOURS)
    def state_column(self, row: ServedModel) -> tuple[str, str]:
        return offer_state(row)

    @display(description=_l("parameters"))
    def parameters_column(self, row: ServedModel) -> str:
        return _count(row.parameter_count)

    @display(description=_l("on offer since"))
    def promoted_column(self, row: ServedModel) -> SafeString | str:
        return when(row.promoted_at)


def offer_state(model: ServedModel) -> tuple[str, str]:
    """A key and words for whether people may choose a model."""
    if not model.enabled:
        return "off", _("Off the offer")
    return ("default", _("Default")) if model.is_default else ("offered", _("On offer"))


def _count(number: int | None) -> str:
    return NONE if number is None else number_format(number, use_l10n=True, force_grouping=True)


def _model_facts(model: Any) -> list[Fact]:
    lineage = model.lineage.get("training", {})
    return [
        (_("Name"), model.name),
        (_("State"), offer_state(model)[1]),
        (_("Weights"), model.source),
        (_("Adapter on"), model.base or NONE),
        (_("Licence"), model.licence or NONE),
        (_("Parameters"), _count(model.parameter_count)),
        (_("Context, tokens"), _count(model.max_context)),
        (_("Longest answer, tokens"), _count(model.max_new_tokens)),
        (_("System prompt"), model.system_prompt or NONE),
        (_("Trained by run"), lineage.get("run") or NONE),
        (_("Waiting"), model.waiting),
        (_("Oldest waits"), when(model.oldest)),
        (_("On offer since"), when(model.promoted_at)),
    ]


# Reports


class ResolutionForm(forms.Form):
    """What a moderator decides about a report."""

    resolution = forms.CharField(
        label=_l("Decision"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_l("What you found and did. Kept with the report, with your name."),
    )


class ResolveReport(DeskAction):
    """Closes a report."""

    name, title, icon = "resolve", _l("Decide"), "gavel"
    in_bulk, form_class = True, ResolutionForm

    def explain(self, rows: Sequence[ChatReport]) -> str:
        return _("The report is closed. The message stays as it is: it is private to its person.")

    def run(self, row: ChatReport, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        conversations.resolve(row, actor, data["resolution"], now=now)
        return _("The report is decided.")


class ReportStateFilter(DropdownFilter):
    """Shows what is open unless something else is asked for."""

    title, parameter_name = _l("state"), "state"
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [("open", _("Open")), ("resolved", _("Decided")), ("all", _("All"))]

    def value(self) -> str:
        return super().value() or "open"

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "all":
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "open")


@admin.register(ChatReport)
class ChatReportAdmin(DeskAdmin):
    """What people said is wrong with a reply, the oldest first."""

    list_display = ("kind", "message_column", "reporter_column", "state_column",
                    "created_column")  # fmt: skip
    list_filter = (ReportStateFilter, ("kind", ChoicesDropdownFilter))
    ordering = ("created_at", "id")
    page_template = "admin/desk/chat_report.html"
    desk_actions = (ResolveReport(),)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        return rows.select_related("message__parent", "user", "resolved_by").defer(
            "message__search_vector", "message__parent__search_vector"
        )

    def page(self, request: HttpRequest, obj: ChatReport) -> dict[str, Any]:
        reported = obj.message
        is_reply = reported.role == Role.ASSISTANT
        return {
            "title": _("Report: %s") % obj.get_kind_display(),
            "report": obj,
            "shown": [reported.parent, reported] if is_reply else [reported],
            "facts": _report_facts(obj),
        }

    @display(description=_l("message"))
    def message_column(self, row: ChatReport) -> SafeString:
        return excerpt(row.message.text)

    @display(description=_l("reported by"))
    def reporter_column(self, row: ChatReport) -> SafeString | str:
        return row_link(row.user)

    @display(description=_l("state"), label=REPORT_COLOURS)
    def state_column(self, row: ChatReport) -> tuple[str, str]:
        return ("resolved", _("Decided")) if row.resolved_at else ("open", _("Open"))

    @display(description=_l("reported"))
    def created_column(self, row: ChatReport) -> SafeString | str:
        return when(row.created_at)


def _report_facts(report: ChatReport) -> list[Fact]:
    message = report.message
    return [
        (_("Kind"), report.get_kind_display()),
        (_("Reported"), when(report.created_at)),
        (_("Reported by"), row_link(report.user)),
        (_("Model"), message.model_name or NONE),
        (_("Safety check"), f"{message.get_hold_display()} {message.hold_reason}".strip()),
        (_("Decision"), report.resolution or NONE),
        (_("Decided"), when(report.resolved_at)),
        (_("Decided by"), row_link(report.resolved_by)),
    ]
