"""The account page, the welcome page, and the change of the e-mail address."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from oasst.accounts import (
    identities,
    limits,
    magic_link,
    pending,
    people,
    second_factor,
    security_news,
    sessions,
    tokens,
)
from oasst.accounts.enums import CodePurpose
from oasst.accounts.forms import CodeForm, EmailChangeForm, ProfileForm, WelcomeForm
from oasst.accounts.models import EmailCode, User
from oasst.accounts.redirects import after_sign_in, wanted_path
from oasst.lib import emails
from oasst.lib.errors import DomainError
from oasst.lib.languages import guess
from oasst.lib.pages import too_many_requests


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """First sign-in, or new terms: agree, and say which languages; one tap when the guess fits."""
    user, next_url = _user(request), wanted_path(request)
    if request.method != "POST" and people.has_accepted_terms(user):
        return redirect(after_sign_in(next_url))
    guessed = user.contribution_languages or guess(request.headers.get("Accept-Language", ""))
    form = WelcomeForm(
        request.POST or None, instance=user, initial={"contribution_languages": guessed}
    )
    if request.method == "POST" and form.is_valid():
        form.save()
        people.accept_terms(user, now=timezone.now())
        return redirect(after_sign_in(next_url))
    context = {"form": form, "next": next_url, "is_new": not user.tos_version, "guessed": guessed}
    return render(request, "accounts/welcome.html", context)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    # A fresh instance: an invalid form must not change what the page's header shows.
    person = User.objects.get(pk=_user(request).pk)
    form = ProfileForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        form.save()
        with translation.override(person.ui_language):
            messages.success(request, _("Your settings are saved."))
        return redirect("accounts:account")
    status = 400 if form.errors else 200
    now = timezone.now()
    context = {
        "form": form,
        "tokens": tokens.of(person),
        "sessions": sessions.of(person, now=now),
        "session_key": request.session.session_key,
        "now": now,
        "has_second_factor": second_factor.has_one(person),
        "identities": identities.of(request, person),
        "providers": [
            {"name": provider.name, "url": provider.get_login_url(request, process="connect")}
            for provider in identities.providers(request)
        ],
    }
    return render(request, "accounts/account.html", context, status=status)


@never_cache
@login_required
@require_POST
def disconnect(request: HttpRequest, identity_id: int) -> HttpResponse:
    """Take an account of another site off one's own."""
    user = _user(request)
    try:
        identities.disconnect(user, identity_id)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        security_news.mail(user, "account_disconnected")
        messages.success(request, _("Disconnected. Your e-mail address still signs you in."))
    return redirect("accounts:account")


@never_cache
@login_required
@require_POST
def end_session(request: HttpRequest, handle: str) -> HttpResponse:
    """Sign one device out; one that is gone already is signed out, too."""
    sessions.end(_user(request), handle, now=timezone.now())
    if not request.session.exists(request.session.session_key or ""):
        logout(request)
        return redirect("account_login")
    messages.success(request, _("That device is signed out."))
    return redirect("accounts:account")


@never_cache
@login_required
@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    people.end_all_sessions(_user(request), now=timezone.now())
    logout(request)
    messages.success(request, _("You are signed out on every device."))
    return redirect("account_login")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_email(request: HttpRequest) -> HttpResponse:
    """Ask for a mail to the new address; nothing changes before that is confirmed."""
    user = _user(request)
    form = EmailChangeForm(request.POST or None, user=user)
    headers, status = {}, 200
    if request.method == "POST" and form.is_valid():
        email, now = form.cleaned_data["email"], timezone.now()
        try:
            pending.ask(request, email, CodePurpose.CHANGE_EMAIL, now=now, user=user)
        except limits.TooMany as error:
            form.add_error(None, error.message)
            headers, status = {"Retry-After": str(error.retry_after_s)}, error.status
        else:
            return redirect("accounts:email")
    return _email_page(request, form, CodeForm(), status=status, headers=headers)


@never_cache
@login_required
@require_POST
def email_code(request: HttpRequest) -> HttpResponse:
    """Confirm the new address by the code of the mail."""
    waiting = pending.read(request, CodePurpose.CHANGE_EMAIL)
    if waiting is None:
        return redirect("accounts:email")
    form, new_address = CodeForm(request.POST), EmailChangeForm(user=_user(request))
    if not form.is_valid():
        return _email_page(request, new_address, form, status=400)
    ip, now = limits.client_ip(request), timezone.now()
    typed = form.cleaned_data["code"]
    try:
        limits.take_try(ip, now=now)
        asked = magic_link.redeem_code(waiting.ids, typed, CodePurpose.CHANGE_EMAIL, now=now)
    except DomainError as error:
        form.add_error("code", error.message)
        return _email_page(request, new_address, form, status=error.status)
    limits.give_try_back(ip)
    try:
        _change(asked, now=now)
    except DomainError as error:  # the code is used up, so its field is gone
        messages.error(request, error.message)
        return redirect("accounts:email")
    return _email_changed(request, asked)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def email_link(request: HttpRequest, token: str) -> HttpResponse:
    """Confirm the new address by the link of the mail, in any browser, signed in or not."""
    ip, now = limits.client_ip(request), timezone.now()
    try:
        if request.method != "POST":
            asked = magic_link.look_up(token, CodePurpose.CHANGE_EMAIL, now=now)
            return render(request, "accounts/email_link.html", {"asked": asked})
        limits.take_try(ip, now=now)
        asked = magic_link.redeem_token(token, CodePurpose.CHANGE_EMAIL, now=now)
        _change(asked, now=now)
    except limits.TooMany as error:
        return too_many_requests(request, retry_after_s=error.retry_after_s)
    except DomainError as error:
        return render(request, "accounts/link_failed.html", {"error": error}, status=error.status)
    limits.give_try_back(ip)
    return _email_changed(request, asked)


def _change(asked: EmailCode, *, now: datetime) -> None:
    user, old = people.change_address(asked, now=now)
    emails.send("email_changed", old, {"name": user.public_name}, language=asked.language)


def _email_changed(request: HttpRequest, asked: EmailCode) -> HttpResponse:
    pending.forget(request, CodePurpose.CHANGE_EMAIL)
    messages.success(request, _("Your new address is %s.") % asked.email)
    return redirect("accounts:account" if request.user.is_authenticated else "account_login")


def _email_page(
    request: HttpRequest,
    form: EmailChangeForm,
    code_form: CodeForm,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    waiting = pending.read(request, CodePurpose.CHANGE_EMAIL)
    asked = waiting.latest if waiting else None
    context = {
        "form": form,
        "code_form": code_form,
        "asked": asked if asked and asked.user_id == _user(request).pk else None,
        "sender": settings.DEFAULT_FROM_EMAIL,
    }
    return TemplateResponse(request, "accounts/email.html", context, status=status, headers=headers)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the views are behind login_required
    return request.user
