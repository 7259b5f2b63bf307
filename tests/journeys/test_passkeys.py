"""A passkey, made and used in a browser with a virtual authenticator."""

import re
from collections.abc import Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from oasst.accounts import people
from oasst.accounts.models import User
from tests.sessions import cookie_of

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """At `localhost`: passkeys belong to a name, never to an address."""
    context = browser.new_context(base_url=site.replace("127.0.0.1", "localhost"), locale="en-GB")
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    yield page
    context.close()


def test_a_passkey_is_made_and_signs_in_without_mail(page: Page, newcomer: str) -> None:
    user, _is_new = people.find_or_create(newcomer)
    User.objects.filter(pk=user.pk).update(tos_version=settings.TOS_VERSION)
    page.goto("/healthz")
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": cookie_of(user), "url": page.url}]
    )
    page.goto("/account/second-factor/passkeys/add/")
    page.get_by_label("Name").fill("My laptop")
    page.get_by_label("Let it sign me in").check()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")

    page.context.clear_cookies()
    page.goto("/accounts/login/?next=/account/second-factor/")
    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page).to_have_url(re.compile(r"/account/second-factor/$"))
    expect(page.get_by_role("link", name="Remove My laptop")).to_be_visible()
