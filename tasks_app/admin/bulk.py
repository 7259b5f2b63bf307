"""Bulk actions: how far each is, what it changed, and undoing it."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from oasst.lib.desk.actions import DeskAction
from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import NONE, Fact, list_url, row_link, when
from tasks_app.admin import log
from tasks_app.bulk import actions
from tasks_app.enums import UNFINISHED, BulkState
from tasks_app.models import BulkAction, ModerationAction

STATE_COLOURS = {"waiting": "info", "undoing": "info", "done": "success", "undone": "warning"}
MOST_ENTRIES = 20


class UndoBulk(DeskAction):
    """Takes everything back that a bulk action changed."""

    name, title, icon, is_danger = "undo", _l("Undo"), "undo", True

    def fits(self, row: BulkAction, *, actor: Any, now: datetime) -> bool:
        return actions.may_be_undone(row, now)

    def explain(self, rows: Any) -> str:
        return _(
            "Everything it changed comes back as it was: messages, reviews, rankings, reactions, "
            "verdicts, ranks and the states of trees. What people did since stays."
        )

    def run(self, row: BulkAction, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        bulk = actions.undo_now(row.pk, actor=actor, reason=data["reason"], now=now)
        if bulk.state == BulkState.UNDONE:
            return _("It is undone.")
        return _("It is being undone; this page shows how far it is.")


@admin.register(BulkAction)
class BulkActionAdmin(DeskAdmin):
    """What staff did to many messages at once, the newest first."""

    list_display = ("kind_column", "state_column", "messages", "trees", "people",
                    "actor_column", "created_column")  # fmt: skip
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("actor", AutocompleteSelectFilter),
    )
    ordering = ("-created_at", "id")
    list_select_related = ("actor", "person")
    page_template = "admin/desk/bulk.html"
    desk_actions = (UndoBulk(),)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("actor", "person", "undo_actor")

    def page(self, request: HttpRequest, obj: BulkAction) -> dict[str, Any]:
        done, total = actions.progress(obj)
        entries = ModerationAction.objects.filter(bulk_id=obj.pk).select_related("actor")
        return {
            "title": obj.get_kind_display(),
            "facts": facts(obj),
            "done": done,
            "total": total,
            "is_running": obj.state in UNFINISHED,
            "counts": counts(obj),
            "until": obj.created_at + actions.UNDONE_WITHIN,
            "may_undo": actions.may_be_undone(obj, timezone.now()),
            "log": [log.shown(row) for row in entries[:MOST_ENTRIES]],
            "log_url": list_url(ModerationAction, f"q={obj.pk}"),
        }

    @display(description=_l("action"))
    def kind_column(self, row: BulkAction) -> str:
        return row.get_kind_display()

    @display(description=_l("state"), label=STATE_COLOURS)
    def state_column(self, row: BulkAction) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_l("by"))
    def actor_column(self, row: BulkAction) -> SafeString | str:
        return log.actor(row)

    @display(description=_l("begun"))
    def created_column(self, row: BulkAction) -> SafeString | str:
        return when(row.created_at)


def counts(bulk: BulkAction) -> list[tuple[Any, int]]:
    """What it changed, as counted when it began."""
    votes = [(_l("Reviews, rankings, reactions"), bulk.votes)] if bulk.person_id else []
    return [
        (_l("Messages"), bulk.messages),
        (_l("Trees"), bulk.trees),
        (_l("People"), bulk.people),
        *votes,
    ]


def facts(bulk: BulkAction) -> list[Fact]:
    """The columns of a bulk action in words."""
    return [
        (_("State"), bulk.get_state_display()),
        (_("By"), log.actor(bulk)),
        (_("Reason"), bulk.reason),
        *([(_("Person"), row_link(bulk.person))] if bulk.person_id else []),
        *([(_("Label"), log.label_title(bulk.label))] if bulk.label else []),
        (_("Begun"), when(bulk.created_at)),
        (_("Ended"), when(bulk.ended_at)),
        (_("Undone by"), row_link(bulk.undo_actor) if bulk.undo_actor_id else NONE),
        (_("Reason for undoing"), bulk.undo_reason or NONE),
    ]
