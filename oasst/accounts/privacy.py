"""What accounts holds about a person: handed out (`collect`) and taken away (`erase`)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db.models import Manager, QuerySet

from oasst.accounts import people, tokens
from oasst.accounts.models import User

ACCOUNT_FIELDS = (
    "id",
    "email",
    "display_name",
    "ui_language",
    "contribution_languages",
    "theme",
    "shortcuts_enabled",
    "time_zone",
    "on_leaderboard",
    "is_active",
    "is_staff",
    "muted_until",
    "tos_version",
    "tos_accepted_at",
    "date_joined",
    "last_login",
)


# section → (rows, the path from a row to its person, the columns that say something)
Sections = Mapping[str, tuple[Manager | QuerySet, str, str]]


def rows_of(user: User, sections: Sections) -> dict[str, Iterable[dict[str, Any]]]:
    """Section → a person's rows of plain values, streamed; oldest first where rows are numbered."""
    return {
        section: rows.filter(**{owner: user.pk})
        .order_by("pk")
        .values(*columns.split())
        .iterator(chunk_size=500)
        for section, (rows, owner, columns) in sections.items()
    }


def collect(user: User) -> dict[str, Iterable[dict[str, Any]]]:
    """Section → rows of plain values. Moderators' notes are about the work of others: not in it."""
    account = {name: getattr(user, name) for name in ACCOUNT_FIELDS}
    account["groups"] = list(user.groups.values_list("name", flat=True))
    addresses = EmailAddress.objects.filter(user=user)
    social = SocialAccount.objects.filter(user=user)
    return {
        "account": [account],
        "email_addresses": addresses.values("email", "verified", "primary").iterator(),
        "connected_accounts": social.values(
            "provider", "uid", "date_joined", "last_login", "extra_data"
        ).iterator(),
        # What a token is for and when it was used; the key itself, nobody has.
        "api_tokens": tokens.of(user)
        .values("id", "name", "hint", "scopes", "created_at", "expires_at", "last_used_at")
        .iterator(),
        "second_factors": Authenticator.objects.filter(user=user)
        .values("type", "created_at", "last_used_at")
        .iterator(),
        "signed_in_devices": user.open_sessions.values(
            "device", "signed_in_at", "last_used_on"
        ).iterator(),
        "saved_views": user.saved_views.values("list_name", "name", "query", "saved_at").iterator(),
    }


def erase(user: User, *, now: datetime) -> None:
    people.anonymise(user, now=now)
