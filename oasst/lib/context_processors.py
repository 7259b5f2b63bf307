"""What every template may use besides what its view gives it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from oasst.lib import request_id
from oasst.lib.theme import theme_of


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "site_name": settings.SITE_NAME,
        "announcement": settings.ANNOUNCEMENT,
        "theme": theme_of(request),
        "request_id": request_id.current(),
    }
