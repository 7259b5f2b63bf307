"""What a request reads once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts.models import User
from oasst.lib import per_request
from tasks_app import config
from tasks_app.config import TreeConfig
from tests.sessions import SignIn


def test_within_a_request_it_is_read_once_and_outside_each_time() -> None:
    read: list[int] = []

    def count() -> int:
        read.append(1)
        return len(read)

    assert [per_request.once("n", count) for _ in range(2)] == [1, 2]
    for first in (3, 4):
        with per_request.remembering():
            assert [per_request.once("n", count) for _ in range(3)] == [first] * 3


def test_what_is_forgotten_is_read_again() -> None:
    with per_request.remembering():
        assert per_request.once("n", lambda: 1) == 1
        per_request.forget("n")
        assert per_request.once("n", lambda: 2) == 2


@pytest.mark.django_db
def test_a_page_asks_for_the_rules_once(sign_in: SignIn, alice: User) -> None:
    web = sign_in(alice)

    with CaptureQueriesContext(connection) as queries:
        assert web.get("/dashboard/").status_code == 200

    assert sum("configchange" in each["sql"] for each in queries) == 1


@pytest.mark.django_db
def test_whoever_changes_a_rule_sees_it_at_once(alice: User) -> None:
    with per_request.remembering():
        before = TreeConfig.current().goal_tree_size
        config.change("goal_tree_size", before + 1, actor=alice, reason="More", now=timezone.now())

        assert TreeConfig.current().goal_tree_size == before + 1
