"""What people were asked: a list, first of what waits, and a page with question and answer."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.decorators import display

from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import NONE, Fact, excerpt, link, page_url, row_link, when
from oasst.lib.desk.filters import DaysFilter
from tasks_app import reading
from tasks_app.admin import message_page
from tasks_app.admin.ask import Withdraw
from tasks_app.models import Message, Question


class AnsweredFilter(DropdownFilter):
    """Shows what waits unless something else is asked for."""

    title, parameter_name = _l("state"), "state"
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [
            ("open", _("Open")),
            ("answered", _("Answered")),
            ("withdrawn", _("Taken back")),
            ("all", _("All")),
        ]

    def value(self) -> str:
        return super().value() or "open"

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "open":
            return queryset.waiting()
        column = {"answered": "answered_at", "withdrawn": "withdrawn_at"}.get(self.value())
        return queryset.filter(**{f"{column}__isnull": False}) if column else queryset


@admin.register(Question)
class QuestionAdmin(DeskAdmin):
    """All questions, the newest first; asked from the pages of people, messages and reports."""

    list_display = ("text_column", "state_column", "person_column", "message_column",
                    "asked_by_column", "asked_column")  # fmt: skip
    list_filter = (
        AnsweredFilter,
        ("asked_by", AutocompleteSelectFilter),
        ("asked_at", DaysFilter),
    )
    ordering = ("-id",)
    list_select_related = ("person", "asked_by", "message")
    page_template = "admin/desk/question.html"
    desk_actions = (Withdraw(),)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Without those that would tell who wrote what the moderator is about to rank."""
        rows = super().get_queryset(request).select_related("person", "asked_by", "message__user")
        return reading.told_to(request.user, rows.defer("message__search_vector"), "message__tree")

    def page(self, request: HttpRequest, obj: Question) -> dict[str, Any]:
        about = obj.message
        veil = reading.veil([about.tree_id], request.user) if about else None
        return {
            "title": _("Question"),
            "question": obj,
            "thread": [message_page.bubble(about, veil)] if about and veil else [],
            "facts": facts(obj),
            "author_url": page_url(obj.person, obj.person_id) if about else "",
        }

    @display(description=_l("question"))
    def text_column(self, row: Question) -> SafeString:
        return excerpt(row.text)

    @display(description=_l("state"), label={"open": "info", "answered": "success"})
    def state_column(self, row: Question) -> tuple[str, str]:
        if row.is_open:
            return "open", _("Open")
        return ("answered", _("Answered")) if row.answered_at else ("withdrawn", _("Taken back"))

    @display(description=_l("person"))
    def person_column(self, row: Question) -> SafeString | str:
        return row_link(row.person)

    @display(description=_l("about"))
    def message_column(self, row: Question) -> SafeString | str:
        if row.message_id is None:
            return NONE
        return link(page_url(Message, row.message_id), _("message"))

    @display(description=_l("asked by"))
    def asked_by_column(self, row: Question) -> SafeString | str:
        return row_link(row.asked_by)

    @display(description=_l("asked"))
    def asked_column(self, row: Question) -> SafeString | str:
        return when(row.asked_at)


def facts(row: Question) -> list[Fact]:
    """A question in words."""
    about = link(page_url(Message, row.message_id), _("message")) if row.message_id else NONE
    return [
        (_("Person"), row_link(row.person)),
        (_("About"), about),
        (_("Asked"), when(row.asked_at)),
        (_("Asked by"), row_link(row.asked_by)),
        (_("Answered"), when(row.answered_at)),
        (_("Taken back"), when(row.withdrawn_at)),
    ]
