"""Trees: where each stands, how it got there, and halt, set going again, score again."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display

from oasst.lib.desk.actions import DeskAction
from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import excerpt, when
from oasst.lib.desk.filters import DaysFilter, LanguageFilter, YesNoFilter
from tasks_app import moderation
from tasks_app.admin import tree_page
from tasks_app.enums import Topic, TreeState
from tasks_app.models import Message, MessageTree
from tasks_app.querysets import count_of

STATE_COLOURS = {
    TreeState.INITIAL_PROMPT_REVIEW: "info",
    TreeState.GROWING: "info",
    TreeState.RANKING: "info",
    TreeState.READY_FOR_SCORING: "info",
    TreeState.READY_FOR_EXPORT: "success",
    TreeState.SCORING_FAILED: "danger",
    TreeState.ABORTED_LOW_GRADE: "warning",
    TreeState.HALTED_BY_MODERATOR: "warning",
    TreeState.PROMPT_LOTTERY_WAITING: "default",
    TreeState.BACKLOG_RANKING: "default",
}
# A tree that waits in the lottery is drawn, not set going.
_CAN_GO_AGAIN = {
    TreeState.HALTED_BY_MODERATOR,
    TreeState.ABORTED_LOW_GRADE,
    TreeState.READY_FOR_EXPORT,
    TreeState.SCORING_FAILED,
    TreeState.BACKLOG_RANKING,
}


class HaltTree(DeskAction):
    """Stops all work on a tree."""

    name, title, icon, key = "halt", _l("Halt"), "front_hand", "h"
    is_danger, in_bulk = True, True

    def fits(self, row: MessageTree, *, actor: Any, now: datetime) -> bool:
        return row.state != TreeState.HALTED_BY_MODERATOR

    def explain(self, rows: Sequence[MessageTree]) -> str:
        return ngettext(
            "No more work is handed out on this %d tree, and places held by people are freed. "
            "It can be set going again.",
            "No more work is handed out on these %d trees, and places held by people are freed. "
            "They can be set going again.",
            len(rows),
        ) % len(rows)  # fmt: skip

    def run(self, row: MessageTree, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        moderation.halt_tree(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("The tree is halted.")


class UnhaltTree(DeskAction):
    """Sets a tree going again."""

    name, title, icon, in_bulk = "unhalt", _l("Set going again"), "play_arrow", True

    def fits(self, row: MessageTree, *, actor: Any, now: datetime) -> bool:
        return row.state in _CAN_GO_AGAIN

    def explain(self, rows: Sequence[MessageTree]) -> str:
        return ngettext(
            "%d tree goes on where it left off, if its prompt was not rejected or deleted.",
            "%d trees go on where they left off, unless their prompts were rejected or deleted.",
            len(rows),
        ) % len(rows)  # fmt: skip

    def run(self, row: MessageTree, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        tree = moderation.unhalt_tree(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("The tree goes on: %s.") % tree.get_state_display()


class RetryScoring(DeskAction):
    """Computes ranks again."""

    name, title, icon, in_bulk = "score", _l("Score again"), "refresh", True

    def fits(self, row: MessageTree, *, actor: Any, now: datetime) -> bool:
        return row.state == TreeState.SCORING_FAILED

    def explain(self, rows: Sequence[MessageTree]) -> str:
        return ngettext(
            "The ranks of %d tree whose scoring failed are computed again.",
            "The ranks of %d trees whose scoring failed are computed again.",
            len(rows),
        ) % len(rows)  # fmt: skip

    def run(self, row: MessageTree, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        tree = moderation.retry_scoring(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("The tree is now: %s.") % TreeState(tree.state).label


class TopicFilter(DropdownFilter):
    """By what the conversation is about."""

    title, parameter_name = _l("topic"), "topic"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return list(Topic.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(topics__topic=self.value()) if self.value() else queryset


class ActiveFilter(YesNoFilter):
    """By whether work is handed out."""

    title, parameter_name = _l("active"), "is_active"

    def narrow(self, queryset: QuerySet, answer: bool) -> QuerySet:
        return queryset.filter(active=answer)


@admin.register(MessageTree)
class MessageTreeAdmin(DeskAdmin):
    """All trees, the newest first."""

    list_display = ("prompt_column", "state_column", "lang", "messages_column",
                    "since_column", "created_column")  # fmt: skip
    list_filter = (
        ("state", ChoicesDropdownFilter),
        LanguageFilter,
        TopicFilter,
        ActiveFilter,
        ("created_at", DaysFilter),
    )
    search_fields = ("lang",)  # shows the box; `search` below does the work
    search_help_text = _l("Words of any message, or an id")
    ordering = ("-created_at", "id")
    page_template = "admin/desk/tree.html"
    desk_actions = (HaltTree(), UnhaltTree(), RetryScoring())

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        prompt = Message.objects.filter(pk=OuterRef("pk")).values("text")
        messages = Message.objects.filter(tree=OuterRef("pk"))
        return tree_page.with_topics(super().get_queryset(request)).annotate(
            prompt=Subquery(prompt), messages_count=count_of(messages, "tree")
        )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return search(queryset, search_term), False

    def page(self, request: HttpRequest, obj: MessageTree) -> dict[str, Any]:
        return tree_page.context(obj, request.user)

    @display(description=_l("prompt"))
    def prompt_column(self, row: Any) -> SafeString:
        return excerpt(row.prompt or "")

    @display(description=_l("state"), label=STATE_COLOURS)
    def state_column(self, row: MessageTree) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_l("messages"))
    def messages_column(self, row: Any) -> int:
        return row.messages_count

    @display(description=_l("in this state"))
    def since_column(self, row: MessageTree) -> SafeString | str:
        return when(row.state_since)

    @display(description=_l("started"))
    def created_column(self, row: MessageTree) -> SafeString | str:
        return when(row.created_at)


def search(queryset: QuerySet, words: str) -> QuerySet:
    """Trees with these words in a message, or with this id of theirs or of a message."""
    words = words.strip()
    if not words:
        return queryset
    try:
        messages = Message.objects.filter(pk=uuid.UUID(words))
    except ValueError:
        messages = Message.objects.matching(words)
    return queryset.filter(pk__in=messages.values("tree"))
