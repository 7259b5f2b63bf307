"""Accounts elsewhere (Discord, Google) that sign somebody in here: seen, connected, disconnected.

Connecting itself is allauth's; `adapter.py` says who may. The mail address of an account always
signs in besides, so nobody depends on a provider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers import registry
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from oasst.accounts.models import User
from oasst.lib.errors import DomainError


class OnlyWayIn(DomainError):
    """The address of the account was never proven."""

    code, status = "only_way_in", 409
    default_message = _(
        "This is the only way into your account that we have seen working. Sign in by e-mail once "
        "with the address of your account, then disconnect."
    )


@dataclass(frozen=True)
class Identity:
    """One account elsewhere that is connected."""

    id: int
    provider: str
    name: str


def providers(request: HttpRequest) -> list[Any]:
    """The providers that the operator has set up."""
    return list(get_adapter().list_providers(request))


def of(request: HttpRequest, user: User) -> list[Identity]:
    """What is connected with `user`, as the provider calls it."""
    names = {provider.id: provider.name for provider in providers(request)}
    rows = SocialAccount.objects.filter(user=user).order_by("provider", "pk")
    return [
        Identity(
            id=row.pk,
            provider=names.get(row.provider, row.provider),
            name=_name(row),
        )
        for row in rows
    ]


@transaction.atomic
def disconnect(user: User, identity_id: int) -> None:
    """Take an account elsewhere off `user`, with what only it vouched for. Raises OnlyWayIn."""
    rows = SocialAccount.objects.select_for_update().filter(user=user)
    row = rows.filter(pk=identity_id).first()
    if row is None:
        return
    addresses = EmailAddress.objects.filter(user=user)
    is_proven = addresses.filter(email=user.email, verified=True).exists()
    if not is_proven and not rows.exclude(pk=row.pk).exists():
        raise OnlyWayIn
    vouched_for = str(row.extra_data.get("email", "")).lower()
    row.delete()
    addresses.filter(email=vouched_for).exclude(email=user.email).delete()


def form_hosts() -> list[str]:
    """Where forms are sent on to, which form-action of the Content-Security-Policy covers."""
    names = settings.SOCIALACCOUNT_PROVIDERS
    urls = [registry.get_class(name).oauth2_adapter_class.authorize_url for name in names]
    return [f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, urls)]


def _name(row: SocialAccount) -> str:
    told = row.extra_data
    return str(told.get("global_name") or told.get("username") or told.get("email") or row.uid)
