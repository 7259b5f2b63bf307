"""Limits on sign-in: token buckets in PostgreSQL, because these must hold when Redis is away.

Keys are kept as salted hashes. Other limits (oasst.lib.ratelimit) live in Redis.
"""

from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from math import ceil

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from oasst.accounts.models import RateBucket
from oasst.lib.errors import DomainError

MAILS_PER_ADDRESS_AND_HOUR = 10
REQUESTS_PER_IP_AND_HOUR = 20
TRIES_PER_IP_AND_HOUR = 20
_HOUR_S = 3600


class TooMany(DomainError):
    """Somebody is over a limit; `retry_after_s` says for how long."""

    code, status = "too_many", 429

    def __init__(self, reason: str, retry_after_s: int) -> None:
        minutes = ceil(retry_after_s / 60)
        again = ngettext("Try again in %d minute.", "Try again in %d minutes.", minutes) % minutes
        super().__init__(f"{reason} {again}")
        self.retry_after_s = retry_after_s


def take_mail(email: str, *, now: datetime) -> None:
    """Count one mail to `email`. Raises TooMany."""
    wait_s = _take("mail", fold(email), per_hour=MAILS_PER_ADDRESS_AND_HOUR, now=now)
    if wait_s:
        reason = _("Many mails were sent to this address. The links in them work for 15 minutes.")
        raise TooMany(reason, wait_s)


def take_request(ip: str, *, now: datetime) -> None:
    """Count one asked-for mail from `ip`. Raises TooMany."""
    wait_s = _take("request", ip, per_hour=REQUESTS_PER_IP_AND_HOUR, now=now)
    if wait_s:
        raise TooMany(_("Many mails were asked for from your network."), wait_s)


def is_busy(*, now: datetime) -> bool:
    """Count one wish to sign in; True while there are more than `SIGN_INS_PER_HOUR` on the site."""
    return _take("site", "", per_hour=settings.SIGN_INS_PER_HOUR, now=now) > 0


def take_once(proof: str, *, now: datetime) -> bool:
    """Whether `proof` has not been used in the last hour; it has, from now on."""
    return _take("once", proof, per_hour=1, now=now) == 0


def take_try(ip: str, *, now: datetime) -> None:
    """Count one typed code or followed link from `ip`. Raises TooMany."""
    wait_s = _take("try", ip, per_hour=TRIES_PER_IP_AND_HOUR, now=now)
    if wait_s:
        raise TooMany(_("There were many attempts to sign in from your network."), wait_s)


def give_try_back(ip: str) -> None:
    """A try that succeeded does not count, so that a class room can sign in from one address."""
    with transaction.atomic():
        for bucket in RateBucket.objects.select_for_update().filter(key=key_of("try", ip)):
            bucket.tokens = min(TRIES_PER_IP_AND_HOUR, bucket.tokens + 1)
            bucket.save(update_fields=["tokens"])


def fold(email: str) -> str:
    """The mailbox behind an address: without dots and +tag, which many providers ignore."""
    local, _, domain = email.strip().lower().rpartition("@")
    return f"{local.split('+')[0].replace('.', '')}@{domain}"


def client_ip(request: HttpRequest) -> str:
    """The caller's address; an IPv6 caller counts by its /64 network.

    X-Forwarded-For is believed only for as many hops as there are proxies of our own
    (settings.TRUSTED_PROXY_COUNT): anybody can write what stands further left.
    """
    address = request.META.get("REMOTE_ADDR") or ""
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    hops = settings.TRUSTED_PROXY_COUNT
    if 0 < hops <= len(forwarded):
        address = forwarded[-hops].strip()
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else str(parsed)


def delete_idle(*, now: datetime) -> int:
    """Remove buckets that are full again. Returns how many."""
    idle = RateBucket.objects.filter(updated_at__lt=now - timedelta(seconds=_HOUR_S))
    return idle.delete()[0]


def _take(scope: str, key: str, *, per_hour: int, now: datetime) -> int:
    """Take one token. Returns 0, or the seconds until there is one."""
    hashed = key_of(scope, key)
    start = RateBucket(key=hashed, tokens=per_hour, updated_at=now)
    with transaction.atomic():
        RateBucket.objects.bulk_create([start], ignore_conflicts=True)
        bucket = RateBucket.objects.select_for_update().get(key=hashed)
        gained = (now - bucket.updated_at).total_seconds() * per_hour / _HOUR_S
        tokens = min(per_hour, bucket.tokens + max(0.0, gained))
        if tokens < 1:
            return ceil((1 - tokens) * _HOUR_S / per_hour)
        bucket.tokens, bucket.updated_at = tokens - 1, max(now, bucket.updated_at)
        bucket.save(update_fields=["tokens", "updated_at"])
    return 0


def key_of(scope: str, key: str) -> str:
    return salted_hmac("oasst.accounts.limits", f"{scope}:{key}", algorithm="sha256").hexdigest()
