"""Who may open what: every route for everybody, by GET and by POST.

Each row of a table is a route with what its arguments stand for, a method, and one outcome a
person: a status, `login` (asked to sign in), or `go` (sent on to the route in the last column).
A method without a row is answered by 405. Trudy, who is banned, fares like a visitor everywhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model
from django.http import HttpResponse
from django.urls import URLResolver, get_resolver, resolve, reverse
from django.utils import timezone

from chat_app import conversations, sharing
from chat_app.models import Chat, ChatMessage
from oasst.accounts.models import User
from tasks_app import moderation, reactions
from tasks_app.config import change
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import ConfigChange, Contribution, Message, ModerationAction, Task
from tests import factories
from tests.chat_app import given
from tests.sessions import browser_of, cookie_of

# The message is Alice's, the review hers to do. Max is muted, Mona moderates, Root administrates.
PAGES = """
# route                       of       how  anon  alice bob   max   mona  root  go
tasks:home                    -        GET  200   go    go    go    go    go    tasks:dashboard
tasks:dashboard               -        GET  login 200   200   200   200   200
tasks:list                    -        GET  login 200   200   200   200   200
tasks:next                    random   GET  login go    go    403   go    go    tasks:work
tasks:next                    random   POST login go    go    403   go    go    tasks:work
tasks:next                    nonsense GET  login 404   404   404   404   404
tasks:work                    review   GET  login 200   404   404   404   404
tasks:work                    review   POST login go    404   404   404   404   tasks:next
tasks:work                    maxs     GET  login 404   404   200   404   404
tasks:work                    maxs     POST login 404   404   403   404   404
tasks:skip                    review   POST login go    404   404   404   404   tasks:next
tasks:undo                    review   POST login go    404   403   404   404   tasks:work
tasks:draft                   review   POST login go    404   404   404   404   tasks:work
tasks:discard                 review   GET  login 404   404   404   404   404
tasks:discard                 review   POST login go    404   404   404   404   tasks:contributions
tasks:heartbeat               review   POST login go    404   403   404   404   tasks:work
tasks:preview                 review   POST login 200   404   404   404   404
tasks:differences             review   GET  login 404   404   404   404   404
tasks:reclaim                 review   POST login go    404   404   404   404   tasks:work
tasks:messages                -        GET  login 200   200   200   200   200
tasks:message                 message  GET  login 200   200   200   200   200
tasks:message                 refused  GET  login 200   200   200   200   200
tasks:react                   message  GET  login 200   200   200   200   200
tasks:react                   message  POST login go    go    403   go    go    tasks:message
tasks:react                   refused  POST login go    404   404   go    go    tasks:message
tasks:react                   removed  POST login 404   404   404   404   404
tasks:report                  message  GET  login 200   200   200   200   200
tasks:report                  message  POST login go    go    403   go    go    tasks:message
tasks:report                  refused  GET  login 200   404   404   200   200
tasks:report                  refused  POST login go    404   404   go    go    tasks:message
tasks:report                  removed  GET  login 404   404   404   404   404
tasks:label                   message  GET  login 200   200   200   200   200
tasks:label                   message  POST login go    go    403   go    go    tasks:message
tasks:label                   refused  GET  login 200   404   404   200   200
tasks:label                   removed  POST login 404   404   404   404   404
tasks:tree                    tree     GET  login 200   200   200   200   200
tasks:contributions           -        GET  login 200   200   200   200   200
chat:list                     -        GET  login 200   200   200   200   200
chat:list                     -        POST login go    go    422   go    go    chat:chat
chat:settings                 -        GET  login 200   200   200   200   200
chat:settings                 -        POST login go    go    go    go    go    chat:settings
chat:models                   -        GET  200   200   200   200   200   200
chat:shared                   shared   GET  200   200   200   200   200   200
chat:chat                     chat     GET  login 200   404   404   404   404
chat:say                      chat     POST login go    404   404   404   404   chat:chat
chat:chat_settings            chat     GET  login 200   404   404   404   404
chat:chat_settings            chat     POST login go    404   404   404   404   chat:chat
chat:rename                   chat     GET  login 200   404   404   404   404
chat:rename                   chat     POST login go    404   404   404   404   chat:chat
chat:archive                  chat     POST login go    404   404   404   404   chat:chat
chat:delete                   chat     GET  login 200   404   404   404   404
chat:delete                   chat     POST login go    404   404   404   404   chat:list
chat:data_use                 chat     POST login go    404   404   404   404   chat:chat
chat:share                    chat     GET  login 200   404   404   404   404
chat:share                    chat     POST login go    404   404   404   404   chat:share
chat:export                   chat     GET  login 200   404   404   404   404
chat:message                  reply    GET  login 200   404   404   404   404
chat:regenerate               reply    POST login go    404   404   404   404   chat:chat
chat:continue                 reply    POST login 409   404   404   404   404
chat:stop                     reply    POST login go    404   404   404   404   chat:chat
chat:show                     reply    POST login go    404   404   404   404   chat:chat
chat:choose                   reply    POST login 400   404   404   404   404
chat:edit                     prompt   GET  login 200   404   404   404   404
chat:edit                     prompt   POST login go    404   404   404   404   chat:chat
chat:vote                     reply    POST login go    404   404   404   404   chat:chat
chat:report                   reply    GET  login 200   404   404   404   404
chat:report                   reply    POST login go    404   404   404   404   chat:chat
chat:offer                    reply    GET  login 409   404   404   404   404
chat:offer                    reply    POST login 409   404   404   404   404
site:guidelines               -        GET  200   200   200   200   200   200
site:guidelines               -        POST 200   200   200   200   200   200
site:terms                    -        GET  200   200   200   200   200   200
site:terms                    -        POST 200   200   200   200   200   200
site:privacy                  -        GET  200   200   200   200   200   200
site:privacy                  -        POST 200   200   200   200   200   200
site:set_theme                -        POST go    go    go    go    go    go    tasks:home
accounts:account              -        GET  login 200   200   200   200   200
accounts:account              -        POST login 400   400   400   400   400
accounts:welcome              -        GET  login go    go    go    go    go    tasks:dashboard
accounts:welcome              -        POST login 200   200   200   200   200
accounts:email                -        GET  login 200   200   200   200   200
accounts:email                -        POST login 200   200   200   200   200
accounts:email_code           -        GET  login 405   405   405   405   405
accounts:email_code           -        POST login go    go    go    go    go    accounts:email
accounts:email_link           unknown  GET  404   404   404   404   404   404
accounts:email_link           unknown  POST 404   404   404   404   404   404
accounts:end_sessions         -        GET  login 405   405   405   405   405
accounts:end_sessions         -        POST login login login login login login
accounts:tokens               -        GET  login 200   200   200   200   200
accounts:tokens               -        POST login 400   400   400   400   400
accounts:revoke_token         token    GET  login 405   405   405   405   405
accounts:revoke_token         token    POST login go    go    go    go    go    accounts:tokens
accounts:link                 unknown  GET  404   404   404   404   404   404
accounts:link                 unknown  POST 404   404   404   404   404   404
accounts:sent                 -        GET  login login login login login login
accounts:sent_state           -        GET  200   200   200   200   200   200
accounts:resend               -        POST login login login login login login
accounts:code                 -        POST login login login login login login
accounts:mailbox              -        GET  404   404   404   404   404   404
accounts:mailbox_mail         mail     GET  404   404   404   404   404   404
account_login                 -        GET  200   go    go    go    go    go    tasks:dashboard
account_login                 -        POST 200   go    go    go    go    go    tasks:dashboard
account_logout                -        GET  go    200   200   200   200   200   tasks:home
account_logout                -        POST go    go    go    go    go    go    tasks:home
account_inactive              -        GET  403   403   403   403   403   403
account_signup                -        GET  login login login login login login
account_signup                -        POST login login login login login login
socialaccount_login_cancelled -        GET  200   200   200   200   200   200
socialaccount_login_error     -        GET  200   200   200   200   200   200
privacy:download              -        GET  login 200   200   200   200   200
privacy:download              -        POST login 405   405   405   405   405
privacy:delete                -        GET  login 200   200   200   200   200
privacy:delete                -        POST login 400   400   400   400   400
healthz                       -        GET  200   200   200   200   200   200
healthz                       -        POST 200   200   200   200   200   200
readyz                        -        GET  200   200   200   200   200   200
readyz                        -        POST 200   200   200   200   200   200
"""

# The desk, all routes within `admin:`. Whoever is no staff is asked to sign in as somebody who is.
DESK = """
# route                           of               how  mona root go
index                             -                GET  200  200
index                             -                POST 200  200
search                            -                GET  200  200
search                            -                POST 200  200
app_list                          app              GET  200  200
app_list                          app              POST 200  200
autocomplete                      -                GET  403  403
jsi18n                            -                GET  200  200
view_on_site                      row              GET  404  404
view_on_site                      row              POST 404  404
password_change                   -                GET  200  200
password_change                   -                POST 200  200
password_change_done              -                GET  200  200
tasks_app_configchange_set        setting          GET  403  200
tasks_app_configchange_set        setting          POST 403  go   tasks_app_configchange_changelist
tasks_app_message_act             delete           GET  200  200
tasks_app_message_act             delete           POST go   go   tasks_app_message_change
tasks_app_messagetree_act         halt             GET  200  200
tasks_app_messagetree_act         halt             POST go   go   tasks_app_messagetree_change
tasks_app_report_act              decide           GET  200  200
tasks_app_report_act              decide           POST go   go   tasks_app_report_change
accounts_user_act                 ban              GET  200  200
accounts_user_act                 ban              POST go   go   accounts_user_change
accounts_user_act                 promote          GET  403  200
accounts_user_act                 promote          POST 403  go   accounts_user_change
accounts_user_act                 ban_root         GET  403  403
accounts_user_act                 ban_root         POST 403  403
tasks_app_message_change          Message          POST 200  200
tasks_app_messagetree_change      MessageTree      POST 200  200
tasks_app_report_change           Report           POST 200  200
tasks_app_task_change             Task             POST 200  200
accounts_user_change              User             POST 200  200
tasks_app_contribution_change     Contribution     POST 403  403
tasks_app_configchange_change     ConfigChange     POST 403  403
tasks_app_moderationaction_change ModerationAction POST 403  403
tasks_app_task_act                nothing          GET  404  404
tasks_app_task_act                nothing          POST 404  404
tasks_app_contribution_act        nothing          GET  404  404
tasks_app_contribution_act        nothing          POST 404  404
tasks_app_configchange_act        nothing          GET  404  404
tasks_app_configchange_act        nothing          POST 404  404
tasks_app_moderationaction_act    nothing          GET  404  404
tasks_app_moderationaction_act    nothing          POST 404  404
chat_app_chatreport_act           resolve          GET  200  200
chat_app_chatreport_act           resolve          POST go   go   chat_app_chatreport_change
chat_app_servedmodel_act          withdraw         GET  403  200
chat_app_servedmodel_act          withdraw         POST 403  go   chat_app_servedmodel_change
chat_app_worker_act               nothing          GET  404  404
chat_app_worker_act               nothing          POST 404  404
chat_app_chatreport_change        ChatReport       POST 200  200
chat_app_servedmodel_change       ServedModel      POST 200  200
chat_app_worker_change            Worker           POST 200  200
"""

# The same for every model: staff read; nobody adds, saves or deletes rows by hand.
MODEL_PAGES = """
# route            of     how  mona root go
{model}_changelist -      GET  200  200
{model}_changelist -      POST 200  200
{model}_add        -      GET  403  403
{model}_add        -      POST 403  403
{model}_change     {name} GET  200  200
{model}_delete     {name} GET  403  403
{model}_delete     {name} POST 403  403
{model}_history    {name} GET  200  200
{model}_history    {name} POST 200  200
"""
MODELS = {
    "Message": "tasks_app_message",
    "MessageTree": "tasks_app_messagetree",
    "Report": "tasks_app_report",
    "Task": "tasks_app_task",
    "Contribution": "tasks_app_contribution",
    "ConfigChange": "tasks_app_configchange",
    "ModerationAction": "tasks_app_moderationaction",
    "User": "accounts_user",
    "ChatReport": "chat_app_chatreport",
    "ServedModel": "chat_app_servedmodel",
    "Worker": "chat_app_worker",
}

# Pages of libraries, tested as groups: their route names begin so.
QUEUE_PAGES = "django_rq:"
PROVIDER_PAGES = ("discord_", "google_")
# For programs with tokens, which are tested in tests/chat_app/api.
API = ("api:", "openai:")
# Routes without a name: the admin's old addresses of rows, and its answer to everything else.
UNNAMED = re.compile(r"admin/(\w+/\w+/<path:object_id>/|\(\?P<url>\.\*\)\$)")
# Leads to our own sign-in; its cases differ from all others and have a test of their own.
OWN_TESTS = {"admin:login", "admin:logout"}

CAST = ("anon", "alice", "bob", "max", "mona", "root")
STAFF = ("mona", "root")
OUTSIDERS = ("anon", "alice", "bob", "max", "trudy")


@dataclass
class World:
    """Sessions by person, arguments of routes, and what forms send, by (route, of)."""

    sessions: dict[str, str]
    arguments: dict[str, dict[str, Any]]
    data: dict[tuple[str, str], dict[str, Any]]

    def ask(self, who: str, method: str, route: str, of: str) -> HttpResponse:
        """One request, whose effects are undone."""
        client = browser_of(self.sessions.get(who))
        data = {"csrfmiddlewaretoken": "x"} | self.data.get((route, of), {})
        url = reverse(route, kwargs=self.arguments.get(of) or None)
        with transaction.atomic():
            response = client.get(url) if method == "GET" else client.post(url, data)
            transaction.set_rollback(True)
        return response

    def outcomes(self, people: tuple[str, ...], *request: str) -> list[str]:
        return [outcome(self.ask(who, *request)) for who in people]


def outcome(response: HttpResponse) -> str:
    """A response in the words of the tables."""
    if response.status_code != 302:
        return str(response.status_code)
    path = urlsplit(response["Location"]).path
    return "login" if path == settings.LOGIN_URL else f">{resolve(path).view_name}"


class Row(NamedTuple):
    """A line of a table."""

    route: str
    of: str
    method: str
    outcomes: list[str]

    @property
    def request(self) -> tuple[str, str, str]:
        return self.method, self.route, self.of


def rows(table: str, people: int, *, space: str = "") -> list[Row]:
    lines = [line.split() for line in table.splitlines() if line and line[0] != "#"]
    return [_row(line, people, space) for line in lines]


def _row(words: list[str], people: int, space: str) -> Row:
    route, of, method, *outcomes = words
    target = outcomes.pop() if len(outcomes) > people else ""
    found = [f">{space}{target}" if each == "go" else each for each in outcomes]
    return Row(space + route, of, method, found)


def page_rows() -> list[Row]:
    return rows(PAGES, len(CAST))


def desk_rows() -> list[Row]:
    """The rows of the desk, those of the table for models once a model."""
    lines = MODEL_PAGES.strip().splitlines()[1:]
    each = "\n".join(line.format(name=n, model=m) for n, m in MODELS.items() for line in lines)
    return rows(DESK + each, len(STAFF), space="admin:")


def every_route() -> Iterator[tuple[str, str]]:
    """Path pattern and full name of every route."""
    return _walk(get_resolver().url_patterns)


def _walk(patterns: Any, path: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        here = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _walk(pattern.url_patterns, here, inner)
        else:
            yield here, space + (pattern.name or "")


def library_routes(*prefixes: str) -> list[str]:
    return [name for _path, name in every_route() if name.startswith(prefixes)]


@pytest.fixture
def world(db: None) -> World:
    """Built once a table: the effects of every request are undone."""
    now = timezone.now()
    people = {name: factories.person(name.title()) for name in ("alice", "bob", "max")}
    people |= {"trudy": factories.trudy(), "mona": factories.mona(), "root": factories.root()}
    alice, mona = people["alice"], people["mona"]
    grown = factories.grow("P(A A- Ax A?)", author=alice, now=now)
    factories.grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW, now=now)
    tasks = [
        factories.hand_out(people[name], TaskType.LABEL_INITIAL_PROMPT, now=now)
        for name in ("alice", "max")
    ]
    until = now + timedelta(days=1)
    moderation.mute_user(people["max"].pk, until=until, actor=mona, reason="Rude.", now=now)
    report = reactions.report(grown[1].pk, people["bob"], "spam", "", now=now)
    change("goal_tree_size", 9, actor=people["root"], reason="Shorter trees.", now=now)
    logs = [model.objects.latest("id") for model in (Contribution, ConfigChange, ModerationAction)]
    shown = [grown[1], grown.tree, report, tasks[0], alice, *logs, *_chat_rows(alice)]
    rows = {type(row).__name__: row for row in shown}
    chat, said = given.thread(alice, "Why is the sky blue?", "Because of scattering.", now=now)
    arguments = _pages(grown, tasks) | _chat_pages(chat, said) | _desk_pages(rows, people["root"])
    data = _data() | _chat_data(said[1])
    return World({name: cookie_of(user) for name, user in people.items()}, arguments, data)


def _chat_rows(user: User) -> list[Model]:
    """A report, the model it is about beside the default one, and its worker."""
    given.served()
    model = given.served("other")
    _chat, (_prompt, reply) = given.thread(user, model=model)
    report = conversations.report(reply, user, "wrong", "", now=timezone.now())
    return [report, model, given.worker(model)]


def _pages(grown: factories.Grown, tasks: list[Task]) -> dict[str, dict[str, Any]]:
    """What the words in the column "of" stand for."""
    accepted, refused, removed = grown[1:4]
    return {
        "random": {"kind": "random"},
        "nonsense": {"kind": "nonsense"},
        "review": {"task_id": tasks[0].pk},
        "maxs": {"task_id": tasks[1].pk},
        "message": {"message_id": accepted.pk},
        "refused": {"message_id": refused.pk},
        "removed": {"message_id": removed.pk},
        "tree": {"tree_id": grown.tree.pk},
        "unknown": {"token": "unknown"},
        "token": {"token_id": tasks[0].pk},
        "mail": {"mail_id": "unknown"},
    }


def _chat_pages(chat: Chat, said: list[ChatMessage]) -> dict[str, dict[str, Any]]:
    """A chat of Alice's."""
    shared = sharing.share(chat, now=timezone.now())
    prompt, reply = ({"chat_id": chat.pk, "message_id": message.pk} for message in said)
    return {
        "chat": {"chat_id": chat.pk},
        "prompt": prompt,
        "reply": reply,
        "shared": {"token": shared.token},
    }


def _chat_data(reply: ChatMessage) -> dict[tuple[str, str], dict[str, Any]]:
    values = {"preset": "k50", "temperature": 1, "repetition_penalty": 1, "max_new_tokens": 9}
    return {
        ("chat:list", "-"): {"text": "Hello"},
        ("chat:settings", "-"): {"about_me": "I teach."},
        ("chat:say", "chat"): {"text": "And at night?", "parent": reply.pk},
        ("chat:chat_settings", "chat"): values,
        ("chat:edit", "prompt"): {"text": "Why is the sky grey?"},
        ("chat:vote", "reply"): {"value": 1},
        ("chat:report", "reply"): {"kind": "wrong"},
        ("chat:offer", "reply"): {"lang": "en"},
    }


def _desk_pages(rows: dict[str, Model], root: User) -> dict[str, dict[str, Any]]:
    def act(model: str, name: str) -> dict[str, Any]:
        return {"object_id": rows[model].pk, "name": name}

    message = ContentType.objects.get_for_model(Message)
    return {
        "app": {"app_label": "tasks_app"},
        "setting": {"name": "goal_tree_size"},
        "row": {"content_type_id": message.pk, "object_id": rows["Message"].pk},
        "delete": act("Message", "delete"),
        "halt": act("MessageTree", "halt"),
        "decide": act("Report", "decide"),
        "ban": act("User", "ban"),
        "promote": act("User", "role"),
        "ban_root": {"object_id": root.pk, "name": "ban"},
        "resolve": act("ChatReport", "resolve"),
        "withdraw": act("ServedModel", "withdraw"),
        "nothing": {"object_id": 1, "name": "delete"},
        **{name: {"object_id": row.pk} for name, row in rows.items()},
        **{name: _placeholders(path) for path, name in every_route() if QUEUE_PAGES in name},
    }


def _placeholders(path: str) -> dict[str, Any]:
    """Arguments of the right types for a route, of things that do not exist."""
    found = re.findall(r"<(\w+):(\w+)>", path)
    return {name: 0 if kind == "int" else "unknown" for kind, name in found}


def _data() -> dict[tuple[str, str], dict[str, Any]]:
    """What forms send where something should come of it."""
    reason = {"reason": "A test."}
    return {
        ("tasks:work", "review"): {"spam": "0"},
        ("tasks:work", "maxs"): {"spam": "0"},
        **{("tasks:react", of): {"code": "+1"} for of in ("message", "refused", "removed")},
        **{("tasks:report", of): {"category": "spam"} for of in ("message", "refused")},
        **{("tasks:label", of): {"spam": "0"} for of in ("message", "removed")},
        ("admin:tasks_app_configchange_set", "setting"): {"value": "8"} | reason,
        ("admin:tasks_app_message_act", "delete"): reason,
        ("admin:tasks_app_messagetree_act", "halt"): reason,
        ("admin:tasks_app_report_act", "decide"): {"outcome": "dismissed", "note": "A test."},
        ("admin:chat_app_chatreport_act", "resolve"): {"resolution": "A test."},
        ("admin:accounts_user_act", "ban"): reason,
        ("admin:accounts_user_act", "promote"): {"role": "moderators"} | reason,
        ("admin:accounts_user_act", "ban_root"): reason,
    }


def test_page_is_open_to_whom_the_table_says(world: World, subtests: pytest.Subtests) -> None:
    for row in page_rows():
        with subtests.test(row.request):
            found = world.outcomes((*CAST, "trudy"), *row.request)

            assert found == [*row.outcomes, row.outcomes[0]]


@pytest.mark.slow
def test_desk_is_open_to_staff_as_the_table_says(world: World, subtests: pytest.Subtests) -> None:
    for row in desk_rows():
        with subtests.test(row.request):
            assert world.outcomes(STAFF, *row.request) == row.outcomes
            assert world.outcomes(OUTSIDERS, *row.request) == [">admin:login"] * 5


def test_desk_lets_contributors_not_in_and_asks_visitors_to_sign_in(world: World) -> None:
    everybody = ("anon", "trudy", "alice", "max", "mona", "root")

    assert world.outcomes(everybody, "GET", "admin:login", "-") == [
        "login", "login", "403", "403", ">admin:index", ">admin:index",
    ]  # fmt: skip
    assert world.outcomes(everybody, "POST", "admin:logout", "-") == [
        *[">admin:index"] * 4, ">tasks:home", ">tasks:home",
    ]  # fmt: skip


@pytest.mark.slow
def test_job_queue_is_open_to_admins_only(world: World, subtests: pytest.Subtests) -> None:
    for route, method in product(library_routes(QUEUE_PAGES), ("GET", "POST")):
        with subtests.test(f"{method} {route}"):
            request = (method, route, route)
            assert world.outcomes(OUTSIDERS, *request) == [">admin:login"] * 5
            assert world.outcomes(("mona",), *request) == ["403"]
            assert world.outcomes(("root",), *request)[0] not in {"login", "403", "500"}


def test_pages_of_a_provider_that_is_not_set_up_do_not_exist(
    world: World, subtests: pytest.Subtests
) -> None:
    for route, method in product(library_routes(*PROVIDER_PAGES), ("GET", "POST")):
        with subtests.test(f"{method} {route}"):
            assert world.outcomes(("anon", "alice"), method, route, "-") == ["404", "404"]


def test_method_without_a_row_is_not_allowed(world: World, subtests: pytest.Subtests) -> None:
    listed = {(row.route, row.method) for row in page_rows() + desk_rows()}
    for row in page_rows() + desk_rows():
        other = "POST" if row.method == "GET" else "GET"
        if (row.route, other) in listed:
            continue
        with subtests.test(f"{other} {row.route}"):
            asked = CAST if row in page_rows() else STAFF
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
