"""Where `next=` may lead: to pages of this site and nowhere else."""

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

MAX_LENGTH = 500


def safe_path(url: str | None) -> str:
    """`url` if it is a path of this site, else an empty string."""
    if not url or len(url) > MAX_LENGTH or not url.startswith("/") or not url.isprintable():
        return ""
    return url if url_has_allowed_host_and_scheme(url, allowed_hosts=None) else ""


def wanted_path(request: HttpRequest) -> str:
    """The page this request names as the next one, if it is one of ours."""
    return safe_path(request.POST.get("next") or request.GET.get("next"))


def after_sign_in(next_url: str) -> str:
    return next_url or resolve_url(settings.LOGIN_REDIRECT_URL)
