"""Every route of the site, and those of libraries, which are tested as groups."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLResolver, get_resolver

# Pages of libraries, tested as groups: their route names begin so.
QUEUE_PAGES = "django_rq:"
PROVIDER_PAGES = ("discord_", "google_")
# For programs with tokens: test_api.py, and tests/chat_app/api for OpenAI's.
API = ("api:", "openai:")
# Routes without a name: the admin's old addresses of rows, and its answer to everything else.
UNNAMED = re.compile(r"admin/(\w+/\w+/<path:object_id>/|\(\?P<url>\.\*\)\$)")
# Leads to our own sign-in; its cases differ from all others and have a test of their own.
OWN_TESTS = {"admin:login", "admin:logout"}


def every_route() -> Iterator[tuple[str, str]]:
    """Path pattern and full name of every route."""
    return _walk(get_resolver().url_patterns)


def _walk(patterns: Any, path: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        here = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _walk(pattern.url_patterns, here, inner)
        else:
            yield here, space + (pattern.name or "")


def library_routes(*prefixes: str) -> list[str]:
    return [name for _path, name in every_route() if name.startswith(prefixes)]
