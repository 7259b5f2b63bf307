"""Runs: the list, one run while it goes on, several over each other."""

from __future__ import annotations

import csv
from uuid import UUID

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from oasst.lib import keyset
from training import readiness, reading, runs
from training.forms import CompareForm, RunsForm
from training.models import TrainingRun
from training.views.edges import admin, run_or_404, staff


@require_safe
@never_cache
@staff
def run_list(request: HttpRequest) -> HttpResponse:
    """All runs, newest first, and how much data there is to train on."""
    newest = TrainingRun.objects.newest_first().select_related("checkpoint", "queued_by")
    form = RunsForm(request.GET)
    before = form.cleaned_data["before"] if form.is_valid() else None
    size = reading.RUNS_A_PAGE
    found, more = keyset.page(newest, before, "queued_at", size=size, ids_fall=True)
    context = {"runs": found, "before": before, "more": more, "thresholds": readiness.thresholds()}
    template = "training/_runs.html" if request.htmx else "training/runs.html"
    return render(request, template, context)


@require_safe
@never_cache
@staff
def run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """One run: how far it is, its curves, samples and log. To scripts, what changes."""
    found = run_or_404(run_id)
    context = {"run": found, "live": reading.live(found, request.user)}
    if request.htmx:
        return render(request, "training/_live.html", context)
    return render(request, "training/run.html", context | {"charts": reading.charts([found])})


@require_safe
@never_cache
@staff
def curves(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The points of a run's curves, for the script that draws them."""
    found = run_or_404(run_id)
    drawn = [chart.to_dict() for chart in reading.charts([found])]
    return JsonResponse({"state": found.state, "step": found.step, "charts": drawn})


@require_safe
@staff
def metrics_csv(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Everything that a run logged, one row a step and phase."""
    found = run_or_404(run_id)
    rows = reading.rows_of(found)
    names = sorted({name for row in rows for name in row} - {"step", "phase"})
    response = HttpResponse(content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="{found.run_dir}.csv"'
    writer = csv.DictWriter(response, ["step", "phase", *names])
    writer.writeheader()
    writer.writerows(rows)
    return response


@require_safe
@never_cache
@staff
def compare(request: HttpRequest) -> HttpResponse:
    """Curves of several runs over each other, and how their configs differ from the first."""
    form = CompareForm(request.GET)
    chosen: list[TrainingRun] = form.cleaned_data["run"] if form.is_valid() else []
    drawn = reading.charts(chosen) if chosen else []
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"state": "done", "charts": [chart.to_dict() for chart in drawn]})
    differences = [(other, reading.config_difference(chosen[0], other)) for other in chosen[1:]]
    context = {"runs": chosen, "charts": drawn, "differences": differences}
    return render(request, "training/compare.html", context)


@require_POST
@admin
def cancel(request: HttpRequest, run_id: UUID) -> HttpResponse:
    runs.cancel(run_or_404(run_id).pk, now=timezone.now())
    toasts.success(request, _("Cancelling was asked for. It saves what it has learned, then ends."))
    return redirect(reverse("training:run", args=[run_id]))


@require_POST
@admin
def resume(request: HttpRequest, run_id: UUID) -> HttpResponse:
    runs.resume(run_or_404(run_id).pk, now=timezone.now(), by=request.user)
    toasts.success(request, _("The run waits for a worker and goes on from its last checkpoint."))
    return redirect(reverse("training:run", args=[run_id]))
