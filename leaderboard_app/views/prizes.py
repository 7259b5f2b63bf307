"""Prizes: the winners for everybody, and the page on which staff name a period and publish it."""

import csv
from typing import Any

from django.contrib import messages as toasts
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from leaderboard_app import prizes
from leaderboard_app.forms import PrizeForm
from leaderboard_app.models import Prize
from leaderboard_app.views.edges import member
from oasst.lib.edges import FORM_INVALID

SHOWN = 50
# A spreadsheet would take what begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@require_safe
@member
def show(request: HttpRequest, prize_id: int) -> HttpResponse:
    """The winners of a prize."""
    return render(request, "leaderboard/prize.html", {"prize": _published(prize_id)})


@require_safe
@member
def table(request: HttpRequest, prize_id: int) -> HttpResponse:
    """The winners as a table for spreadsheets."""
    prize = _published(prize_id)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="prize-{prize.pk}.csv"'
    rows = csv.writer(response)
    rows.writerow(["place", "name", "points"])
    for winner in prize.winners.all():
        name = winner.user.public_name if winner.user else _("Deleted account")
        harmless = f"'{name}" if name.startswith(_FORMULA) else name
        rows.writerow([winner.place, harmless, winner.points])
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@member
def manage(request: HttpRequest) -> HttpResponse:
    """Staff: all prizes, and a form that names another period."""
    _require_staff(request)
    form = PrizeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        prizes.name_period(form.save(commit=False), actor=request.user, now=timezone.now())
        toasts.success(request, _("The prize waits for its period to end; then publish it here."))
        return redirect("leaderboard:prizes")
    now = timezone.now()
    rows = [
        {"prize": prize, "is_due": not prize.published_at and prize.ends_at <= now}
        for prize in Prize.objects.all()[:SHOWN]
    ]
    status = FORM_INVALID if form.errors else 200
    context = {"form": form, "rows": rows}
    return render(request, "leaderboard/prizes.html", context, status=status)


@require_POST
@member
def publish(request: HttpRequest, prize_id: int) -> HttpResponse:
    """Staff: write down the winners for everybody to see."""
    _require_staff(request)
    prize = prizes.publish(prize_id, actor=request.user, now=timezone.now())
    return redirect("leaderboard:prize", prize.pk)


def _require_staff(request: HttpRequest) -> None:
    if not getattr(request.user, "is_staff", False):
        raise PermissionDenied


def _published(prize_id: int) -> Any:
    shown = Prize.objects.exclude(published_at=None).prefetch_related("winners__user")
    prize = shown.filter(pk=prize_id).first()
    if prize is None:
        raise Http404
    return prize
