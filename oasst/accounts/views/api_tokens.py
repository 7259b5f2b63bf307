"""The page of a person's API tokens: list, make, revoke. A new key is shown once and not kept."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from oasst.accounts import tokens
from oasst.accounts.forms import TokenForm
from oasst.accounts.models import User
from oasst.lib.errors import DomainError


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def api_tokens(request: HttpRequest) -> HttpResponse:
    """List the tokens and make one; the answer to that form is the only page with the key."""
    form = TokenForm(request.POST or None)
    user, key, status = _user(request), "", 200
    if request.method == "POST":
        key, status = _create(user, form)
    context = {
        "form": TokenForm() if key else form,
        "new_key": key,
        "tokens": tokens.of(user),
        "now": timezone.now(),
    }
    return render(request, "accounts/tokens.html", context, status=status)


@never_cache
@login_required
@require_POST
def revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """End a token; one that is gone already is no error."""
    tokens.revoke(_user(request), token_id)
    messages.success(request, _("The token is revoked. Programs that use it are refused now."))
    return redirect("accounts:tokens")


def _create(user: User, form: TokenForm) -> tuple[str, int]:
    """Make the token that the form asks for. Returns its key ("" if refused) and the status."""
    if not form.is_valid():
        return "", 400
    now = timezone.now()
    wanted = form.cleaned_data
    try:
        _token, key = tokens.create(
            user, wanted["name"], wanted["scopes"], now=now, expires_at=form.expires_at(now)
        )
    except DomainError as error:
        form.add_error(None, error.message)
        return "", error.status
    return key, 201


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the views are behind login_required
    return request.user
