"""Filters of the lists whose choices do not need a query over the table."""

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter

from oasst.lib.languages import LANGUAGES


class LanguageFilter(DropdownFilter):
    """By the column `lang`."""

    title = _("language")
    parameter_name = "lang"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [(code, f"{name} ({code})") for code, name in LANGUAGES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return self.narrow(queryset, self.value()) if self.value() else queryset

    def narrow(self, queryset: QuerySet, code: str) -> QuerySet:
        """The rows of one language."""
        return queryset.filter(lang=code)


class YesNoFilter(DropdownFilter):
    """A question with two answers; subclasses give the rows for yes."""

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in {"yes", "no"}:
            return queryset
        return self.narrow(queryset, self.value() == "yes")

    def narrow(self, queryset: QuerySet, answer: bool) -> QuerySet:
        """The rows with this answer."""
        raise NotImplementedError


class DaysFilter(RangeDateFilter):
    """From one day to another, both included; the index on the time is used."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        first, last = self._day("from"), self._day("to")
        if first:
            queryset = queryset.filter(**{f"{self.field_path}__gte": first})
        if last:
            queryset = queryset.filter(**{f"{self.field_path}__lt": last + timedelta(days=1)})
        return queryset

    def _day(self, end: str) -> datetime | None:
        text = self.used_parameters.get(f"{self.field_path}_{end}") or ""
        try:
            day = parse_date(str(text))
        except ValueError:
            return None
        return timezone.make_aware(datetime.combine(day, time.min)) if day else None
