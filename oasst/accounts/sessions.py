"""Signed-in devices: Django's sessions in a table that knows whose they are.

Django's own table hides the account inside the data; with a column people can see and end theirs.
No network address is kept: the name of the browser and two dates tell devices apart.
This module is `settings.SESSION_ENGINE`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import QuerySet
from django.http import HttpRequest

from oasst.accounts.models import DEVICE_MAX_LENGTH, OpenSession, User

_DEVICE, _SINCE, _USED = "device", "signed_in_at", "last_used_on"


class SessionStore(DatabaseStore):
    """Copies into columns what the account page asks for."""

    @classmethod
    def get_model_class(cls) -> type[OpenSession]:
        return OpenSession

    def create_model_instance(self, data: dict[str, Any]) -> OpenSession:
        return _fill(super().create_model_instance(data), data)  # type: ignore[arg-type]

    async def acreate_model_instance(self, data: dict[str, Any]) -> OpenSession:
        return _fill(await super().acreate_model_instance(data), data)  # type: ignore[arg-type]


def begin(request: HttpRequest, *, now: datetime) -> None:
    """Write down, at sign-in, which browser this is and when."""
    request.session[_DEVICE] = request.headers.get("User-Agent", "")[:DEVICE_MAX_LENGTH]
    request.session[_SINCE] = now.isoformat()
    request.session[_USED] = now.date().isoformat()


def note_use(request: HttpRequest, *, today: date) -> None:
    """Write down, once a day, that this session is in use; it then lasts its full time again."""
    if request.session.get(_USED, today.isoformat()) != today.isoformat():
        request.session[_USED] = today.isoformat()


def of(user: User, *, now: datetime) -> QuerySet[OpenSession]:
    """The open sessions of somebody, the last used first."""
    rows = OpenSession.objects.filter(user=user, expire_date__gt=now)
    return rows.order_by("-last_used_on", "-signed_in_at", "session_key")


def end(user: User, handle: str, *, now: datetime) -> bool:
    """End one session of `user`; whether it was there."""
    for row in of(user, now=now):
        if row.handle == handle:
            row.delete()
            return True
    return False


def end_all(user: User) -> None:
    OpenSession.objects.filter(user=user).delete()


def _fill(row: OpenSession, data: dict[str, Any]) -> OpenSession:
    row.user_id = data.get(SESSION_KEY)
    row.device = data.get(_DEVICE, "")
    row.signed_in_at = data.get(_SINCE)
    row.last_used_on = data.get(_USED)
    return row
