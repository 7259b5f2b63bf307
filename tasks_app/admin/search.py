"""The search over everything (Ctrl+K): an id, a name, or words of a message."""

import uuid
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from unfold.dataclasses import SearchResult

from oasst.accounts.admin import search as search_people
from oasst.lib.desk.display import page_url
from tasks_app.models import Message, MessageTree, Report, Task

MOST_EACH = 8


def results(request: HttpRequest, words: str) -> list[SearchResult]:
    """Unfold's callback. Few rows of each kind, so that a common word costs nothing."""
    words = words.strip()
    try:
        return _by_id(uuid.UUID(words))
    except ValueError:
        return _people(request, words) + _messages(words)


def _by_id(pk: uuid.UUID) -> list[SearchResult]:
    models = (MessageTree, Message, get_user_model(), Report, Task)
    found = [model for model in models if model.objects.filter(pk=pk).exists()]
    return [_result(str(pk), model, pk) for model in found]


def _people(request: HttpRequest, words: str) -> list[SearchResult]:
    model = get_user_model()
    if not request.user.has_perm("accounts.view_user"):
        return []
    rows = search_people(model.objects.all(), words, by=request.user)[:MOST_EACH]
    return [_result(row.public_name, model, row.pk) for row in rows]


def _messages(words: str) -> list[SearchResult]:
    rows = Message.objects.matching(words).only("pk", "text")[:MOST_EACH]
    return [_result(Truncator(row.text).chars(80), Message, row.pk) for row in rows]


def _result(title: str, model: Any, pk: Any) -> SearchResult:
    kind = str(model._meta.verbose_name).capitalize()
    return SearchResult(
        title=title or _("(empty)"), description=kind, link=page_url(model, pk), icon=""
    )
