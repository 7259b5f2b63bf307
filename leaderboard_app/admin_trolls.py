"""The trollboard at the moderators' desk."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from leaderboard_app import trolls
from leaderboard_app.enums import Frame
from leaderboard_app.models import TrollStats
from oasst.accounts.admin import STATUS_COLOURS, status
from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import row_link, share


class FrameFilter(DropdownFilter):
    """A week, unless something else is asked for."""

    title, parameter_name = _l("frame"), "frame"
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return Frame.choices

    def value(self) -> str:
        asked = super().value()
        return asked if asked in Frame else Frame.WEEK

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(frame=self.value())


class BannedFilter(DropdownFilter):
    """People who may still do something, unless others are asked for."""

    title, parameter_name = _l("accounts"), "accounts"
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [("active", _("Active")), ("banned", _("Banned")), ("all", _("All"))]

    def value(self) -> str:
        return super().value() or "active"

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        wanted = {"active": True, "banned": False}.get(self.value())
        return queryset if wanted is None else queryset.filter(user__is_active=wanted)


@admin.register(TrollStats)
class TrollStatsAdmin(DeskAdmin):
    """Whose messages others mark most."""

    list_display = ("rank", "person_column", "status_column", "score_column", "messages",
                    "removed", "red_flags", "thumbs_column", "spam_prompts", "spam_column",
                    "quality_column", "helpfulness_column", "humor_column", "toxicity_column",
                    "violence_column")  # fmt: skip
    list_display_links = None
    list_before_template = "admin/desk/trolls.html"
    list_filter = (FrameFilter, BannedFilter)
    list_select_related = ("user",)
    search_fields = ("user__display_name",)
    search_help_text = _l("Name")
    ordering = ("rank",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"formula": trolls.formula(), "title": _("Trollboard")}
        return super().changelist_view(request, (extra_context or {}) | context)

    @display(description=_l("person"))
    def person_column(self, row: TrollStats) -> SafeString | str:
        return row_link(row.user)

    @display(description=_l("status"), label=STATUS_COLOURS)
    def status_column(self, row: TrollStats) -> tuple[str, str]:
        return status(row.user)

    @display(description=_l("score"), ordering="score")
    def score_column(self, row: TrollStats) -> str:
        return f"{row.score:g}"

    @display(description=_l("spam"), ordering="spam")
    def spam_column(self, row: TrollStats) -> str:
        return f"{row.spam:g}"

    @display(description=_l("quality"), ordering="quality")
    def quality_column(self, row: TrollStats) -> str:
        return share(row.quality)

    @display(description=_l("helpfulness"), ordering="helpfulness")
    def helpfulness_column(self, row: TrollStats) -> str:
        return share(row.helpfulness)

    @display(description=_l("humour"), ordering="humor")
    def humor_column(self, row: TrollStats) -> str:
        return share(row.humor)

    @display(description=_l("rudeness"), ordering="toxicity")
    def toxicity_column(self, row: TrollStats) -> str:
        return share(row.toxicity)

    @display(description=_l("violence"), ordering="violence")
    def violence_column(self, row: TrollStats) -> str:
        return share(row.violence)

    @display(description=_l("thumbs"))
    def thumbs_column(self, row: TrollStats) -> str:
        return f"+{row.upvotes} −{row.downvotes}"
