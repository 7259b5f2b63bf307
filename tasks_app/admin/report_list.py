"""The list of reports, page by page, each from the last report of the one before on."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Case, Q, QuerySet, When
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from oasst.lib.desk.admin import DeskList
from oasst.lib.desk.display import page_url
from tasks_app import moderation
from tasks_app.enums import ReportState
from tasks_app.models import Report

AFTER = "after"
_OPENED = "reports_opened_at"


@dataclass(frozen=True)
class Place:
    """The last report of a page, as urgent as it was when the first page was opened."""

    opened_at: datetime
    urgency: float
    created_at: datetime
    id: uuid.UUID

    def __str__(self) -> str:
        times = self.opened_at.isoformat(), self.created_at.isoformat()
        return json.dumps([times[0], self.urgency, times[1], str(self.id)])

    def beyond(self) -> Q:
        """The reports that come after it."""
        same = Q(urgency=self.urgency)
        later = Q(created_at__gt=self.created_at) | Q(created_at=self.created_at, id__gt=self.id)
        return Q(urgency__lt=self.urgency) | (same & later)


def place_in(request: HttpRequest) -> Place | None:
    """Where the page begins; None for the first. Raises IncorrectLookupParameters."""
    if not (text := request.GET.get(AFTER)):
        return None
    try:
        opened, urgency, created, pk = json.loads(text)
        return Place(_moment(opened), float(urgency), _moment(created), uuid.UUID(pk))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise IncorrectLookupParameters from error


def _moment(text: Any) -> datetime:
    found = parse_datetime(text)
    if found is None or timezone.is_naive(found):
        raise ValueError(f"no moment: {text}")
    return found


class ReportList(DeskList):
    """Leafs forward by the place of the last report and not by counting those before it."""

    next_url = first_url = ""

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        found = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name != AFTER}

    def get_results(self, request: HttpRequest) -> None:
        place, size = place_in(request), self.list_per_page
        self.paginator = self.model_admin.get_paginator(request, self.queryset, size)
        rows = self.queryset.filter(place.beyond()) if place else self.queryset
        shown = list(rows[: size + 1])
        self.result_list = shown[:size]
        self.result_count = self.full_result_count = self.paginator.count
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(shown)
        if place:
            self.first_url = self.get_query_string()
        if len(shown) > size:
            last = shown[size - 1]
            after = Place(opened_at(request), last.urgency, last.created_at, last.pk)
            self.next_url = self.get_query_string({AFTER: str(after)})


def next_url(report: Any, request: HttpRequest) -> str:
    """The page of the open report that comes after this one, which `in_order` has read; of the
    first if this one is decided or the last. Empty if nothing is left that is not a colleague's.
    """
    now = opened_at(request)
    free = Report.objects.free_for(request.user, now - moderation.CLAIM_LASTS)
    others = free.by_urgency(now).exclude(pk=report.pk)
    if report.state == ReportState.OPEN:
        later = Place(now, report.urgency, report.created_at, report.pk).beyond()
        before = Case(When(later, then=0), default=1)
        others = others.order_by(before, *others.query.order_by)
    found = others.values_list("pk", flat=True).first()
    return page_url(Report, found) if found else ""


def opened_at(request: HttpRequest) -> datetime:
    """When the first page was opened: all pages show how urgent reports were then."""
    if not hasattr(request, _OPENED):
        try:
            place = place_in(request)
        except IncorrectLookupParameters:
            place = None  # the list says so
        setattr(request, _OPENED, place.opened_at if place else timezone.now())
    found: datetime = getattr(request, _OPENED)
    return found


def in_order(rows: Any, request: HttpRequest) -> QuerySet[Report]:
    """The most urgent first."""
    found: QuerySet[Report] = rows.by_urgency(opened_at(request))
    return found
