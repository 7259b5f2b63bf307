"""Who may do what by the API: every operation for everybody, with a token of the right scope, of
all other scopes, and without one."""

import re
from typing import Any, NamedTuple

import pytest
from django.test import Client

from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from tests.calling import Program, token_of
from tests.permissions.tables import chosen, every_day
from tests.permissions.world import World, build
from tests.undoing import undone

pytestmark = pytest.mark.slow
CAST = ("alice", "bob", "max", "mona", "trudy")

# The message is Alice's, the review hers to do. Max is muted, Mona moderates, Trudy is banned.
TABLE = """
# method path                                         of       scope        alice bob max mona trudy
GET    /me/export                                   -        account:read 200   200 200 200  401
GET    /tasks/available                             -        tasks:read   200   200 200 200  401
GET    /tasks                                       -        tasks:read   200   200 200 200  401
GET    /tasks/kept                                  -        tasks:read     200 200 200  200 401
POST   /tasks/next                                  -        tasks:write  200   200 403 200  401
GET    /tasks/{task}                                review   tasks:read   200   404 404 404  401
GET    /tasks/{task}                                maxs     tasks:read   404   404 200 404  401
PUT    /tasks/{task}/draft                          review   tasks:write  200   404 404 404  401
PUT    /tasks/{task}/draft                          maxs     tasks:write  404   404 403 404  401
DELETE /tasks/{task}/draft                          review   tasks:write    204 404 404  404 401
DELETE /tasks/{task}/draft                          maxs     tasks:write    404 404 204  404 401
POST   /tasks/{task}/reclaim                        review   tasks:write    200 404 404  404 401
POST   /tasks/{task}/reclaim                        maxs     tasks:write    404 404 403  404 401
POST   /tasks/{task}/extend                         review   tasks:write  200   404 403 404  401
POST   /tasks/{task}/extend                         maxs     tasks:write  404   404 403 404  401
POST   /tasks/{task}/skip                           review   tasks:write  204   404 403 404  401
POST   /tasks/{task}/skip                           maxs     tasks:write  404   404 403 404  401
POST   /tasks/{task}/reply                          review   tasks:write  400   404 403 404  401
POST   /tasks/{task}/reply                          maxs     tasks:write  404   404 403 404  401
POST   /tasks/{task}/labels                         review   tasks:write  200   404 404 404  401
POST   /tasks/{task}/labels                         maxs     tasks:write  404   404 403 404  401
POST   /tasks/{task}/ranking                        review   tasks:write  400   404 403 404  401
POST   /tasks/{task}/ranking                        maxs     tasks:write  404   404 403 404  401
POST   /tasks/{task}/undo                           review   tasks:write  200   404 403 404  401
POST   /tasks/{task}/undo                           maxs     tasks:write  404   404 403 404  401
GET    /messages                                    -        tasks:read   200   200 200 200  401
GET    /messages/{message}                          message  tasks:read   200   200 200 200  401
GET    /messages/{message}                          refused  tasks:read   200   200 200 200  401
GET    /messages/{message}                          removed  tasks:read   200   200 200 200  401
PATCH  /messages/{message}                          mine     tasks:write  200   404 404 404  401
PATCH  /messages/{message}                          message  tasks:write  409   404 404 404  401
GET    /messages/{message}/thread                   message  tasks:read   200   200 200 200  401
GET    /messages/{message}/tree                     message  tasks:read   200   200 200 200  401
GET    /trees/{tree}                                tree     tasks:read   200   200 200 200  401
PUT    /trees/{tree}/follow                         tree     tasks:write  204   204 204 204  401
DELETE /trees/{tree}/follow                         tree     tasks:write  204   204 204 204  401
PUT    /messages/{message}/reactions/clap           message  tasks:write  200   200 403 200  401
PUT    /messages/{message}/reactions/clap           refused  tasks:write  200   404 404 200  401
PUT    /messages/{message}/reactions/clap           removed  tasks:write  404   404 404 404  401
DELETE /messages/{message}/reactions/clap           message  tasks:write  200   200 403 200  401
DELETE /messages/{message}/reactions/clap           refused  tasks:write  200   404 404 200  401
DELETE /messages/{message}/reactions/clap           removed  tasks:write  404   404 404 404  401
POST   /messages/{message}/report                   message  tasks:write  204   204 403 204  401
POST   /messages/{message}/report                   refused  tasks:write  204   404 404 204  401
POST   /messages/{message}/report                   removed  tasks:write  404   404 404 404  401
GET    /messages/{message}/labels                   message  tasks:read   200   200 200 200  401
GET    /messages/{message}/labels                   refused  tasks:read   200   404 404 200  401
GET    /messages/{message}/labels                   removed  tasks:read   404   404 404 404  401
PUT    /messages/{message}/labels                   message  tasks:write  204   204 403 204  401
PUT    /messages/{message}/labels                   refused  tasks:write  204   404 404 204  401
PUT    /messages/{message}/labels                   removed  tasks:write  404   404 404 404  401
GET    /me/contributions                            -        account:read 200   200 200 200  401
GET    /me                                          -        account:read 200   200 200 200  401
GET    /me/points                                   -        account:read 200   200 200 200  401
GET    /leaderboards/week                           -        tasks:read   200   200 200 200  401
GET    /models                                      -        chats:read   200   200 200 200  401
GET    /chats                                       -        chats:read   200   200 200 200  401
POST   /chats                                       -        chats:write  201   201 201 201  401
GET    /chats/{chat}                                chat     chats:read   200   404 404 404  401
PATCH  /chats/{chat}                                chat     chats:write  200   404 404 404  401
DELETE /chats/{chat}                                chat     chats:write  204   404 404 404  401
GET    /chats/{chat}/export                         chat     chats:read   200   404 404 404  401
POST   /chats/{chat}/messages                       chat     chats:write  202   404 404 404  401
GET    /chats/{chat}/messages/{message}             reply    chats:read   200   404 404 404  401
POST   /chats/{chat}/messages/{message}/regenerate  reply    chats:write  202   404 404 404  401
POST   /chats/{chat}/messages/{message}/continue    reply    chats:write  409   404 404 404  401
POST   /chats/{chat}/messages/{message}/stop        reply    chats:write  200   404 404 404  401
POST   /chats/{chat}/messages/{message}/choose      reply    chats:write  400   404 404 404  401
PUT    /chats/{chat}/messages/{message}/vote        reply    chats:write  200   404 404 404  401
DELETE /chats/{chat}/messages/{message}/vote        reply    chats:write  204   404 404 404  401
POST   /chats/{chat}/messages/{message}/report      reply    chats:write  204   404 404 404  401
"""

BODIES: dict[str, Any] = {
    "/tasks/next": {},
    "/draft": {"labels": {"spam": 0}},
    "/skip": {},
    "/reply": {"text": "Hello"},
    "/labels": {"labels": {"spam": 0}},
    "/ranking": {"not_rankable": "all_bad"},
    "/report": {"category": "spam"},
    "/chats": {},
    "/messages": {"text": "Hello"},
    "/regenerate": {"count": 1},
    "/vote": {"value": 1},
}
CHAT_REPORT = {"kind": "offensive"}


class Row(NamedTuple):
    """A line of the table."""

    method: str
    path: str
    of: str
    scope: Scope
    outcomes: list[int]


def rows() -> list[Row]:
    lines = [line.split() for line in TABLE.splitlines() if line and line[0] != "#"]
    return [
        Row(method, path.replace("}", "_id}"), of, Scope(scope), [int(each) for each in found])
        for method, path, of, scope, *found in lines
    ]


def body_of(row: Row) -> Any:
    if row.method in ("GET", "DELETE"):
        return None
    if row.path == "/chats/{chat_id}":
        return {"title": "Sky"}
    if row.method == "PATCH":
        return {"text": "Other words."}
    if row.path.startswith("/chats/") and row.path.endswith("/report"):
        return CHAT_REPORT
    return next((body for end, body in BODIES.items() if row.path.endswith(end)), None)


@pytest.fixture
def world(db: None) -> World:
    """Built once: the effects of every request are undone."""
    return build()


def ask(world: World, key: str, row: Row) -> int:
    path = row.path.format(**world.arguments.get(row.of, {}))
    with undone():
        return Program(key).call(row.method.lower(), path, body_of(row)).status_code


def keys(scope: Scope) -> tuple[list[str], str]:
    """Tokens of the cast with the scope, and one of Alice's with every other."""
    people = [User.objects.get(email=f"{name}@example.org") for name in CAST]
    others = [each for each in Scope if each != scope]
    return [token_of(user, scope) for user in people], token_of(people[0], *others)


@every_day
def test_operation_is_open_to_whom_the_table_says(
    world: World, everybody: bool, subtests: pytest.Subtests
) -> None:
    made = {scope: keys(scope) for scope in Scope}
    for number, row in enumerate(rows()):
        with subtests.test(f"{row.method} {row.path} {row.of}"):
            right, narrow = made[row.scope]
            expected = chosen(right, row.outcomes, number, everybody=everybody)

            assert {key: ask(world, key, row) for key in expected} == expected
            assert [ask(world, key, row) for key in ("", "oasst_guess", narrow)] == [401, 401, 403]


def test_every_operation_has_a_row(client: Client, db: None) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    operations = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in paths.items()
        for method in methods
    }
    listed = {f"{row.method} {_generic(row.path)}" for row in rows()}

    assert operations == listed


def _generic(path: str) -> str:
    """A path with its fixed words as the parameters that they are."""
    return re.sub(r"/leaderboards/\w+$", "/leaderboards/{frame}",
                  re.sub(r"/reactions/\w+$", "/reactions/{code}", path))  # fmt: skip
