"""Sign-in by e-mail: ask for a mail, follow its link or type its code; and signing out.

GET and HEAD change nothing, because mail scanners and link previews fetch every link they see.
"""

from __future__ import annotations

from datetime import datetime

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from oasst.accounts import busy, identities, limits, magic_link, pending, people
from oasst.accounts.enums import CodePurpose
from oasst.accounts.forms import CodeForm, SignInForm
from oasst.accounts.models import EmailCode
from oasst.accounts.redirects import after_sign_in, wanted_path
from oasst.lib.errors import DomainError
from oasst.lib.pages import too_many_requests


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Ask for the address; the answer is the same for known and unknown ones."""
    next_url = wanted_path(request)
    if request.user.is_authenticated:
        return redirect(after_sign_in(next_url))
    form = SignInForm(request.POST or None)
    headers, status = {}, 200
    if request.method == "POST" and form.is_valid():
        email, now = form.cleaned_data["email"], timezone.now()
        if limits.is_busy(now=now) and not busy.is_passed(request.POST, email, now=now):
            return _busy_page(request, email, next_url, now=now)
        try:
            pending.ask(request, email, CodePurpose.SIGN_IN, now=now, next_url=next_url)
        except limits.TooMany as error:
            form.add_error(None, error.message)
            headers, status = {"Retry-After": str(error.retry_after_s)}, error.status
        else:
            return redirect("accounts:sent")
    context = {"form": form, "next": next_url, "providers": _providers(request, next_url)}
    return TemplateResponse(request, "accounts/login.html", context, status=status, headers=headers)


@never_cache
@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """Say what was sent and offer the code, another mail, another address."""
    return _sent_page(request, CodeForm())


@never_cache
@require_safe
def sent_state(request: HttpRequest) -> HttpResponse:
    """The fragment that says whether the mail is out yet."""
    waiting = pending.read(request, CodePurpose.SIGN_IN)
    asked = waiting.latest if waiting else None
    state = magic_link.sending_state(asked, now=timezone.now()) if asked else ""
    return render(request, "accounts/_mail_state.html", {"state": state})


@never_cache
@require_POST
def resend(request: HttpRequest) -> HttpResponse:
    waiting = pending.read(request, CodePurpose.SIGN_IN)
    if waiting is None:
        return redirect("account_login")
    now = timezone.now()
    wait_s = magic_link.seconds_until_resend(waiting.latest, now=now) if waiting.latest else 0
    if wait_s:
        messages.info(request, _("Please wait %d more seconds.") % wait_s)
        return redirect("accounts:sent")
    try:
        pending.ask(request, waiting.email, CodePurpose.SIGN_IN, now=now, next_url=waiting.next_url)
        messages.success(request, _("We are sending another mail."))
    except limits.TooMany as error:
        messages.error(request, error.message)
    return redirect("accounts:sent")


@never_cache
@require_POST
def code(request: HttpRequest) -> HttpResponse:
    """Sign in by the 6-digit code; only in the browser that asked for the mail."""
    waiting = pending.read(request, CodePurpose.SIGN_IN)
    if waiting is None:
        return redirect("account_login")
    form = CodeForm(request.POST)
    if not form.is_valid():
        return _sent_page(request, form)
    ip, now = limits.client_ip(request), timezone.now()
    typed = form.cleaned_data["code"]
    try:
        limits.take_try(ip, now=now)
        asked = magic_link.redeem_code(waiting.ids, typed, CodePurpose.SIGN_IN, now=now)
    except DomainError as error:
        form.add_error("code", error.message)
        return _sent_page(request, form, status=error.status)
    limits.give_try_back(ip)
    return _sign_in(request, asked, method="email_code")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Show a Continue button (GET); use the link up and sign in (POST)."""
    now = timezone.now()
    try:
        if request.method != "POST":
            asked = magic_link.look_up(token, CodePurpose.SIGN_IN, now=now)
            return render(request, "accounts/link.html", {"asked": asked})
        return _redeem_link(request, token, now=now)
    except limits.TooMany as error:
        return too_many_requests(request, retry_after_s=error.retry_after_s)
    except DomainError as error:
        return render(request, "accounts/link_failed.html", {"error": error}, status=error.status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        get_adapter().logout(request)
    elif request.user.is_authenticated:
        return render(request, "accounts/logout.html")
    return redirect(settings.LOGOUT_REDIRECT_URL)


@never_cache
@require_safe
def inactive(request: HttpRequest) -> HttpResponse:
    """Where people land who have proven their address but are banned."""
    return render(request, "accounts/inactive.html", status=403)


def _redeem_link(request: HttpRequest, token: str, *, now: datetime) -> HttpResponse:
    ip = limits.client_ip(request)
    limits.take_try(ip, now=now)
    asked = magic_link.redeem_token(token, CodePurpose.SIGN_IN, now=now)
    limits.give_try_back(ip)
    return _sign_in(request, asked, method="email_link")


def _sign_in(request: HttpRequest, asked: EmailCode, *, method: str) -> HttpResponse:
    """Hand over to allauth, which asks for a second factor where one is set up."""
    user, _is_new = people.find_or_create(asked.email)
    pending.forget(request, CodePurpose.SIGN_IN)
    if request.user.is_authenticated and request.user.pk != user.pk:
        get_adapter().logout(request)
    record_authentication(request, user, method=method, email=asked.email)
    redirect_url = after_sign_in(asked.next_url)
    return perform_login(request, Login(user=user, email=asked.email, redirect_url=redirect_url))


def _sent_page(request: HttpRequest, form: CodeForm, *, status: int = 200) -> HttpResponse:
    waiting = pending.read(request, CodePurpose.SIGN_IN)
    asked = waiting.latest if waiting else None
    if waiting is None or asked is None:
        return redirect("account_login")
    now = timezone.now()
    context = {
        "form": form,
        "asked": asked,
        "next": waiting.next_url,
        "sender": settings.DEFAULT_FROM_EMAIL,
        "state": magic_link.sending_state(asked, now=now),
        "resend_after_s": magic_link.seconds_until_resend(asked, now=now),
    }
    return render(request, "accounts/sent.html", context, status=status)


def _busy_page(request: HttpRequest, email: str, next_url: str, *, now: datetime) -> HttpResponse:
    context = {
        "email": email,
        "next": next_url,
        "ticket": busy.ticket(email, request.POST.get("ticket", "")),
        "challenge": busy.challenge(now=now),
        "wait_s": int(busy.WAIT.total_seconds()),
    }
    return render(request, "accounts/busy.html", context)


def _providers(request: HttpRequest, next_url: str) -> list[dict[str, str]]:
    options = {"next": next_url} if next_url else {}
    return [
        {"name": provider.name, "url": provider.get_login_url(request, **options)}
        for provider in identities.providers(request)
    ]
