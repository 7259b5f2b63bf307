"""The crowd's judgement at the desk: gold items, and how reliable people are."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin
from django.core.cache import cache
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import NONE, Fact, excerpt, row_link, when
from oasst.lib.desk.filters import LanguageFilter, YesNoFilter
from oasst.lib.languages import name as language_name
from tasks_app.admin.crowd_actions import RetireGold
from tasks_app.enums import SkillGroup
from tasks_app.labels import LABELS
from tasks_app.models import GoldItem, Message, Reliability

REMEMBERED_S = 60


class GoldLanguageFilter(LanguageFilter):
    """By the language of the message."""

    def narrow(self, queryset: QuerySet, code: str) -> QuerySet:
        return queryset.filter(message__lang=code)


class InUseFilter(YesNoFilter):
    """By whether people still get it."""

    title, parameter_name = _l("in use"), "active"

    def narrow(self, queryset: QuerySet, answer: bool) -> QuerySet:
        return queryset.filter(active=answer)


class PracticeFilter(YesNoFilter):
    """By whether visitors practise on it."""

    title, parameter_name = _l("shown to visitors"), "practice"

    def narrow(self, queryset: QuerySet, answer: bool) -> QuerySet:
        return queryset.filter(for_practice=answer)


@admin.register(GoldItem)
class GoldItemAdmin(DeskAdmin):
    """Messages whose right labels are known, the newest first."""

    list_display = ("text_column", "answers_column", "source", "use_column", "given_column",
                    "made_by_column", "made_column")  # fmt: skip
    list_filter = (
        InUseFilter,
        PracticeFilter,
        ("source", ChoicesDropdownFilter),
        GoldLanguageFilter,
    )
    ordering = ("-made_at", "pk")
    list_select_related = ("message", "made_by")
    page_template = "admin/desk/page.html"
    desk_actions = (RetireGold(),)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("message", "made_by")
        right = Count("given", filter=Q(given__missed=[]))
        return rows.defer("message__search_vector").annotate(n=Count("given"), right=right)

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        return {"title": _("Gold item"), "facts": gold_facts(obj)}

    @display(description=_l("message"))
    def text_column(self, row: GoldItem) -> SafeString:
        return excerpt(row.message.text)

    @display(description=_l("right answers"))
    def answers_column(self, row: GoldItem) -> str:
        return answers(row.answers)

    @display(description=_l("in use"), boolean=True)
    def use_column(self, row: GoldItem) -> bool:
        return row.active

    @display(description=_l("answered right"))
    def given_column(self, row: Any) -> str:
        return right_of(row.right, row.n)

    @display(description=_l("made by"))
    def made_by_column(self, row: GoldItem) -> SafeString | str:
        return row_link(row.made_by)

    @display(description=_l("made"))
    def made_column(self, row: GoldItem) -> SafeString | str:
        return when(row.made_at)


def gold_facts(item: Any) -> list[Fact]:
    """A gold item in words; many wrong answers say that the item is wrong, not people."""
    return [
        (_("Message"), row_link(item.message, excerpt(item.message.text))),
        (_("Language"), language_name(item.message.lang)),
        (_("Right answers"), answers(item.answers)),
        (_("Explanation"), item.explanation or NONE),
        (_("Source"), item.get_source_display()),
        (_("In use"), _("Yes") if item.active else _("No")),
        (_("Shown to visitors"), _("Yes") if item.for_practice else _("No")),
        (_("Answered right"), right_of(item.right, item.n)),
        (_("Made by"), row_link(item.made_by)),
        (_("Made"), when(item.made_at)),
    ]


def answers(values: Mapping[str, float]) -> str:
    """Labels and the words of their values."""
    known = [(LABELS[name], value) for name, value in values.items() if name in LABELS]
    words = [
        (label.title, dict(label.choices_ascending).get(value, value)) for label, value in known
    ]
    return ", ".join(f"{title}: {word}" for title, word in words)


def right_of(right: int, n: int) -> str:
    """How many of how many."""
    return _("%(right)d of %(n)d") % {"right": right, "n": n} if n else NONE


class DoubtfulFilter(YesNoFilter):
    """By whether a moderator should have a look; the doubtful ones unless asked otherwise."""

    title, parameter_name = _l("doubtful"), "is_doubtful"
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No")), ("all", _("All"))]

    def value(self) -> str:
        return super().value() or "yes"

    def narrow(self, queryset: QuerySet, answer: bool) -> QuerySet:
        return queryset.filter(doubtful=answer)


@admin.register(Reliability)
class ReliabilityAdmin(DeskAdmin):
    """How well people judge, the least reliable first. Nobody is banned for it."""

    list_display = ("user_column", "group", "lang", "weight_column", "skill_column", "n_votes",
                    "gold_column", "updated_column")  # fmt: skip
    list_filter = (
        DoubtfulFilter,
        ("group", ChoicesDropdownFilter),
        LanguageFilter,
        ("user", AutocompleteSelectFilter),
    )
    ordering = ("weight", "id")
    list_select_related = ("user",)
    page_template = "admin/desk/page.html"

    def page(self, request: HttpRequest, obj: Reliability) -> dict[str, Any]:
        return {"title": _("Reliability"), "facts": reliability_facts(obj)}

    @display(description=_l("person"))
    def user_column(self, row: Reliability) -> SafeString | str:
        return str(row.user)

    @display(description=_l("weight"))
    def weight_column(self, row: Reliability) -> str:
        return f"{row.weight:.2f}"

    @display(description=_l("skill"))
    def skill_column(self, row: Reliability) -> str:
        return skill(row)

    @display(description=_l("gold answered right"))
    def gold_column(self, row: Reliability) -> str:
        return right_of(row.n_gold_right, row.n_gold)

    @display(description=_l("computed"))
    def updated_column(self, row: Reliability) -> SafeString | str:
        return when(row.updated_at)


def skill(row: Reliability) -> str:
    """The figures of its group in words."""
    if row.in_concert:
        words = _("favours an author along with others; τ = %.2f")
        return words % (row.agreement or 0.0)
    if row.group == SkillGroup.RANKING:
        return _("agrees with the others by τ = %.2f") % (row.agreement or 0.0)
    if row.agreement is not None:
        return _("agrees with the others by α = %.2f") % row.agreement
    return _("accepts %(good).0f %% of what is good, refuses %(bad).0f %% of what is not") % {
        "good": 100 * (row.sensitivity or 0),
        "bad": 100 * (row.specificity or 0),
    }


def reliability_facts(row: Reliability) -> list[Fact]:
    """What is known of one person's judgement."""
    return [
        (_("Person"), row_link(row.user)),
        (_("Votes"), row.get_group_display()),
        (_("Language"), language_name(row.lang)),
        (_("Weight"), f"{row.weight:.2f}"),
        (_("Skill"), skill(row)),
        (_("Worth a look"), _("Yes") if row.doubtful else _("No")),
        (_("Votes counted"), row.n_votes),
        (_("Gold answered right"), right_of(row.n_gold_right, row.n_gold)),
        (_("Computed"), when(row.updated_at)),
    ]


def split_messages(request: HttpRequest) -> str:
    """The number beside "Reviewers differ" in the side bar; nothing if none waits."""
    if not request.user.has_perm("tasks_app.view_message"):
        return ""
    return _remembered("desk:split", lambda: Message.objects.split().count())


def doubtful_people(request: HttpRequest) -> str:
    """The number beside "Reliability" in the side bar; nothing if there is none."""
    if not request.user.has_perm("tasks_app.view_reliability"):
        return ""
    return _remembered("desk:doubtful", lambda: Reliability.objects.doubtful().count())


def _remembered(key: str, count: Callable[[], int]) -> str:
    """A count for the side bar of every page, which may be a minute old."""
    return str(cache.get_or_set(key, count, REMEMBERED_S) or "")
