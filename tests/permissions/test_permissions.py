"""Who may open what: every route for everybody, by GET and by POST."""

from itertools import product

import pytest

from tests.permissions.routes import (
    API,
    OWN_TESTS,
    PROVIDER_PAGES,
    QUEUE_PAGES,
    UNNAMED,
    every_route,
    library_routes,
)
from tests.permissions.tables import CAST, OUTSIDERS, STAFF, chosen, desk_rows, every_day, page_rows
from tests.permissions.world import World, build

pytestmark = pytest.mark.slow


@pytest.fixture
def world(db: None) -> World:
    """Built once a table: the effects of every request are undone."""
    return build()


@every_day
def test_page_is_open_to_whom_the_table_says(
    world: World, everybody: bool, subtests: pytest.Subtests
) -> None:
    for number, row in enumerate(page_rows()):
        with subtests.test(row.request):
            outcomes = [*row.outcomes, row.outcomes[0]]
            expected = chosen((*CAST, "trudy"), outcomes, number, everybody=everybody)

            assert world.outcomes(tuple(expected), *row.request) == list(expected.values())


@every_day
def test_desk_is_open_to_staff_as_the_table_says(
    world: World, everybody: bool, subtests: pytest.Subtests
) -> None:
    for number, row in enumerate(desk_rows()):
        with subtests.test(row.request):
            outcomes = [*row.outcomes, *[">admin:login"] * len(OUTSIDERS)]
            expected = chosen((*STAFF, *OUTSIDERS), outcomes, number, everybody=everybody)

            assert world.outcomes(tuple(expected), *row.request) == list(expected.values())


def test_desk_lets_contributors_not_in_and_asks_visitors_to_sign_in(world: World) -> None:
    everybody = ("anon", "trudy", "alice", "max", "mona", "root")

    assert world.outcomes(everybody, "GET", "admin:login", "-") == [
        "login", "login", "403", "403", ">admin:index", ">admin:index",
    ]  # fmt: skip
    assert world.outcomes(everybody, "POST", "admin:logout", "-") == [
        *[">admin:index"] * 4, ">tasks:home", ">tasks:home",
    ]  # fmt: skip


def test_job_queue_is_open_to_admins_only(world: World, subtests: pytest.Subtests) -> None:
    for route, method in product(library_routes(QUEUE_PAGES), ("GET", "POST")):
        with subtests.test(f"{method} {route}"):
            request = (method, route, route)
            assert world.outcomes(OUTSIDERS, *request) == [">admin:login"] * len(OUTSIDERS)
            assert world.outcomes(("mona",), *request) == ["403"]
            assert world.outcomes(("root",), *request)[0] not in {"login", "403", "500"}


def test_pages_of_a_provider_that_is_not_set_up_do_not_exist(
    world: World, subtests: pytest.Subtests
) -> None:
    for route, method in product(library_routes(*PROVIDER_PAGES), ("GET", "POST")):
        with subtests.test(f"{method} {route}"):
            assert world.outcomes(("anon", "alice"), method, route, "-") == ["404", "404"]


@every_day
def test_method_without_a_row_is_not_allowed(
    world: World, everybody: bool, subtests: pytest.Subtests
) -> None:
    listed = {(row.route, row.method) for row in page_rows() + desk_rows()}
    for number, row in enumerate(page_rows() + desk_rows()):
        other = "POST" if row.method == "GET" else "GET"
        if (row.route, other) in listed:
            continue
        with subtests.test(f"{other} {row.route}"):
            people = CAST if row in page_rows() else STAFF
            asked = tuple(chosen(people, ["405"] * len(people), number, everybody=everybody))
            assert world.outcomes(asked, other, row.route, row.of) == ["405"] * len(asked)


def test_every_route_has_a_row() -> None:
    listed = {row.route for row in page_rows() + desk_rows()}
    libraries = set(library_routes(QUEUE_PAGES, *PROVIDER_PAGES, *API)) | OWN_TESTS
    routes = {name for _path, name in every_route() if name and not name.endswith(":")}

    assert routes - libraries - listed == set()
    assert listed - routes == set()


def test_route_without_a_name_is_one_of_the_admins_own() -> None:
    unnamed = [path for path, name in every_route() if not name or name.endswith(":")]

    assert [path for path in unnamed if not UNNAMED.fullmatch(path)] == []
