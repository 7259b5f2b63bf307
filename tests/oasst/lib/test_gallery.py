"""`/dev/components/` shows every component there is."""

import pytest
from django.conf import settings as site
from django.test import Client
from pytest_django.fixtures import Settings

from oasst.accounts.models import User

# Of the landing page, and of pages that hold nothing else.
OF_OTHER_PAGES = {"_search_words.html", "error.html", "landing_counts.html", "ways_out.html"}


@pytest.mark.django_db
def test_page_shows_every_component(client: Client, settings: Settings, alice: User) -> None:
    settings.DEBUG = True
    client.force_login(alice)

    page = client.get("/dev/components/")

    shown = {template.name for template in page.templates}
    there_are = {path.name for path in (site.BASE_DIR / "templates" / "components").iterdir()}
    assert page.status_code == 200
    assert {name for name in there_are if f"components/{name}" not in shown} == OF_OTHER_PAGES


@pytest.mark.django_db
def test_it_does_not_exist_in_production(client: Client) -> None:
    assert client.get("/dev/components/").status_code == 404
