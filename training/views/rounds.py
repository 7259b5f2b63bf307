"""Rounds: the list, one with its steps and what people's rankings say, its samples, going on."""

from __future__ import annotations

from csp.constants import NONE, UNSAFE_INLINE
from csp.decorators import csp
from django.contrib import messages as toasts
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from training import round_reading, rounds, win_rate
from training.enums import RoundState
from training.models import Round
from training.standings import standing
from training.views.edges import admin, staff

ROUNDS_A_PAGE = 50
# The report is a page of its own with its styles inside, of words that models wrote.
_SAMPLES_POLICY = {"default-src": [NONE], "style-src": [UNSAFE_INLINE], "sandbox": True}


@require_safe
@never_cache
@staff
def round_list(request: HttpRequest) -> HttpResponse:
    """All rounds, newest first."""
    return render(request, "training/rounds.html", {"rounds": Round.objects.all()[:ROUNDS_A_PAGE]})


@require_safe
@never_cache
@staff
def round_page(request: HttpRequest, name: str) -> HttpResponse:
    """One round: every step with its record, and the win-rate as of now."""
    found = get_object_or_404(Round, name=name)
    context = {
        "round": found,
        "cards": round_reading.cards(found),
        "standing": standing(found),
        "least": {"n": win_rate.MIN_COMPARISONS, "prompts": win_rate.MIN_PROMPTS},
        "has_samples": round_reading.samples_page(found) is not None,
        "to_rank": round_reading.open_ranking(found, request.user),
        "may_go_on": found.state in rounds.UNFINISHED and found.state != RoundState.RUNNING,
    }
    return render(request, "training/round.html", context)


@require_safe
@never_cache
@staff
@csp(_SAMPLES_POLICY)
def samples(request: HttpRequest, name: str) -> HttpResponse:
    """What the models answered, side by side, as the sampling step wrote it.

    Whoever is about to rank these answers blind is led to the round's page, which says so.
    """
    found = get_object_or_404(Round, name=name)
    page = round_reading.samples_page(found)
    if page is None:
        raise Http404
    if round_reading.open_ranking(found, request.user):
        toasts.info(request, _("The samples are shown once you have ranked these answers."))
        return redirect("training:round", found.name)
    return HttpResponse(page.read_bytes(), content_type="text/html; charset=utf-8")


@require_POST
@admin
def go_on(request: HttpRequest, name: str) -> HttpResponse:
    """Have a worker go on with a round that broke off, or begin one that waits."""
    found = get_object_or_404(Round, name=name)
    rounds.resume(found)
    toasts.success(request, _("It goes on as soon as a worker is free."))
    return redirect("training:round", found.name)
