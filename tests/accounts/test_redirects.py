"""`next=` leads to pages of this site and nowhere else."""

import pytest
from django.test import Client

from oasst.accounts.models import User
from oasst.accounts.redirects import safe_path
from tests.accounts.conftest import Ask

pytestmark = pytest.mark.slow

ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    " https://evil.example",
    "https:///evil.example",
    "http://testserver/",
    "dashboard",
    "/" + "a" * 600,
    "\x00/",
    "/a\x00b",
    "/a\r\nSet-Cookie: x=1",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_safe_path_refuses_other_sites(url: str) -> None:
    assert safe_path(url) == ""


@pytest.mark.parametrize("url", ["/", "/tasks/?lang=de&x=1", "/messages/#a", "/a//b"])
def test_safe_path_keeps_own_pages(url: str) -> None:
    assert safe_path(url) == url


@pytest.mark.parametrize("url", ELSEWHERE)
def test_link_never_leads_elsewhere(client: Client, ask: Ask, url: str) -> None:
    sent = ask(client, next_url=url)

    assert client.post(sent.link)["Location"] == "/dashboard/"


@pytest.mark.parametrize("url", ELSEWHERE)
def test_signed_in_person_is_never_sent_elsewhere(client: Client, alice: User, url: str) -> None:
    client.force_login(alice)

    assert client.get("/accounts/login/", {"next": url})["Location"] == "/dashboard/"
