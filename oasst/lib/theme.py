"""Light, dark, or what the device says. Kept in a cookie, and with the account for who has one,
and written into the page by the server, so that no page flashes in the wrong colours."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

SYSTEM, LIGHT, DARK = "system", "light", "dark"
THEMES = (SYSTEM, LIGHT, DARK)
COOKIE = "theme"
COOKIE_AGE_S = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """The account's theme; for a visitor the cookie's."""
    user = getattr(request, "user", None)
    chosen = user.theme if user and user.is_authenticated else request.COOKIES.get(COOKIE)
    return chosen if chosen in THEMES else SYSTEM


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Remember the theme and go back to the page; a script only wants to know it is done."""
    theme = request.POST.get("theme", SYSTEM)
    theme = theme if theme in THEMES else SYSTEM
    if request.user.is_authenticated:
        request.user.theme = theme
        request.user.save(update_fields=["theme"])
    if request.headers.get("X-Requested-With") == "fetch":
        response = HttpResponse(status=204)
    else:
        response = HttpResponseRedirect(page_to_return_to(request))
    response.set_cookie(
        COOKIE, theme, max_age=COOKIE_AGE_S, samesite="Lax", secure=request.is_secure()
    )
    return response


def page_to_return_to(request: HttpRequest) -> str:
    """The path on this site that a form names as `next`; the start page if it names none."""
    page = request.POST.get("next", "")
    is_path = page.startswith("/") and page.isprintable()
    is_ours = is_path and url_has_allowed_host_and_scheme(
        page, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return page if is_ours else "/"
