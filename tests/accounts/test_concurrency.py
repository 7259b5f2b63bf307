"""Two clicks at the same moment, on a real database with real threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from oasst.accounts import jobs, magic_link
from oasst.accounts.enums import CodePurpose
from oasst.accounts.models import EmailCode, OpenSession, User
from tests.accounts.conftest import user_id

pytestmark = pytest.mark.django_db(transaction=True)


def link_to(email: str) -> str:
    asked = magic_link.prepare(email, CodePurpose.SIGN_IN, now=timezone.now())
    made = magic_link.issue(asked, now=timezone.now())
    return jobs.link_for(asked, made.token).removeprefix("http://localhost:8000")


def at_once(acts: list[Callable[[], int]]) -> list[int]:
    barrier = Barrier(len(acts))

    def run(act: Callable[[], int]) -> int:
        try:
            barrier.wait(timeout=20)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_one_link_pressed_many_times_gives_one_session_and_one_account() -> None:
    link = link_to("alice@example.org")
    browsers = [Client() for _ in range(6)]

    statuses = at_once([lambda b=b: b.post(link).status_code for b in browsers])

    assert sorted(statuses) == [302] + [410] * 5
    assert User.objects.count() == 1
    assert sum(user_id(browser) is not None for browser in browsers) == 1
    assert sum("_auth_user_id" in s.get_decoded() for s in OpenSession.objects.all()) == 1


def test_several_links_of_one_newcomer_make_one_account() -> None:
    links = [link_to("alice@example.org") for _ in range(4)]

    statuses = at_once([lambda link=link: Client().post(link).status_code for link in links])

    assert set(statuses) <= {302, 410}
    assert 302 in statuses
    assert User.objects.count() == 1
    assert User.objects.get().emailaddress_set.count() == 1


def test_parallel_guesses_do_not_get_more_tries() -> None:
    asked = magic_link.prepare("alice@example.org", CodePurpose.SIGN_IN, now=timezone.now())
    right = magic_link.issue(asked, now=timezone.now()).code
    wrong = "000000" if right != "000000" else "111111"

    def guess() -> int:
        try:
            magic_link.redeem_code([asked.pk], wrong, CodePurpose.SIGN_IN, now=timezone.now())
        except magic_link.CodeLocked:
            return 429
        except magic_link.CodeWrong:
            return 400
        return 302

    answers = at_once([guess] * 8)

    assert answers.count(400) == magic_link.MOST_WRONG_CODES - 1
    assert EmailCode.objects.get().wrong_codes == magic_link.MOST_WRONG_CODES
