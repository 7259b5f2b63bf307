"""The leaderboard, and one's own points."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from leaderboard_app import boards, reliance, rules
from leaderboard_app.enums import EntryState, Frame
from leaderboard_app.forms import BoardForm, PointsForm
from leaderboard_app.models import PointEntry, Prize
from leaderboard_app.views.edges import member
from oasst.lib.edges import FORM_INVALID

PRIZES_SHOWN = 3


@require_safe
@member
def board(request: HttpRequest) -> HttpResponse:
    """One page of a board; the form says which. htmx gets the board alone."""
    user, now = request.user, timezone.now()
    form = BoardForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    frame, lang = Frame(asked.get("frame") or Frame.WEEK), asked.get("lang") or ""
    found = boards.page(user, frame, lang, now=now, after=asked.get("after"))
    published = Prize.objects.exclude(published_at=None)
    langs = [lang] if lang else user.contribution_languages
    context = {
        "board": found,
        "frame": frame,
        "lang": lang,
        "form": form,
        "tabs": [_tab(each, lang, each == frame) for each in Frame],
        "more": _url(frame, lang, after=found.after) if found.after else "",
        "top": _url(frame, lang) if asked.get("after") else "",
        "has_enough": found.people >= boards.ENOUGH_PEOPLE,
        "goals": boards.goals(langs),
        "own": boards.own(user, now=now),
        "formula": rules.formula(),
        "closeness": rules.closeness_asked(),
        "reliance": reliance.asked(),
        "prizes": published.prefetch_related("winners__user")[:PRIZES_SHOWN],
    }
    status = 200 if form.is_valid() else FORM_INVALID
    return render(request, "leaderboard/board.html", context, status=status)


@require_safe
@member
def points(request: HttpRequest) -> HttpResponse:
    """Every entry of one's own ledger, newest first."""
    user = request.user
    form = PointsForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    found, more = boards.entries(user, state=asked.get("state", ""), after=asked.get("after"))
    context = {
        "entries": found,
        "own": boards.own(user, now=timezone.now()),
        "tabs": _state_tabs(asked.get("state", "")),
        "more": _points_url(asked.get("state", ""), more) if more else "",
        "top": _points_url(asked.get("state", ""), None) if asked.get("after") else "",
        "formula": rules.formula(),
        "closeness": rules.closeness_asked(),
        "reliance": reliance.asked(),
    }
    status = 200 if form.is_valid() else FORM_INVALID
    return render(request, "leaderboard/points.html", context, status=status)


@require_safe
@member
def standing(request: HttpRequest) -> HttpResponse:
    """The card of the dashboard, fetched by htmx."""
    context = {"own": boards.own(request.user, now=timezone.now())}
    return render(request, "leaderboard/_standing.html", context)


def _tab(frame: Frame, lang: str, is_current: bool) -> dict[str, Any]:
    return {"label": frame.label, "url": _url(frame, lang), "current": is_current, "count": None}


def _state_tabs(state: str) -> list[dict[str, Any]]:
    tabs = [("", _("All"))] + [(each.value, each.label) for each in EntryState]
    return [
        {"label": label, "url": _points_url(value, None), "current": value == state, "count": None}
        for value, label in tabs
    ]


def _url(frame: Frame, lang: str, *, after: tuple | None = None) -> str:
    query = {"frame": frame.value, "lang": lang, "after": ",".join(map(str, after or ()))}
    return "?" + urlencode({name: value for name, value in query.items() if value})


def _points_url(state: str, last: PointEntry | None) -> str:
    at: datetime | str = last.at.isoformat() if last else ""
    query = {"state": state, "after": f"{at},{last.pk}" if last else ""}
    return "?" + urlencode({name: value for name, value in query.items() if value})
