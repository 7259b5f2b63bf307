"""Signed-in devices: Django's sessions in a table that knows whose they are.

Django's own table hides the account inside the data; with a column people can see and end theirs.
No network address is kept: the name of the browser and two dates tell devices apart.
This module is `settings.SESSION_ENGINE`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from oasst.accounts.models import DEVICE_MAX_LENGTH, OpenSession, User
from oasst.lib import per_request

_DEVICE, _SINCE, _USED = "device", "signed_in_at", "last_used_on"


class SessionStore(DatabaseStore):
    """Copies into columns what the account page asks for."""

    @classmethod
    def get_model_class(cls) -> type[OpenSession]:
        return OpenSession

    def create_model_instance(self, data: dict[str, Any]) -> OpenSession:
        return _fill(super().create_model_instance(data), data)  # type: ignore[arg-type]

    def _get_session_from_db(self) -> OpenSession | None:
        """Read the account and the names of its groups along, which every page needs."""
        if (row := _with_owner(self.session_key)) is None:
            self._session_key = None
        elif row.user is not None:
            row.user.know_groups(row.groups_of_owner)  # type: ignore[attr-defined]
            per_request.keep(_owner_key(row.user.pk), row.user)
        return row

    async def acreate_model_instance(self, data: dict[str, Any]) -> OpenSession:
        return _fill(await super().acreate_model_instance(data), data)  # type: ignore[arg-type]


def owner_read_along(user_id: Any) -> User | None:
    """The account read with the session of this request, once: later changes are read anew."""
    return per_request.take(_owner_key(user_id))


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


def _with_owner(key: str | None) -> OpenSession | None:
    names = Group.objects.filter(user=OuterRef("user_id")).values("name")
    rows = OpenSession.objects.select_related("user").annotate(groups_of_owner=ArraySubquery(names))
    return rows.filter(session_key=key, expire_date__gt=timezone.now()).first()


def _owner_key(user_id: Any) -> str:
    return f"owner of the session {user_id}"


def _fill(row: OpenSession, data: dict[str, Any]) -> OpenSession:
    row.user_id = data.get(SESSION_KEY)
    row.device = data.get(_DEVICE, "")
    row.signed_in_at = data.get(_SINCE)
    row.last_used_on = data.get(_USED)
    return row
