"""Filters of the list of people by what they did; what is often asked for can be kept as a view."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import DropdownFilter

from tasks_app.enums import ReportState
from tasks_app.models import Reliability, Report


class ReliabilityFilter(DropdownFilter):
    """By whether a moderator should have a look at how somebody judges, in any language."""

    title, parameter_name = _l("reliability"), "reliability"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [
            ("doubtful", _("Doubtful")),
            ("fine", _("Not doubtful")),
            ("unknown", _("Nothing is known")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        known = Reliability.objects.values("user")
        doubtful = known.filter(doubtful=True)
        if self.value() == "doubtful":
            return queryset.filter(pk__in=doubtful)
        if self.value() == "fine":
            return queryset.filter(pk__in=known).exclude(pk__in=doubtful)
        return queryset.exclude(pk__in=known) if self.value() == "unknown" else queryset


class ReportsFilter(DropdownFilter):
    """By the reports of somebody's messages."""

    title, parameter_name = _l("reports against"), "reports"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [
            ("open", _("Some are open")),
            ("acted", _("Some were acted upon")),
            ("none", _("None")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        authors = Report.objects.exclude(message__user=None).values("message__user")
        wanted = {"open": ReportState.OPEN, "acted": ReportState.RESOLVED}
        if self.value() in wanted:
            return queryset.filter(pk__in=authors.filter(state=wanted[self.value()]))
        return queryset.exclude(pk__in=authors) if self.value() == "none" else queryset


class JoinedFilter(DropdownFilter):
    """By the age of the account."""

    title, parameter_name = _l("joined"), "joined"
    days = {"day": 1, "week": 7, "month": 30}

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [
            ("day", _("In the last 24 hours")),
            ("week", _("In the last 7 days")),
            ("month", _("In the last 30 days")),
            ("before", _("Longer ago")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        now = timezone.now()
        if self.value() == "before":
            return queryset.filter(date_joined__lt=now - timedelta(days=max(self.days.values())))
        if self.value() in self.days:
            since = now - timedelta(days=self.days[self.value()])
            return queryset.filter(date_joined__gte=since)
        return queryset
