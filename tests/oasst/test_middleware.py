"""The Content-Security-Policy: strict for our pages, what unfold needs in the admin."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def policy(client: Client, path: str) -> dict[str, str]:
    header = client.get(path, follow=False).headers["Content-Security-Policy"]
    parts = (directive.strip().partition(" ") for directive in header.split(";"))
    return {name: sources for name, _, sources in parts}


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/no-such-page/"])
def test_our_pages_allow_nothing_inline_and_nobody_else(client: Client, path: str) -> None:
    directives = policy(client, path)

    assert directives["default-src"] == "'self'"
    assert directives["script-src"] == "'self'"
    assert directives["style-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["object-src"] == "'none'"
    assert directives["base-uri"] == "'none'"


def test_admin_pages_allow_what_unfold_needs_but_no_inline_script(client: Client) -> None:
    directives = policy(client, "/admin/")

    assert directives["script-src"] == "'self' 'unsafe-eval'"
    assert directives["style-src"] == "'self' 'unsafe-inline'"
    assert directives["default-src"] == "'self'"
