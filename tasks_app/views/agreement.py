"""How much people agree, for everybody; and what they differ most about, for staff."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.http import require_safe

from oasst.lib import plots
from tasks_app import agreement_report
from tasks_app.agreement import Level
from tasks_app.agreement_report import MIN_UNITS, Disputed, Report, Week
from tasks_app.agreement_units import RANKINGS
from tasks_app.forms.agreement import KINDS, MEASURES, AgreementForm, DisputedForm
from tasks_app.labels import LABELS
from tasks_app.views.edges import FORM_INVALID, contributor

LEVELS = {
    Level.NOMINAL: _l("Answers that differ or not"),
    Level.ORDINAL: _l("Steps in their order"),
    Level.INTERVAL: _l("Steps at equal distances"),
}


@require_safe
def agreement(request: HttpRequest) -> HttpResponse:
    """α, percentages, τ and W of all labels and rankings, and one of them week by week."""
    form = AgreementForm(request.GET, langs=agreement_report.langs())
    if not form.is_valid():
        return render(request, "tasks/agreement.html", {"form": form}, status=FORM_INVALID)
    measure = form.cleaned_data["measure"]
    report = agreement_report.report(measure, form.filter(timezone.now().date()))
    plot = _plot(measure, report, _links(form, report) if request.user.is_staff else ())
    if form.cleaned_data["format"] == "csv":
        return csv_file(f"agreement-{measure}.csv", plot.table)
    context = {
        "form": form,
        "report": report,
        "measure": measure,
        "title": dict(MEASURES)[measure],
        "plot": plot,
        "note": _("A week leads to what people differed about in it.") if plot.table.links else "",
        "levels": [(LEVELS[level], found) for level, found in report.levels.items()],
        "min_units": MIN_UNITS,
        "query": form.query(),
        "csv_url": f"?{form.query(measure=measure, format='csv')}",
        "same_url": f"?{form.query(measure=measure)}",
    }
    return render(request, "tasks/agreement.html", context)


@require_safe
@contributor
def disputed(request: HttpRequest) -> HttpResponse:
    """A page of the messages about which people differ most. For staff."""
    if not request.user.is_staff:
        raise PermissionDenied
    form = DisputedForm(request.GET, langs=agreement_report.langs())
    if not form.is_valid():
        return render(request, "tasks/disputed.html", {"form": form}, status=FORM_INVALID)
    measure, after = form.cleaned_data["measure"], form.cleaned_data["after"]
    wanted = form.filter(timezone.now().date())
    found, more = agreement_report.worst(measure, wanted, after)
    context = {
        "form": form,
        "rows": [_row(measure, one) for one in found],
        "title": dict(MEASURES)[measure],
        "week": wanted.week,
        "is_ranking": measure == RANKINGS,
        "first": f"?{form.query(measure=measure)}" if after else "",
        "more": f"?{form.query(measure=measure, after=str(more))}" if more else "",
        "back": f"?{form.query(measure=measure)}",
        "others": [] if found else _others(measure),
    }
    return render(request, "tasks/disputed.html", context)


def _others(measure: str) -> list[tuple[str, Any]]:
    """What people do differ about, where they do not about this."""
    found = agreement_report.disputed_measures()
    return [(name, title) for name, title in MEASURES if name in found and name != measure]


def _links(form: AgreementForm, report: Report) -> list[str]:
    """Where each week's disputed messages are; of a week in which nobody voted, nowhere."""
    page, measure = reverse("tasks:disputed"), form.cleaned_data["measure"]
    queries = [
        form.query(measure=measure, week=agreement_report.code_of(week.week))
        for week in report.weeks
    ]
    voted = [week.estimate.n > 0 for week in report.weeks]
    return [f"{page}?{query}" if n else "" for query, n in zip(queries, voted, strict=True)]


def _row(measure: str, one: Disputed) -> dict[str, Any]:
    given: list[tuple[Any, int]] = []
    if measure != RANKINGS:
        words = [name for _value, name in LABELS[measure].choices_ascending]
        given = [(name, n) for name, n in zip(words, one.votes, strict=True) if n]
    return {
        "dissent": one.dissent,
        "kind": dict(KINDS).get(one.dissent.kind, one.dissent.kind),
        "message": one.message,
        "given": given,
        "percent": 100 * one.dissent.dissent,
        "tau": 1 - 2 * one.dissent.dissent,
    }


def _plot(measure: str, report: Report, links: Sequence[str]) -> plots.Plot:
    is_known = any(week.estimate.value is not None for week in report.weeks)
    weeks = report.weeks if is_known else []
    said = [week.estimate for week in weeks]
    n = sum(week.estimate.n for week in report.weeks)
    is_ranking = measure == RANKINGS
    series = plots.Series(
        _("mean τ") if is_ranking else _("α"),
        [each.value for each in said],
        low=[each.low for each in said],
        high=[each.high for each in said],
        counts=[each.n for each in said],
    )
    return plots.line(
        f"agreement-{measure}",
        _("Agreement by week: %(what)s") % {"what": dict(MEASURES)[measure]},
        _text(is_ranking) % {"n": plots.plain(n), "least": MIN_UNITS},
        across=_("Week of"),
        names=[_name(week, weeks) for week in weeks],
        series=[series],
        up=_ends([each.low for each in said]),
        show=plots.plain,
        links=links if is_known else (),
    )


def _text(is_ranking: bool) -> str:
    if is_ranking:
        return _(
            "Mean of Kendall’s τ over pairs of people, with 95 %% interval; n = %(n)s messages "
            "whose replies were ranked; weeks with fewer than %(least)s are left out"
        )
    return _(
        "Krippendorff’s α with 95 %% interval; n = %(n)s messages with two reviews or more; weeks "
        "with fewer than %(least)s are left out"
    )


def _ends(lows: list[float | None]) -> tuple[float, float]:
    """From 0, what chance gives, to 1, or from below where people contradict each other."""
    lowest = min((low for low in lows if low is not None), default=0.0)
    return (0, 1) if lowest >= 0 else (-0.5, 1) if lowest >= -0.5 else (-1, 1)


def _name(week: Week, weeks: list[Week]) -> str:
    is_long = (weeks[-1].week - weeks[0].week).days > 360
    return date_format(week.week, "j M Y" if is_long else "j M")


def csv_file(name: str, table: plots.Table) -> HttpResponse:
    """The numbers as a file to save."""
    response = HttpResponse(plots.to_csv(table), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
