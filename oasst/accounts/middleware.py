"""On every page of a signed-in person: language, use of the session, agreement to the terms."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation
from django_htmx.http import HttpResponseClientRedirect

from oasst.accounts import sessions
from oasst.accounts.people import has_accepted_terms
from oasst.accounts.redirects import safe_path

GetResponse = Callable[[HttpRequest], HttpResponse]

# Reading the terms, leaving, taking one's data along and deleting the account need no agreement.
OPEN_NAMESPACES = {"site", "privacy"}
OPEN_PAGES = {
    "account_login",
    "account_logout",
    "account_inactive",
    "accounts:welcome",
    "accounts:link",
    "accounts:end_sessions",
    "accounts:end_session",
    "accounts:mailbox",
    "tasks:unsubscribe",
    "accounts:mailbox_mail",
    "healthz",
    "readyz",
    "metrics",
}


class AccountLanguage:
    """Shows pages in the language of the account."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if user.is_authenticated and user.ui_language in dict(settings.LANGUAGES):
            translation.activate(user.ui_language)
            request.LANGUAGE_CODE = user.ui_language
        return self.get_response(request)


def note_daily_use(get_response: GetResponse) -> GetResponse:
    """Lets the list of signed-in devices say when each was last used."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            sessions.note_use(request, today=timezone.now().date())
        return get_response(request)

    return middleware


class TermsGate:
    """Sends people who have not agreed to the current terms to the welcome page.

    Somebody who agreed to earlier terms can still send the form that is open, so that no text is
    lost; the next page asks.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        user = request.user
        if not user.is_authenticated or has_accepted_terms(user) or _is_open(request):
            return None
        is_reading = request.method in {"GET", "HEAD"}
        if user.tos_version and not is_reading:
            return None
        url = reverse("accounts:welcome")
        if request.headers.get("HX-Request"):
            return HttpResponseClientRedirect(url)
        next_url = safe_path(request.get_full_path()) if is_reading else ""
        return HttpResponseRedirect(f"{url}?{urlencode({'next': next_url})}" if next_url else url)


def _is_open(request: HttpRequest) -> bool:
    match = request.resolver_match
    if match is None:
        return True
    return match.view_name in OPEN_PAGES or bool(OPEN_NAMESPACES & set(match.namespaces))
