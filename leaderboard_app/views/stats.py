"""The public statistics: a page of plots, and the numbers of each as a file."""

from typing import Any

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from leaderboard_app import dataset_stats, stats_plots
from leaderboard_app.stats_form import StatsForm
from leaderboard_app.stats_plots import Report
from oasst.lib import plots

# Everybody who looks within these seconds sees the same.
LIFETIME_S = 10


@require_safe
def stats(request: HttpRequest) -> HttpResponse:
    """All plots of one language, or of all, over a span."""
    form = _form(request.GET)
    lang, span = form.chosen()
    context: dict[str, Any] = {"form": form, "report": _report(lang, span)}
    context["chosen"] = _address(lang, span)
    status = 200 if form.is_valid() else 400
    return render(request, "leaderboard/stats.html", context, status=status)


@require_safe
def stats_csv(request: HttpRequest, name: str) -> HttpResponse:
    """The numbers of one plot."""
    form = _form(request.GET)
    lang, span = form.chosen()
    found = _report(lang, span) if form.is_valid() else None
    if found is None:
        raise Http404
    if name == "labels":
        table = found.labels_table
    elif name in found.plots:
        table = found.plots[name].table
    else:
        raise Http404
    response = HttpResponse(plots.to_csv(table), content_type="text/csv; charset=utf-8")
    file = "-".join(filter(None, (name, lang, str(found.window.last))))
    response["Content-Disposition"] = f'attachment; filename="{file}.csv"'
    return response


def _form(data: QueryDict) -> StatsForm:
    return StatsForm(data, langs=dataset_stats.languages())


def _report(lang: str, span: str) -> Report | None:
    key = f"stats:{get_language()}:{lang}:{span}"
    found: Report | None = cache.get(key)
    if found is None:
        found = stats_plots.report(lang, span, now=timezone.now())
        cache.set(key, found, LIFETIME_S)
    return found


def _address(lang: str, span: str) -> str:
    query = QueryDict(mutable=True)
    query.update({"lang": lang, "span": span})
    return query.urlencode()
