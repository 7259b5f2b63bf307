"""REST API of the community, below /api/v1/: who one is, one's points, and the leaderboards."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from leaderboard_app import boards
from leaderboard_app.badges import Badge
from leaderboard_app.enums import EntryState, Frame, Reason, Why
from leaderboard_app.forms import BoardForm, PointsForm
from leaderboard_app.models import PointEntry
from oasst.accounts.bearer import BearerToken, person
from oasst.accounts.enums import Scope
from oasst.lib.api import Text, answers, require_valid

READ, ACCOUNT = BearerToken(Scope.READ_TASKS), BearerToken(Scope.READ_ACCOUNT)
router = Router()


class BadgeOut(Schema):
    """How far you are with one kind of badge; grade 0 is not yet."""

    code: str
    title: str
    grade: int
    text: str
    next: str = Field(description="what the next grade takes; empty after the last")


class StandingOut(Schema):
    """Points from the ledger as it is now."""

    score: Decimal = Field(description="confirmed points")
    pending: Decimal
    level: int
    progress: int = Field(description="percent of the way to the next level")
    missing: Decimal | None = Field(description="points to the next level")
    streak: int = Field(description="days in a row")
    longest_streak: int
    badges: list[BadgeOut]


class MeOut(Schema):
    """The person whose token it is."""

    id: UUID
    name: str = Field(description="what others see")
    email: str
    languages: list[str] = Field(description="those you contribute in")
    ui_language: str
    time_zone: str
    on_leaderboard: bool
    is_moderator: bool
    may_contribute: bool
    joined_at: datetime
    standing: StandingOut


class FindEntries(Schema):
    """Which entries of the ledger; `next` of one page is `after` of the other."""

    state: EntryState | None = None
    after: Text = Field("", max_length=80)


class EntryOut(Schema):
    """Points for one contribution and one reason."""

    points: Decimal
    reason: Reason
    title: str
    state: EntryState
    why: Why
    explanation: str
    lang: str
    at: datetime
    settled_at: datetime | None
    message: UUID | None


class EntriesOut(Schema):
    items: list[EntryOut]
    next: str | None


class FindPlaces(Schema):
    """Which part of a board; `next` of one page is `after` of the other."""

    lang: Text = Field("", max_length=16, description="a language; all together by default")
    after: Text = Field("", max_length=80)


class PlaceOut(Schema):
    """One row of a board."""

    place: int
    name: str
    points: Decimal
    level: int
    streak: int
    accepted: int
    reviews: int
    rankings: int
    is_own: bool


class BoardOut(Schema):
    """A page of a board, and where you stand yourself if that is elsewhere."""

    frame: Frame
    lang: str
    items: list[PlaceOut]
    around: list[PlaceOut]
    updated_at: datetime | None
    next: str | None


@router.get("/me", auth=ACCOUNT, response=answers(MeOut), tags=["me"])
def read_me(request: HttpRequest) -> Any:
    """Who you are, and where you stand."""
    user, now = person(request), timezone.now()
    fields = {name: getattr(user, name) for name in (
        "id", "email", "ui_language", "time_zone", "on_leaderboard", "is_moderator",
    )}  # fmt: skip
    return {
        **fields,
        "name": user.public_name,
        "languages": user.contribution_languages,
        "may_contribute": user.may_contribute(now),
        "joined_at": user.date_joined,
        "standing": _standing(boards.own(user, now=now)),
    }


@router.get("/me/points", auth=ACCOUNT, response=answers(EntriesOut), tags=["me"])
def list_points(request: HttpRequest, find: Query[FindEntries]) -> Any:
    """Your ledger: every entry with its reason, the newest first."""
    form = PointsForm({"state": find.state or "", "after": find.after})
    require_valid(form, source="query")
    asked = form.cleaned_data
    found, more = boards.entries(person(request), state=asked["state"], after=asked["after"])
    return {"items": [_entry(each) for each in found], "next": more and _after(more.at, more.pk)}


@router.get("/leaderboards/{frame}", auth=READ, response=answers(BoardOut), tags=["leaderboards"])
def read_board(request: HttpRequest, frame: Frame, find: Query[FindPlaces]) -> Any:
    """The best of the last day, week or month, or of all time."""
    form = BoardForm({"frame": frame.value, "lang": find.lang, "after": find.after})
    require_valid(form, source="query")
    asked = form.cleaned_data
    found = boards.page(
        person(request), frame, asked["lang"], now=timezone.now(), after=asked["after"]
    )
    return {
        "frame": frame,
        "lang": asked["lang"],
        "items": [_place(place) for place in found.places],
        "around": [_place(place) for place in found.around],
        "updated_at": found.updated_at,
        "next": found.after and _after(*found.after),
    }


def _after(*key: Any) -> str:
    """Where a page ended, as the forms read it."""
    return ",".join(each.isoformat() if isinstance(each, datetime) else str(each) for each in key)


def _standing(own: boards.Own) -> dict[str, Any]:
    return {
        "score": own.score,
        "pending": own.pending,
        "level": own.level.number,
        "progress": own.progress,
        "missing": own.missing,
        "streak": own.streak,
        "longest_streak": own.longest,
        "badges": [_badge(badge) for badge in own.badges],
    }


def _badge(badge: Badge) -> dict[str, Any]:
    return {
        "code": badge.kind.code,
        "title": str(badge.kind.title),
        "grade": badge.grade,
        "text": badge.words,
        "next": badge.next_words,
    }


def _entry(entry: PointEntry) -> dict[str, Any]:
    fields = {name: getattr(entry, name) for name in (
        "points", "reason", "state", "why", "lang", "at", "settled_at",
    )}  # fmt: skip
    message = entry.contribution.message
    return {
        **fields,
        "title": str(Reason(entry.reason).label),
        "explanation": str(Why(entry.why).label),
        "message": message.pk if message and not message.deleted else None,
    }


def _place(place: boards.Place) -> dict[str, Any]:
    stats = place.stats
    fields = {name: getattr(stats, name) for name in ("accepted", "reviews", "rankings")}
    return {
        **fields,
        "place": place.number,
        "name": stats.user.public_name,
        "points": stats.confirmed,
        "level": place.level.number,
        "streak": place.streak,
        "is_own": place.is_own,
    }
