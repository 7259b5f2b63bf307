"""Messages: search, thread, everything said about one, and delete, restore, edit."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget

from oasst.lib.desk.actions import DeskAction, ReasonForm
from oasst.lib.desk.admin import DeskAdmin, DeskList, RowKey
from oasst.lib.desk.display import excerpt, row_link, when
from oasst.lib.desk.filters import DaysFilter, LanguageFilter, YesNoFilter
from oasst.lib.markdown import render
from tasks_app import labels, moderation, reading
from tasks_app.admin import message_page
from tasks_app.admin.ask import AskAuthor
from tasks_app.admin.crowd_actions import DecideSplit, LeaveOut, MakeGold, TakeIn
from tasks_app.admin.report_item import CATEGORIES
from tasks_app.bulk import actions, plans
from tasks_app.enums import BulkKind
from tasks_app.models import Message, Report
from tasks_app.querysets import count_of

REVIEW_COLOURS = {
    "held": "warning",
    "deleted": "danger",
    "rejected": "warning",
    "accepted": "success",
    "in review": "info",
    "split": "warning",
}


class ReasonForAuthor(ReasonForm):
    """A reason that the author reads too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _(
            "The author reads this. The moderation log keeps it, with your name."
        )


class EditForm(ReasonForm):
    """A message's text."""

    text = forms.CharField(
        label=_l("Text"),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12, "dir": "auto"}),
        help_text=_l("Markdown. Every earlier text is kept."),
    )
    field_order = ("text", "reason")


class InBulk(DeskAction):
    """An action on messages that the log can undo."""

    kind: ClassVar[BulkKind]
    in_bulk = is_job = True

    def plan(self, ids: Sequence[Any], data: dict[str, Any]) -> plans.Plan:
        """What it would change."""
        return plans.of_messages(self.kind, ids)

    def explain(self, rows: Sequence[Message]) -> str:
        return self.explain_job([row.pk for row in rows], actor=None)

    def explain_job(self, ids: Sequence[Any], *, actor: Any) -> str:
        plan = self.plan(ids, {"label": labels.REPORT_LABELS[0]})
        where = _("Trees: %(trees)d, people: %(people)d. It can be undone for 30 days.")
        return f"{self.words(plan.messages)} {where % {'trees': plan.trees, 'people': plan.people}}"

    def words(self, count: int) -> str:
        """What happens to so many messages."""
        raise NotImplementedError

    def begin(self, ids: Sequence[Any], data: dict[str, Any], *, actor: Any, now: datetime) -> Any:
        plan = self.plan(ids, data)
        return actions.do_now(plan, actor=actor, reason=data["reason"], now=now)

    def run(self, row: Message, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        return self.done(self.begin([row.pk], data, actor=actor, now=now).messages)

    def done(self, count: int) -> str:
        """What has happened to so many messages."""
        raise NotImplementedError


class DeleteMessage(InBulk):
    """Hides messages and everything below them."""

    name, title, icon, kind = "delete", _l("Delete"), "delete", BulkKind.DELETE
    is_danger, form_class, key = True, ReasonForAuthor, "d"

    def fits(self, row: Message, *, actor: Any, now: datetime) -> bool:
        return not row.deleted

    def words(self, count: int) -> str:
        return ngettext(
            "This hides %d message.",
            "This hides %d messages: what you chose and everything written below it.",
            count,
        ) % count  # fmt: skip

    def done(self, count: int) -> str:
        return ngettext("%d message is hidden now.", "%d messages are hidden now.", count) % count


class RestoreMessage(InBulk):
    """Shows deleted messages again."""

    name, title, icon, key = "restore", _l("Restore"), "restore_from_trash", "r"
    kind = BulkKind.RESTORE

    def fits(self, row: Message, *, actor: Any, now: datetime) -> bool:
        return row.deleted

    def words(self, count: int) -> str:
        return ngettext(
            "This shows %d message again. Replies to it stay hidden.",
            "This shows %d messages again: what you chose and the messages above. Replies to "
            "what you chose stay hidden.",
            count,
        ) % count  # fmt: skip

    def done(self, count: int) -> str:
        text = ngettext("%d message is shown again.", "%d messages are shown again.", count)
        return text % count


class ReleaseMessage(InBulk):
    """Lets held messages out."""

    name, title, icon, kind = "release", _l("Let out"), "lock_open", BulkKind.RELEASE
    key = "o"

    def fits(self, row: Message, *, actor: Any, now: datetime) -> bool:
        return row.held

    def words(self, count: int) -> str:
        return ngettext(
            "This lets %d held message out: everybody sees it, and reviewers get it.",
            "This lets %d held messages out: everybody sees them, and reviewers get them.",
            count,
        ) % count  # fmt: skip

    def done(self, count: int) -> str:
        return ngettext("%d message is out now.", "%d messages are out now.", count) % count


class LabelForm(ReasonForm):
    """What is wrong with messages."""

    label = forms.ChoiceField(
        label=_l("Label"),
        choices=list(CATEGORIES.items()),
        widget=UnfoldAdminRadioSelectWidget,
    )
    field_order = ("label", "reason")


class LabelMessage(InBulk):
    """Labels messages in the moderator's own name. No review: it decides nothing."""

    name, title, icon, kind = "label-as", _l("Label as…"), "label", BulkKind.LABEL
    form_class = LabelForm

    def plan(self, ids: Sequence[Any], data: dict[str, Any]) -> plans.Plan:
        return plans.of_messages(self.kind, ids, label=data["label"])

    def words(self, count: int) -> str:
        return ngettext(
            "This adds a label of yours to %d message. It counts in the data, not as a review.",
            "This adds a label of yours to %d messages. It counts in the data, not as a review.",
            count,
        ) % count  # fmt: skip

    def done(self, count: int) -> str:
        return ngettext("%d message is labelled.", "%d messages are labelled.", count) % count


class EditMessage(DeskAction):
    """Changes a message's text."""

    name, title, icon, form_class, key = "edit", _l("Edit"), "edit", EditForm, "e"
    has_preview = True

    def initial(self, row: Message) -> dict[str, Any]:
        return {"text": row.text}

    def preview(self, row: Message, form: forms.Form) -> str:
        return render(form.data.get("text", ""))

    def run(self, row: Message, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        reason = data["reason"]
        moderation.edit_message(row.pk, data["text"], actor=actor, reason=reason, now=now)
        return _("The text is changed. Reviews and rankings of the earlier text still count.")


class ReviewFilter(YesNoFilter):
    """By what the reviewers decided."""

    title, parameter_name = _l("review"), "review"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [
            ("accepted", _("Accepted")),
            ("rejected", _("Not accepted")),
            ("undecided", _("Undecided")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        results = {"accepted": True, "rejected": False, "undecided": None}
        if self.value() not in results:
            return queryset
        return queryset.filter(review_result=results[self.value()])


class DeletedFilter(YesNoFilter):
    """By whether a moderator or the automatic rules hid it."""

    title, parameter_name = _l("deleted"), "is_deleted"

    def narrow(self, queryset: QuerySet, answer: bool) -> QuerySet:
        return queryset.filter(deleted=answer)


class HeldFilter(YesNoFilter):
    """By whether it waits for a moderator before others see it."""

    title, parameter_name = _l("held back"), "held"

    def narrow(self, queryset: QuerySet, answer: bool) -> QuerySet:
        return queryset.filter(held=answer)


class ReportedFilter(YesNoFilter):
    """By whether an open report waits."""

    title, parameter_name = _l("reported"), "reported"

    def narrow(self, queryset: QuerySet, answer: bool) -> QuerySet:
        waiting = Exists(Report.objects.waiting().filter(message=OuterRef("pk")))
        return queryset.filter(waiting if answer else ~waiting)


class SplitFilter(YesNoFilter):
    """By whether reviewers differ and a moderator is to decide."""

    title, parameter_name = _l("reviewers differ"), "split"

    def narrow(self, queryset: QuerySet, answer: bool) -> QuerySet:
        waiting = Message.objects.split().values("pk")
        return queryset.filter(pk__in=waiting) if answer else queryset.exclude(pk__in=waiting)


class MessageList(DeskList):
    """Knows of each row what is kept from the person who looks; see reading.Veil."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        veil = reading.veil((row.tree_id for row in self.result_list), request.user)
        for row in self.result_list:
            row.veil = veil


@admin.register(Message)
class MessageAdmin(DeskAdmin):
    """All messages, the newest first."""

    list_display = ("text_column", "role_column", "state_column", "reports_column",
                    "tree_column", "author_column", "created_column")  # fmt: skip
    list_filter = (
        LanguageFilter,
        ("tree__state", ChoicesDropdownFilter),
        ("role", ChoicesDropdownFilter),
        ReviewFilter,
        DeletedFilter,
        HeldFilter,
        ReportedFilter,
        SplitFilter,
        ("user", AutocompleteSelectFilter),
        ("created_at", DaysFilter),
    )
    search_fields = ("text",)
    search_help_text = _l("Words of the text, or an id")
    ordering = ("-created_at", "id")
    list_select_related = ("tree", "user")
    page_template = "admin/desk/message.html"
    desk_actions = (
        TakeIn(),
        LeaveOut(),
        ReleaseMessage(),
        DeleteMessage(),
        RestoreMessage(),
        EditMessage(),
        AskAuthor(),
        LabelMessage(),
        MakeGold(),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[MessageList]:
        return MessageList

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """What reviewers differ about is a queue: who waits longest comes first."""
        if _is_queue(request):
            return ("split_at", "id")
        return self.ordering

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        waiting = Report.objects.waiting().filter(message=OuterRef("pk"))
        is_page = "object_id" in request.resolver_match.kwargs
        beside = message_page.BESIDE if is_page else self.list_select_related
        rows = super().get_queryset(request).select_related(*beside)
        return rows.defer("search_vector", "detoxify").annotate(
            open_reports=count_of(waiting, "message")
        )

    def row_keys(self, request: HttpRequest) -> list[RowKey]:
        """What decides where reviewers differ does nothing to other messages."""
        keys = super().row_keys(request)
        if _is_queue(request):
            return keys
        decisions = {action.key for action in self.desk_actions if isinstance(action, DecideSplit)}
        return [each for each in keys if each.key not in decisions]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return search(queryset, search_term), False

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Message | None:
        found = super().get_object(request, *args, **kwargs)
        if found is not None:
            found.veil = reading.veil([found.tree_id], request.user)
        return found

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        return message_page.context(obj, obj.veil)

    @display(description=_l("text"))
    def text_column(self, row: Any) -> SafeString:
        return excerpt(str(reading.HELD_BACK) if row.veil.hides(row) else row.text)

    @display(description=_l("role"))
    def role_column(self, row: Message) -> str:
        return f"{row.get_role_display()}, {row.lang}"

    @display(description=_l("review"), label=REVIEW_COLOURS)
    def state_column(self, row: Message) -> tuple[str, str]:
        return message_page.state(row)

    @display(description=_l("tree"))
    def tree_column(self, row: Message) -> SafeString | str:
        return row_link(row.tree, row.tree.get_state_display())

    @display(description=_l("author"))
    def author_column(self, row: Any) -> SafeString | str:
        return message_page.author(row, row.veil)

    @display(description=_l("reports"), label={"open": "danger"})
    def reports_column(self, row: Any) -> tuple[str, int] | str:
        return ("open", row.open_reports) if row.open_reports else ""

    @display(description=_l("written"))
    def created_column(self, row: Message) -> SafeString | str:
        return when(row.created_at)


def _is_queue(request: HttpRequest) -> bool:
    """Whether the list shows what reviewers differ about."""
    return request.GET.get(SplitFilter.parameter_name) == "yes"


def search(queryset: QuerySet, words: str) -> QuerySet:
    """Messages with these words, or with this id, or of the tree with this id."""
    words = words.strip()
    if not words:
        return queryset
    try:
        pk = uuid.UUID(words)
    except ValueError:
        return queryset.matching(words)
    return queryset.filter(Q(pk=pk) | Q(tree=pk) | Q(user=pk))
