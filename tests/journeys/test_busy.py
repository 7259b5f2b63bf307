"""While very many people sign in, a browser proves its work by itself."""

import re
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Page

from oasst.accounts import limits
from oasst.accounts.models import RateBucket


def test_browser_solves_the_sum_and_the_mail_goes_out(page: Page, newcomer: str) -> None:
    later = timezone.now() + timedelta(hours=1)
    RateBucket.objects.create(key=limits.key_of("site", ""), tokens=0, updated_at=later)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    page.goto("/accounts/login/")
    page.get_by_label("E-mail address").fill(newcomer)
    page.get_by_role("button", name="Send me the mail").click()

    page.wait_for_url(re.compile("/accounts/login/sent/"), timeout=60_000)
    assert any("altcha=ey" in each for each in sent)
