"""One's own points and the leaderboards by the API."""

from typing import Any

import pytest
from django.utils import timezone

from leaderboard_app import boards
from oasst import privacy
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from tests.calling import Program, code_of, token_of
from tests.factories import crowd
from tests.leaderboard_app import given

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(alice: User) -> Program:
    return Program(token_of(alice))


def test_person_behind_the_token_is_told(program: Program, alice: User) -> None:
    given.scored(alice, now=timezone.now())

    me = program.get("/me")

    assert (me["name"], me["email"], me["languages"]) == ("Alice", alice.email, ["en"])
    assert (me["is_moderator"], me["may_contribute"]) == (False, True)
    assert float(me["standing"]["score"]) > 0
    assert {"held_since", "notes"} & set(me) == set()
    assert "welcome" in [badge["code"] for badge in me["standing"]["badges"]]


def test_person_who_is_held_back_is_not_told(program: Program, alice: User) -> None:
    before = program.get("/me")

    User.objects.filter(pk=alice.pk).update(held_since=timezone.now(), notes="A troll.")

    assert program.get("/me") == before


def test_ledger_is_listed_page_by_page(
    program: Program, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "ENTRIES", 1)
    entries = [given.scored(user, now=timezone.now()) for user in (alice, alice, bob)]

    first = program.get("/me/points")
    second = program.get(f"/me/points?after={first['next'].replace('+', '%2B')}")

    assert [page["items"][0]["at"] for page in (first, second)] == [
        entries[n].at.isoformat().replace("+00:00", "Z")[:23] + "Z" for n in (1, 0)
    ]
    assert second["next"] is None
    assert program.get("/me/points?state=reversed")["items"] == []
    assert first["items"][0]["explanation"]


def test_ledger_costs_the_same_for_many(
    program: Program, alice: User, django_assert_num_queries: Any
) -> None:
    program.get("/me/points")
    for count in (1, 2):
        given.scored(alice, now=timezone.now())
        with django_assert_num_queries(2):  # the token, the entries
            assert len(program.get("/me/points")["items"]) == count


def test_board_shows_names_and_ones_own_place(program: Program, alice: User, bob: User) -> None:
    now = timezone.now()
    for user in (alice, bob):
        given.scored(user, now=now)

    board = program.get("/leaderboards/week")

    assert sorted(each["name"] for each in board["items"]) == ["Alice", "Bob"]
    assert [each["name"] for each in board["items"] if each["is_own"]] == ["Alice"]
    assert program.get("/leaderboards/week?lang=de")["items"] == []
    assert board["next"] is None


def test_board_costs_the_same_for_many(
    program: Program, alice: User, django_assert_max_num_queries: Any
) -> None:
    now = timezone.now()
    program.get("/leaderboards/week")
    for number in (1, 3):
        for user in [alice, *crowd(number - 1)]:
            given.scored(user, now=now)
        with django_assert_max_num_queries(8):
            assert len(program.get("/leaderboards/week")["items"]) == number


@pytest.mark.parametrize(
    "path",
    [
        "/leaderboards/year",
        "/leaderboards/week?after=x",
        "/leaderboards/week?after=NaN,1",
        "/leaderboards/week?lang=xx",
        "/me/points?after=1",
        "/me/points?after=9999-99-99,1",
        "/me/points?state=x",
    ],
)
def test_bad_question_is_refused(program: Program, path: str) -> None:
    assert code_of(program.call("get", path)) == (422, "invalid")


def test_export_is_that_of_the_account_page(program: Program, web: Any) -> None:
    exported = program.client.get("/api/v1/me/export")

    body, page = exported.getvalue(), web.get("/account/data/").getvalue()
    assert "attachment" in exported["Content-Disposition"]
    assert body.count(b"\n") == page.count(b"\n")
    assert b"alice@example.org" in body


def test_exports_have_the_limit_of_the_page(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "DOWNLOADS_PER_HOUR", 1)

    answers = [program.call("get", "/me/export") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[1]["Retry-After"]) > 0


@pytest.mark.parametrize("path", ["/me", "/me/points", "/me/export", "/leaderboards/week"])
def test_token_is_needed_and_its_scope(alice: User, path: str) -> None:
    right = Scope.READ_TASKS if path.startswith("/leader") else Scope.READ_ACCOUNT
    narrow = Program(token_of(alice, *(scope for scope in Scope if scope != right)))

    assert code_of(Program("").call("get", path)) == (401, "token_missing")
    assert code_of(narrow.call("get", path)) == (403, "scope_missing")
