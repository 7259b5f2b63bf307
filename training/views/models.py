"""Trained models: their lineage, which anybody may read, and going live, which admins decide."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chat_app.models import ServedModel
from training import checkpoints, reading, registry
from training.errors import GateClosed
from training.forms import PromoteForm
from training.models import Checkpoint, Promotion, Snapshot
from training.views.edges import FORM_INVALID, admin


@require_safe
def model(request: HttpRequest, name: str) -> HttpResponse:
    """A model of the chat: which checkpoint it is, all it came from, what it was before.

    With `at`, seconds since the epoch, what it was then: a message of then was written by that.
    """
    served = get_object_or_404(ServedModel, name=name)
    now = registry.checkpoint_of(served)
    moment = _moment(request.GET.get("at", ""))
    checkpoint = registry.checkpoint_at(served, moment) if moment else now
    history = Promotion.objects.filter(served_name=name).select_related("checkpoint")
    context = {"served": served, "history": history, **_lineage(checkpoint)}
    if moment and checkpoint != now:
        context["moment"] = moment
    return render(request, "training/model.html", context)


@require_safe
def checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    """One trained model: evaluation with intervals, hash, card, lineage."""
    found = get_object_or_404(Checkpoint.objects.select_related("run", "served"), name=name)
    return _checkpoint(request, found, PromoteForm(initial={"name": _usual_name(found)}))


@require_safe
def data(request: HttpRequest, name: str) -> HttpResponse:
    """What models learned from: the hash and the counts of a snapshot, not its texts."""
    found = get_object_or_404(Snapshot, name=name)
    context = {"snapshot": found, "models": registry.trained_on([found])}
    return render(request, "training/data.html", context)


@require_POST
@admin
def promote(request: HttpRequest, name: str) -> HttpResponse:
    found = get_object_or_404(Checkpoint, name=name)
    form = PromoteForm(request.POST)
    if not form.is_valid():
        return _checkpoint(request, found, form, status=FORM_INVALID)
    wish = form.cleaned_data
    try:
        served = registry.promote(
            found,
            name=wish["name"],
            title=wish["title"],
            make_default=wish["make_default"],
            as_adapter=wish["as_adapter"],
            reason=wish["reason"],
            force=bool(wish["reason"]),
            by=request.user,
            now=timezone.now(),
        )
    except GateClosed:
        form.add_error("reason", _("The gate objects. Say why it goes live all the same."))
        return _checkpoint(request, found, form, status=FORM_INVALID)
    toasts.success(request, _("It is served as %s.") % served.name)
    return redirect(reverse("training:model", args=[served.name]))


@require_POST
@admin
def roll_back(request: HttpRequest, name: str) -> HttpResponse:
    registry.roll_back(name, now=timezone.now())
    toasts.success(request, _("%s is again what it was before.") % name)
    return redirect(reverse("training:model", args=[name]))


def _checkpoint(
    request: HttpRequest, found: Checkpoint, form: PromoteForm, status: int = 200
) -> HttpResponse:
    # Only who may promote it is shown them, and they cost a look at all rankings.
    is_admin = getattr(request.user, "is_admin", False)
    objections = registry.objections(found) if is_admin else []
    context = {
        "form": form,
        "objections": objections,
        "has_win_rate": "win_rate" in (found.evaluation or {}),
        "has_adapter": is_admin and checkpoints.has_adapter(found.folder),
    }
    context |= _lineage(found)
    return render(request, "training/checkpoint.html", context, status=status)


def _lineage(checkpoint: Checkpoint | None) -> dict[str, object]:
    if checkpoint is None:
        return {"checkpoint": None}
    ancestry = registry.ancestry(checkpoint)
    return {
        "checkpoint": checkpoint,
        "figures": reading.figures(checkpoint),
        "base": reading.base_of(checkpoint),
        "ancestry": ancestry,
        "snapshots": registry.snapshots_of(ancestry),
    }


def _moment(text: str) -> datetime | None:
    """Seconds since the epoch; None if it is no such number."""
    try:
        return datetime.fromtimestamp(int(text), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _usual_name(checkpoint: Checkpoint) -> str:
    last = checkpoint.promotions.first()
    return last.served_name if last else checkpoint.name[:60]
