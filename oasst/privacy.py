"""A person's data across all apps: one (collect, erase) pair an app, and the two pages for it.

Each `collect(user)` gives {section: rows of plain values}; each `erase(user, now=…)` anonymises.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import IO, Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.serializers.json import DjangoJSONEncoder
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from chat_app import privacy as chats
from leaderboard_app import privacy as community
from oasst.accounts import people
from oasst.accounts import privacy as accounts
from oasst.accounts.forms import DeleteForm
from oasst.accounts.models import User
from oasst.lib import emails, ratelimit
from oasst.lib.pages import too_many_requests
from tasks_app import privacy as tasks
from tasks_app.merge_records import Merge
from training import privacy as training

Collect = Callable[[User], dict[str, Iterable[dict[str, Any]]]]
Erase = Callable[..., None]

# The account comes last: the others still need to know whose data they look at.
APPS: list[tuple[str, Collect, Erase]] = [
    ("contributions", tasks.collect, tasks.erase),
    ("community", community.collect, community.erase),
    ("chats", chats.collect, chats.erase),
    ("training", training.collect, training.erase),
    ("account", accounts.collect, accounts.erase),
]
DOWNLOADS_PER_HOUR = 10
UNDER_WAY = timedelta(minutes=10)  # a deletion takes less
# Up to this size a download is put together in memory, beyond it in a temporary file.
SPOOL_BYTES = 1024 * 1024


def write_json(user: User, out: IO[bytes], *, now: datetime) -> None:
    """Write everything about `user` as one JSON object, row by row, in bounded memory."""
    head = {"site": settings.SITE_NAME, "url": settings.SITE_URL, "made_at": now}
    out.write(b'{"about": ' + _json(head))
    for name, collect, _erase in reversed(APPS):
        out.write(b",\n" + _json(name) + b": {")
        for place, (section, rows) in enumerate(collect(user).items()):
            out.write((b",\n" if place else b"\n") + _json(section) + b": [")
            for number, row in enumerate(rows):
                out.write((b",\n" if number else b"\n") + _json(row))
            out.write(b"]")
        out.write(b"}")
    out.write(b"}\n")


def erase_person(user: User, *, now: datetime, erases_texts: bool = False) -> None:
    """Close the account, so that nothing new comes, then anonymise `user` in every app.

    With `erases_texts` the messages of the person lose their texts, else they stay without a name.

    Not one transaction, because giving back tasks locks many trees one after the other. Each part
    may run twice and the account goes last; `finish_erasures` ends a deletion that broke off.
    """
    people.close(user, now=now, erases_texts=erases_texts)
    _forget_merges_into(user.pk)
    for _name, _collect, erase in APPS:
        erase(user, now=now)


def delete_account(user: User, *, now: datetime, erases_texts: bool = False) -> None:
    """Erase somebody and tell them so, at the address that is forgotten with this."""
    email, language = user.email, user.ui_language
    erase_person(user, now=now, erases_texts=erases_texts)
    context = {"erases_texts": user.erases_texts}
    emails.send("account_deleted", email, context, language=language)


def finish_erasures() -> None:
    """Periodic job: end the deletions that broke off, as when the server stopped."""
    now = timezone.now()
    for user in people.being_deleted(now - UNDER_WAY):
        delete_account(user, now=now)


def forget_old_merges() -> None:
    """Periodic job: forget the merges that can no longer be undone."""
    since = timezone.now() - timedelta(days=settings.MERGE_UNDO_DAYS)
    for source_id in Merge.objects.filter(merged_at__lt=since).values_list("source", flat=True):
        forget_merged(str(source_id))


def forget_merged(user_id: str) -> None:
    """Remove what a merge left with the account it closed, such as other settings, and what it
    kept to be undone. Goes by the row that tells of the merge last, so it may break off."""
    for user in User.objects.filter(pk=user_id, deleted_at__isnull=False):
        _forget_merges_into(user.pk)
        for _name, _collect, erase in APPS:
            erase(user, now=user.deleted_at)
        Merge.objects.filter(source=user).delete()


def _forget_merges_into(user_id: uuid.UUID) -> None:
    for source_id in Merge.objects.filter(into=user_id).values_list("source", flat=True):
        forget_merged(str(source_id))


@never_cache
@login_required
@require_safe
def download(request: HttpRequest) -> HttpResponseBase:
    user = _user(request)
    allowance = count_download(user)
    if not allowance.allowed:
        return too_many_requests(request, retry_after_s=allowance.retry_after_s)
    return as_file(user, now=timezone.now())


def count_download(user: User) -> ratelimit.Allowance:
    """Count one download, by page or program."""
    return ratelimit.hit("privacy-download", str(user.pk), limit=DOWNLOADS_PER_HOUR, window_s=3600)


def as_file(user: User, *, now: datetime) -> FileResponse:
    """Everything about `user` as a file to keep."""
    file = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 (the response closes it)
    write_json(user, file, now=now)
    file.seek(0)
    name = f"open-assistant-{now:%Y-%m-%d}.json"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/json")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest) -> HttpResponse:
    """Say what goes and what stays; delete when the address was typed; the session ends."""
    user = _user(request)
    form = DeleteForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        delete_account(user, now=timezone.now(), erases_texts=form.erases_texts)
        logout(request)
        return render(request, "accounts/deleted.html")
    status = 400 if form.errors else 200
    return render(request, "accounts/delete.html", {"form": form}, status=status)


def _json(value: object) -> bytes:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False).encode()


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the views are behind login_required
    return request.user


app_name = "privacy"
urlpatterns = [
    path("data/", download, name="download"),
    path("delete/", delete, name="delete"),
]
