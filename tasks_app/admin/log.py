"""The moderation log and the journal of contributions: to read, never to change."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
)
from unfold.decorators import display

from oasst.lib.desk.actions import DeskAction
from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import NONE, Fact, link, page_url, row_link, when
from oasst.lib.desk.filters import DaysFilter, LanguageFilter
from oasst.lib.errors import DomainError
from oasst.lib.templatetags.ui import absolute_time
from tasks_app import taking_back, unmerging
from tasks_app.enums import ModerationKind, ReportState
from tasks_app.labels import LABELS
from tasks_app.models import BulkAction, Contribution, Message, MessageTree, ModerationAction

MOST_ENTRIES = 50
_ACTIONS = dict(ModerationKind.choices)


def entries(**about: Any) -> list[dict[str, Any]]:
    """The newest entries about a tree, message or person (`tree_id=…` and the like)."""
    rows = ModerationAction.objects.filter(**about).select_related("actor")[:MOST_ENTRIES]
    return [shown(row) for row in rows]


def shown(row: ModerationAction) -> dict[str, Any]:
    """An entry in words."""
    return {
        "what": _ACTIONS.get(row.action, row.action),
        "by": actor(row),
        "reason": row.reason,
        "when": row.created_at,
        "data": ", ".join(f"{name}: {value}" for name, value in details(row.data)),
        "target": target(row),
        "url": page_url(ModerationAction, row.pk),
        "bulk_url": page_url(BulkAction, row.bulk_id) if row.bulk_id else "",
    }


def details(data: dict[str, Any]) -> list[tuple[Any, Any]]:
    """What else an entry holds, in words."""
    words = {
        "messages": lambda count: (_l("messages"), count),
        "outcome": lambda outcome: (_l("decision"), ReportState(outcome).label),
        "until": lambda until: (_l("until"), _moment(until) if until else _l("now")),
        "setting": lambda text: (_l("setting"), text),
        "goal": lambda text: (_l("goal"), text),
        "prize": lambda title: (_l("prize"), title),
        "label": lambda name: (_l("label"), label_title(name)),
        "votes": lambda count: (_l("reviews, rankings, reactions"), count),
        "from": lambda what: (_l("from"), what if isinstance(what, str) else roles(what)),
        "to": lambda role: (_l("to"), role or NONE),
    }
    return [words[name](value) for name, value in data.items() if name in words]


def roles(names: list[str]) -> str:
    """Roles that somebody had."""
    return ", ".join(names) or NONE


def label_title(name: str) -> str:
    """A label in words."""
    return str(LABELS[name].title) if name in LABELS else name


def _moment(text: str) -> str:
    return absolute_time(datetime.fromisoformat(text))


def actor(row: ModerationAction) -> SafeString | str:
    """Who did it."""
    return row_link(row.actor) if row.actor_id else _l("a rule or a command")


def target(row: ModerationAction) -> SafeString | str:
    """What it was done to. The row may be gone; its id stays."""
    if row.message_id:
        return link(page_url(Message, row.message_id), _l("message"))
    if row.tree_id:
        return link(page_url(MessageTree, row.tree_id), _l("tree"))
    if row.user_id:
        return link(page_url(get_user_model(), row.user_id), _l("person"))
    if row.bulk_id:
        return link(page_url(BulkAction, row.bulk_id), _l("bulk action"))
    return NONE


class UndoAction(DeskAction):
    """Takes back what an entry tells of."""

    name, title, icon, is_danger = "undo", _l("Undo"), "undo", True

    def fits(self, row: ModerationAction, *, actor: Any, now: datetime) -> bool:
        return taking_back.may_be_undone(row, now)

    def explain(self, rows: Sequence[ModerationAction]) -> str:
        return _("It is again as it was before. Both this entry and the undoing stay in the log.")

    def run(self, row: ModerationAction, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        taking_back.take_back(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("It is undone.")


class UndoMerge(DeskAction):
    """Makes two accounts again of those that a merge made one."""

    name, title, icon = "unmerge", _l("Undo the merge"), "call_split"
    is_danger = has_preview = True

    def allows(self, actor: Any) -> bool:
        return actor.is_admin

    def fits(self, row: ModerationAction, *, actor: Any, now: datetime) -> bool:
        return unmerging.may_be_undone(row, now)

    def explain(self, rows: Sequence[ModerationAction]) -> str:
        return _(
            "What the merge moved goes back, and both accounts are as they were before. What was "
            "written since, and what was changed by hand, stays with the account that stayed. "
            "Both are signed out everywhere."
        )

    def preview(self, row: ModerationAction, form: forms.Form) -> str:
        try:
            plan = unmerging.plan(row)
        except DomainError as error:
            return str(error.message)
        return _(
            "These would go back: %(messages)d messages, %(votes)d votes, %(others)d other rows. "
            "Open tasks that were given back: %(tasks)d."
        ) % vars(plan)

    def run(self, row: ModerationAction, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        unmerging.undo(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("They are two accounts again.")


class ReadOnlyAdmin(DeskAdmin):
    """Rows that only the domain writes."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ActionFilter(DropdownFilter):
    """By what was done."""

    title, parameter_name = _l("action"), "action"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return ModerationKind.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(ModerationAction)
class ModerationActionAdmin(DeskAdmin):
    """Who did what to whom, and why. Entries are added by what people do, and never change."""

    list_display = ("when_column", "action_column", "actor_column", "target_column",
                    "reason", "data_column", "undone_column")  # fmt: skip
    list_display_links = ("action_column",)
    page_template = "admin/desk/entry.html"
    desk_actions = (UndoAction(), UndoMerge())
    list_filter = (ActionFilter, ("actor", AutocompleteSelectFilter), ("created_at", DaysFilter))
    search_fields = ("reason",)
    search_help_text = _l("An id of a message, tree or person, or words of the reason")
    ordering = ("-id",)
    list_select_related = ("actor", "undone_by")

    def page(self, request: HttpRequest, obj: ModerationAction) -> dict[str, Any]:
        undone = ModerationAction.objects.filter(undoes=obj).select_related("actor").first()
        return {
            "title": _ACTIONS.get(obj.action, obj.action),
            "by": actor(obj),
            "undone": undone and f"{undone.actor or ''}: {undone.reason}",
            "facts": entry_facts(obj),
        }

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        words = search_term.strip()
        try:
            pk = uuid.UUID(words)
        except ValueError:
            return queryset.filter(reason__icontains=words) if words else queryset, False
        about = Q(tree_id=pk) | Q(message_id=pk) | Q(user_id=pk) | Q(bulk_id=pk)
        return queryset.filter(about), False

    @display(description=_l("when"))
    def when_column(self, row: ModerationAction) -> SafeString | str:
        return when(row.created_at)

    @display(description=_l("action"))
    def action_column(self, row: ModerationAction) -> str:
        return str(_ACTIONS.get(row.action, row.action))

    @display(description=_l("by"))
    def actor_column(self, row: ModerationAction) -> SafeString | str:
        return actor(row)

    @display(description=_l("about"))
    def target_column(self, row: ModerationAction) -> SafeString | str:
        return target(row)

    @display(description=_l("details"))
    def data_column(self, row: ModerationAction) -> str:
        return str(shown(row)["data"]) or NONE

    @display(description=_l("undone"), boolean=True)
    def undone_column(self, row: ModerationAction) -> bool | None:
        return True if hasattr(row, "undone_by") else None


def entry_facts(row: ModerationAction) -> list[Fact]:
    """An entry in words."""
    bulk = link(page_url(BulkAction, row.bulk_id), _l("Open")) if row.bulk_id else NONE
    undoes = link(page_url(ModerationAction, row.undoes_id), _l("Open")) if row.undoes_id else NONE
    return [
        (_l("When"), when(row.created_at)),
        (_l("By"), actor(row)),
        (_l("About"), target(row)),
        (_l("Reason"), row.reason or NONE),
        *((name, value) for name, value in details(row.data)),
        (_l("Bulk action"), bulk),
        (_l("Undoes"), undoes),
    ]


@admin.register(Contribution)
class ContributionAdmin(ReadOnlyAdmin):
    """The journal, the newest first."""

    list_display = ("when_column", "user_column", "kind", "lang", "message_column")
    list_display_links = None
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        LanguageFilter,
        ("user", AutocompleteSelectFilter),
        ("created_at", DaysFilter),
    )
    ordering = ("-id",)
    list_select_related = ("user",)

    @display(description=_l("when"))
    def when_column(self, row: Contribution) -> SafeString | str:
        return when(row.created_at)

    @display(description=_l("person"))
    def user_column(self, row: Contribution) -> SafeString | str:
        return row_link(row.user)

    @display(description=_l("message"))
    def message_column(self, row: Contribution) -> SafeString | str:
        return link(page_url(Message, row.message_id), _l("message")) if row.message_id else NONE
