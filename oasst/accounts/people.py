"""What happens to accounts: found or made for a proven address, renamed, addressed anew, erased.

allauth's EmailAddress rows are kept equal to `User.email` here and nowhere else.
"""

from __future__ import annotations

import logging
from datetime import datetime
from urllib.parse import quote_plus

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from oasst.accounts import magic_link, sessions
from oasst.accounts.models import ApiToken, EmailCode, SavedView, User
from oasst.lib import page_language, queue
from oasst.lib.errors import DomainError

logger = logging.getLogger(__name__)

DELETED_DOMAIN = "@deleted.invalid"


class AddressTaken(DomainError):
    code, status = "address_taken", 409
    default_message = _(
        "Another account uses this address by now. Sign in with it, or choose another address."
    )


class AccountGone(DomainError):
    code, status = "account_gone", 410
    default_message = _("The account that asked for this was deleted or blocked.")


class TermsNotAccepted(DomainError):
    code, status = "terms_not_accepted", 403
    default_message = _(
        "The terms of use have changed. Load any page of the site to read and accept them."
    )


@transaction.atomic
def find_or_create(email: str) -> tuple[User, bool]:
    """The account of an address its owner has just proven, and whether it is new."""
    user = find(email)
    if user is not None:
        if user.email == email:
            set_address(user, email)
        return user, False
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, ui_language=page_language.current())
    except IntegrityError:  # two links of one new person, redeemed at the same moment
        return User.objects.get(email=email), False
    set_address(user, email)
    logger.info("account %s was created", user.pk)
    return user, True


def find(email: str) -> User | None:
    """The account that signs in with `email`: its own address, or one a provider has verified."""
    email = email.lower()
    user = User.objects.filter(email=email).first()
    if user is not None:
        return user
    verified = EmailAddress.objects.filter(email=email, verified=True).select_related("user")
    return next((address.user for address in verified), None)


@transaction.atomic
def set_address(user: User, email: str) -> None:
    """Make `email` the verified, primary address of `user`, for us and for allauth."""
    if user.email != email:
        user.email = email
        user.save(update_fields=["email"])
    EmailAddress.objects.filter(user=user, primary=True).exclude(email=email).update(primary=False)
    # Whoever has just proven an address owns it.
    EmailAddress.objects.filter(email=email).exclude(user=user).delete()
    EmailAddress.objects.update_or_create(
        user=user, email=email, defaults={"verified": True, "primary": True}
    )


@transaction.atomic
def change_address(asked: EmailCode, *, now: datetime) -> tuple[User, str]:
    """Carry out a confirmed change of address. Returns the person and the old address.

    Every open sign-in mail to either address becomes useless. Raises AddressTaken, AccountGone.
    """
    assert asked.user_id is not None  # a constraint of the table
    user = User.objects.select_for_update().get(pk=asked.user_id)
    if not user.is_active:
        raise AccountGone
    other = find(asked.email)
    if other is not None and other.pk != user.pk:
        raise AddressTaken
    old = user.email
    EmailAddress.objects.filter(user=user).delete()
    try:
        with transaction.atomic():
            set_address(user, asked.email)
    except IntegrityError as error:  # another account took it at this very moment
        raise AddressTaken from error
    magic_link.void([old, asked.email], now=now)
    logger.info("account %s changed its address", user.pk)
    return user, old


def take_over_address(source: User, into: User) -> None:
    """Let the address of `source` sign in as `into`, too, besides the primary one."""
    EmailAddress.objects.filter(email=source.email).delete()
    EmailAddress.objects.create(user=into, email=source.email, verified=True, primary=False)


def accept_terms(user: User, *, now: datetime) -> None:
    """Write down that `user` agrees to the current terms."""
    user.tos_version, user.tos_accepted_at = settings.TOS_VERSION, now
    user.save(update_fields=["tos_version", "tos_accepted_at"])


def has_accepted_terms(user: User) -> bool:
    return user.tos_version == settings.TOS_VERSION


def require_terms(user: User) -> None:
    """Raise TermsNotAccepted."""
    if not has_accepted_terms(user):
        raise TermsNotAccepted


@transaction.atomic
def end_all_sessions(user: User, *, now: datetime) -> None:
    """Sign `user` out on every device and make open links useless; also for bans."""
    user.session_epoch += 1
    user.save(update_fields=["session_epoch"])
    sessions.end_all(user)
    magic_link.void([user.email], now=now)
    logger.info("account %s was signed out everywhere", user.pk)


def close(user: User, *, now: datetime, erases_texts: bool = False) -> None:
    """Begin a deletion: from now on nobody can sign in, contribute or use a token as `user`.

    `anonymise` ends it. What was chosen about texts is kept for a deletion that breaks off.
    """
    user.erases_texts = user.erases_texts or erases_texts
    user.is_active, user.deleted_at = False, user.deleted_at or now
    user.session_epoch += 1
    user.save(update_fields=["is_active", "deleted_at", "session_epoch", "erases_texts"])
    sessions.end_all(user)


def being_deleted(before: datetime) -> QuerySet[User]:
    """Accounts that were closed `before` then and whose deletion has not come to its end."""
    return User.objects.filter(deleted_at__lt=before).exclude(email__endswith=DELETED_DOMAIN)


@transaction.atomic
def anonymise(user: User, *, now: datetime) -> None:
    """Take everything personal out of the row and keep the row, so that messages have an author."""
    magic_link.void([user.email], now=now)
    EmailCode.objects.filter(email=user.email).delete()
    EmailCode.objects.filter(user=user).delete()
    addresses = EmailAddress.objects.filter(user=user)
    known = {user.email, *addresses.values_list("email", flat=True)}
    addresses.delete()
    SocialAccount.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    ApiToken.objects.filter(user=user).delete()
    SavedView.objects.filter(user=user).delete()
    # What an admin keeps searching for may be one of these very addresses.
    for email in known:
        SavedView.objects.filter(query__icontains=quote_plus(email)).delete()
    user.groups.clear()
    user.user_permissions.clear()
    blank(user, now=now)
    logger.info("account %s was deleted", user.pk)


def blank(user: User, *, now: datetime) -> None:
    """Take everything personal out of the row of a closed account, and nothing else."""
    user.email = f"{user.pk}{DELETED_DOMAIN}"
    user.display_name = user.notes = user.tos_version = ""
    user.tos_accepted_at = user.last_login = user.muted_until = user.held_since = None
    user.ui_language = User._meta.get_field("ui_language").get_default()
    user.time_zone = User._meta.get_field("time_zone").get_default()
    user.contribution_languages = []
    user.is_active = user.is_staff = user.is_superuser = False
    user.session_epoch += 1
    user.set_unusable_password()
    user.deleted_at = user.deleted_at or now
    user.save()


def count_days_anew(user: User) -> None:
    """Have a streak follow the time zone that somebody has now."""
    name = "leaderboard_app.jobs.refresh_streak"  # by name: it lives above
    queue.enqueue(name, str(user.pk), key=f"streak-{user.pk}")
