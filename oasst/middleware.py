"""What the admin needs around every request: a policy its scripts can live with, sound addresses.

Everything else gets the strict Content-Security-Policy.
"""

from collections.abc import Callable

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from oasst.accounts import identities

ADMIN_PREFIX = "/admin/"
# The buttons of providers post to us and are sent on.
PROVIDER_PREFIXES = ("/account/", "/accounts/")
# Unfold builds on Alpine.js, which evaluates expressions in attributes and sets styles inline.
ADMIN_POLICY = {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}


class ContentSecurityPolicy(CSPMiddleware):
    """django-csp's middleware with policies for `/admin/`, for accounts, and for all else."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(ADMIN_PREFIX) and not report_only:
            parts.replace = {**ADMIN_POLICY, **(parts.replace or {})}
        if request.path_info.startswith(PROVIDER_PREFIXES) and not report_only:
            parts.update = {"form-action": identities.form_hosts(), **(parts.update or {})}
        return parts


def refuse_null_characters(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Answer 400 to NUL in the admin's filters, which would hand it to the database."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(ADMIN_PREFIX) and "%00" in request.META["QUERY_STRING"]:
            raise BadRequest
        return get_response(request)

    return middleware
