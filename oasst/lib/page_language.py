"""The language of the pages: the account's; for a visitor what they chose, else the browser's.

Django's LocaleMiddleware reads cookie and browser, `oasst.accounts.middleware` the account. It is
not the languages somebody contributes in.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import get_language
from django.views.decorators.http import require_POST

from oasst.lib.theme import page_to_return_to


def offered(language: str | None) -> str:
    """`language` if pages are shown in it, else English."""
    return language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def closest(lang: str) -> str | None:
    """The language of pages that a contribution language is read in ("zh" → "zh-hans"), if any."""
    codes = dict(settings.LANGUAGES)
    wanted = lang.lower()
    near = (code for code in codes if code.partition("-")[0] == wanted)
    return wanted if wanted in codes else next(near, None)


def current() -> str:
    """The language that is being spoken now."""
    return offered(get_language())


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Remember the language, with the account for who has one, and go back to the page."""
    language = request.POST.get("language", "")
    response = HttpResponseRedirect(page_to_return_to(request))
    if language not in dict(settings.LANGUAGES):
        return response
    if request.user.is_authenticated:
        request.user.ui_language = language
        request.user.save(update_fields=["ui_language"])
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        samesite="Lax",
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=True,
    )
    return response
