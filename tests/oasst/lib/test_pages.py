"""Pages that belong to no app, the theme, and the request's id."""

import logging

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from pytest_django import DjangoAssertNumQueries, Settings

from oasst.accounts.models import User
from oasst.lib import pages, request_id, theme


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


def without_database(request: HttpRequest) -> HttpResponse:
    raise OperationalError("on purpose")


# The routes of two tests below.
urlpatterns = [path("broken/", broken), path("away/", without_database)]
handler500 = "oasst.lib.pages.server_error"

TEXTS = ["/guidelines/", "/terms/", "/privacy/"]


@pytest.mark.parametrize("url", TEXTS)
def test_text_page_is_open_to_everybody(client: Client, url: str) -> None:
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("url", TEXTS)
def test_text_page_needs_no_query(
    client: Client, db: None, url: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.get(url)

    with django_assert_num_queries(0):
        client.get(url)


@pytest.mark.parametrize("url", TEXTS)
def test_page_has_no_inline_script_or_style(client: Client, url: str) -> None:
    html = client.get(url).content.decode()

    assert "<script>" not in html
    assert " style=" not in html
    assert " onclick=" not in html


def test_guidelines_have_a_section_for_each_kind_of_task(client: Client) -> None:
    html = client.get("/guidelines/").content.decode()

    for kind in ("initial_prompt", "prompter_reply", "assistant_reply", "label", "rank"):
        assert f'id="{kind}"' in html
        assert f'href="#{kind}"' in html


def test_unknown_address_says_so_with_the_request_id(client: Client) -> None:
    response = client.get("/no/such/page/")

    assert response.status_code == 404
    assert response.headers["X-Request-ID"] in response.content.decode()


def test_server_error_page_needs_neither_request_nor_database() -> None:
    response = pages.server_error(RequestFactory().get("/"))

    html = response.content.decode()
    assert response.status_code == 500
    assert "Something broke on our side" in html
    assert "<script" not in html


def test_server_error_names_the_request(client: Client, settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    client.raise_request_exception = False

    response = client.get("/broken/")

    assert response.status_code == 500
    assert response.headers["X-Request-ID"] in response.content.decode()


def test_database_that_is_away_asks_to_come_back(client: Client, settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    client.raise_request_exception = False

    response = client.get("/away/")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "30"
    assert "Back in a moment" in response.content.decode()


def test_too_many_requests_says_how_long_to_wait(rf: RequestFactory) -> None:
    request = rf.get("/tasks/")

    response = pages.too_many_requests(request, retry_after_s=42)

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "42"
    assert 'data-countdown="42"' in response.content.decode()


def test_form_without_its_seal_is_refused_with_advice(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/theme/", {"theme": "dark"})

    assert response.status_code == 403
    assert "too old to be sent" in response.content.decode()


def test_every_request_has_an_id_of_its_own(client: Client) -> None:
    first, second = (client.get("/terms/").headers["X-Request-ID"] for _ in range(2))

    assert len(first) == 12
    assert first != second


def test_log_line_outside_of_a_request_has_a_dash() -> None:
    record = logging.makeLogRecord({})

    assert request_id.AddRequestId().filter(record)
    assert hasattr(record, "request_id")


def test_visitor_keeps_a_theme_in_a_cookie(client: Client) -> None:
    client.post("/theme/", {"theme": "dark"})

    assert client.cookies["theme"].value == "dark"
    assert 'data-theme="dark"' in client.get("/terms/").content.decode()


def test_account_keeps_its_theme_on_every_device(client: Client, alice: User) -> None:
    client.force_login(alice)

    client.post("/theme/", {"theme": "light"})

    alice.refresh_from_db()
    assert alice.theme == theme.LIGHT
    client.cookies.pop("theme")
    assert 'data-theme="light"' in client.get("/terms/").content.decode()


@pytest.mark.parametrize("value", ["", "neon", '"><script>', "dark\x00"])
def test_unknown_theme_becomes_that_of_the_device(client: Client, value: str) -> None:
    client.post("/theme/", {"theme": value})

    assert client.cookies["theme"].value == "system"


def test_forged_theme_cookie_is_ignored(client: Client) -> None:
    client.cookies["theme"] = '"><script>'

    assert 'data-theme="system"' in client.get("/terms/").content.decode()


@pytest.mark.parametrize(
    ("page", "target"),
    [
        ("/tasks/?a=1", "/tasks/?a=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_theme_form_returns_to_pages_of_this_site_only(
    client: Client, page: str, target: str
) -> None:
    response = client.post("/theme/", {"theme": "dark", "next": page})

    assert response.headers["Location"] == target


def test_script_that_sets_the_theme_gets_an_empty_answer(client: Client) -> None:
    response = client.post("/theme/", {"theme": "dark"}, headers={"X-Requested-With": "fetch"})

    assert response.status_code == 204
    assert response.content == b""


def test_theme_is_not_changed_by_a_link(client: Client) -> None:
    assert client.get("/theme/").status_code == 405
