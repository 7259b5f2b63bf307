"""The ledger of points at the desk: to read, never to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from leaderboard_app.models import PointEntry
from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import row_link, share, when
from oasst.lib.desk.filters import DaysFilter, LanguageFilter

STATE_COLOURS = {"pending": "info", "confirmed": "success", "reversed": "warning"}


@admin.register(PointEntry)
class PointEntryAdmin(DeskAdmin):
    """Every entry, the newest first."""

    list_display = ("when_column", "person_column", "reason", "points", "state_column", "why",
                    "lang", "closeness_column")  # fmt: skip
    list_display_links = None
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        ("why", ChoicesDropdownFilter),
        LanguageFilter,
        ("user", AutocompleteSelectFilter),
        ("at", DaysFilter),
    )
    list_select_related = ("user",)
    ordering = ("-id",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_l("when"))
    def when_column(self, row: PointEntry) -> SafeString | str:
        return when(row.at)

    @display(description=_l("person"))
    def person_column(self, row: PointEntry) -> SafeString | str:
        return row_link(row.user)

    @display(description=_l("state"), label=STATE_COLOURS)
    def state_column(self, row: PointEntry) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_l("closeness to the others"))
    def closeness_column(self, row: PointEntry) -> str:
        return share(row.closeness)
