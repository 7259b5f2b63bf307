"""Tasks handed out: to read only."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
)
from unfold.decorators import display

from oasst.lib.desk.display import NONE, Fact, link, page_url, row_link, when
from oasst.lib.desk.filters import DaysFilter, LanguageFilter
from oasst.lib.languages import name as language_name
from tasks_app.admin.log import ReadOnlyAdmin
from tasks_app.models import Message, MessageTree, Task

STATE_COLOURS = {"held": "info", "open": "default", "done": "success", "skipped": "warning",
                 "expired": "danger"}  # fmt: skip


def state(task: Task) -> tuple[str, str]:
    """A key and words for where a task stands."""
    if task.done_at:
        return "done", _("Done")
    if task.skipped_at:
        return "skipped", _("Skipped")
    if task.is_expired(timezone.now()):
        return "expired", _("Expired")
    if task.holds_slot:
        return "held", _("Open, holds a place")
    return "open", _("Open")


class TaskStateFilter(DropdownFilter):
    """By what became of it."""

    title, parameter_name = _l("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [
            ("held", _("Open, holds a place")),
            ("open", _("Open")),
            ("done", _("Done")),
            ("skipped", _("Skipped")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        conditions = {
            "held": Q(holds_slot=True),
            "open": Q(done_at=None, skipped_at=None),
            "done": Q(done_at__isnull=False),
            "skipped": Q(skipped_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    """All tasks, the newest first."""

    list_display = ("kind", "state_column", "lang", "user_column", "message_column",
                    "created_column")  # fmt: skip
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        TaskStateFilter,
        LanguageFilter,
        ("user", AutocompleteSelectFilter),
        ("created_at", DaysFilter),
    )
    ordering = ("-created_at", "id")
    list_select_related = ("user",)
    page_template = "admin/desk/task.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("user").defer("submission")

    def page(self, request: HttpRequest, obj: Task) -> dict[str, Any]:
        return {"title": obj.get_kind_display(), "facts": facts(obj)}

    @display(description=_l("state"), label=STATE_COLOURS)
    def state_column(self, row: Task) -> tuple[str, str]:
        return state(row)

    @display(description=_l("person"))
    def user_column(self, row: Task) -> SafeString | str:
        return row_link(row.user)

    @display(description=_l("message"))
    def message_column(self, row: Task) -> SafeString | str:
        return link(page_url(Message, row.message_id), _("message")) if row.message_id else NONE

    @display(description=_l("handed out"))
    def created_column(self, row: Task) -> SafeString | str:
        return when(row.created_at)


def facts(task: Task) -> list[Fact]:
    """The columns of a task in words. What was entered stands on the message it led to."""
    linked = (
        (_("Message"), Message, task.message_id),
        (_("Tree"), MessageTree, task.tree_id),
        (_("Led to"), Message, task.result_id),
    )
    links = [(title, link(page_url(model, pk), pk) if pk else NONE) for title, model, pk in linked]
    return [
        (_("State"), state(task)[1]),
        (_("Person"), row_link(task.user)),
        *links,
        (_("Language"), language_name(task.lang)),
        (_("Form"), task.get_form_mode_display()),
        (_("Handed out"), when(task.created_at)),
        (_("Place held until"), when(task.reserved_until)),
        (_("Expires"), when(task.expires_at)),
        (_("Done"), when(task.done_at)),
        (_("Skipped"), when(task.skipped_at)),
        (_("Reason for skipping"), task.skip_reason or NONE),
    ]
