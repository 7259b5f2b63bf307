"""On every page of a signed-in person: language, use of the session, agreement to the terms."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from oasst.accounts import second_factor, sessions
from oasst.accounts.people import has_accepted_terms
from oasst.accounts.redirects import safe_path
from oasst.lib import page_language

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


# What only staff may see, besides the desk: the pages of training, and these.
STAFF_NAMESPACES = {"admin", "django_rq", "training"}
STAFF_PAGES = {
    "accounts:save_view",
    "accounts:delete_view",
    "leaderboard:prizes",
    "leaderboard:prize_publish",
    "tasks:agreement_people",
    "tasks:disputed",
}
# That is written in English: a page of it is not translated in half. `oasst.lib.catalogues` leaves
# its texts out.
ENGLISH_PAGES = STAFF_PAGES | {"accounts:mailbox", "accounts:mailbox_mail", "site:components"}


class AccountLanguage:
    """Shows pages in the language of the account, and those for staff in English."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if user.is_authenticated:
            _speak(request, page_language.offered(user.ui_language))
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        match = request.resolver_match
        is_english = match is not None and match.view_name in ENGLISH_PAGES
        if is_english or _is_for_staff(request):
            _speak(request, "en")
        return None


def note_daily_use(get_response: GetResponse) -> GetResponse:
    """Lets the list of signed-in devices say when each was last used."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            sessions.note_use(request, today=timezone.now().date())
        return get_response(request)

    return middleware


class _Gate:
    """A middleware that only looks before a view runs."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class TermsGate(_Gate):
    """Sends people who have not agreed to the current terms to the welcome page.

    Somebody who agreed to earlier terms can still send the form that is open, so that no text is
    lost; the next page asks.
    """

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


class StaffGate(_Gate):
    """Opens what staff alone may see to those who showed a second factor.

    Who has none is led to set it up, who did not show it lately shows it, and comes back.
    """

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        user = request.user
        if not user.is_authenticated or not second_factor.is_required(user):
            return None
        if not _is_for_staff(request) or second_factor.was_shown(request, user):
            return None
        if second_factor.has_one(user):
            url = reverse("mfa_reauthenticate")
            next_url = safe_path(request.get_full_path()) if request.method == "GET" else ""
            return HttpResponseRedirect(f"{url}?{urlencode({'next': next_url or '/admin/'})}")
        text = _("This part of the site opens once your account has a second factor.")
        messages.info(request, text)
        return HttpResponseRedirect(reverse("mfa_index"))


def _is_for_staff(request: HttpRequest) -> bool:
    match = request.resolver_match
    if match is None:
        return False
    return match.view_name in STAFF_PAGES or bool(STAFF_NAMESPACES & set(match.namespaces))


def _speak(request: HttpRequest, language: str) -> None:
    translation.activate(language)
    request.LANGUAGE_CODE = language


def _is_open(request: HttpRequest) -> bool:
    match = request.resolver_match
    if match is None:
        return True
    return match.view_name in OPEN_PAGES or bool(OPEN_NAMESPACES & set(match.namespaces))
