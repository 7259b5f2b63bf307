"""Pages that belong to no app: guidelines, terms, privacy, and those for errors."""

from __future__ import annotations

import sys

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation

from oasst.lib import languages, page_language, request_id


def guidelines(request: HttpRequest, lang: str = "") -> HttpResponse:
    """The guidelines in the language of the page, or in one that people contribute in.

    What is not translated into that one is shown in English and says so.
    """
    if lang and lang not in languages.LANGUAGES and lang not in dict(settings.LANGUAGES):
        raise Http404
    text_language = page_language.closest(lang) if lang else page_language.current()
    context = {
        "wanted": lang,
        "text_language": text_language or settings.LANGUAGE_CODE,
        "is_translated": bool(text_language),
    }
    return render(request, "pages/guidelines.html", context)


def terms(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/terms.html")


def privacy(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/privacy.html")


def too_many_requests(request: HttpRequest, *, retry_after_s: int) -> HttpResponse:
    """The page for somebody who is too fast; views return it when a rate limit says no."""
    response = render(request, "429.html", {"retry_after_s": retry_after_s}, status=429)
    response["Retry-After"] = str(retry_after_s)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """For requests that cannot be read: damaged, for another host, or larger than is taken."""
    return _plain_page("400.html", status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Without the request: no context processor runs, no user is read, no database is needed."""
    # The database is away or overloaded: that passes, so people and proxies may try again.
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        return _plain_page("503.html", status=503, headers={"Retry-After": "30"})
    return _plain_page("500.html", status=500)


def busy(request: HttpRequest) -> bytes:
    """The page for whoever comes while a web process has all that it can do, in the language of
    their cookie, else of their browser: their account would have to be looked up."""
    with translation.override(translation.get_language_from_request(request)):
        return _plain_page("503.html", status=503).content


def _plain_page(
    template: str, *, status: int, headers: dict[str, str] | None = None
) -> HttpResponse:
    page = render_to_string(template, {"request_id": request_id.current()})
    return HttpResponse(page, status=status, headers=headers)
