"""Hostile input in every field and address: never a crash, never markup of the sender's.

What each form says to people who err honestly is tested beside its view.
"""

from itertools import product
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
from django.core import mail as django_mail
from django.http import HttpResponse
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import interactions, moderation
from tasks_app.models import Message, Ranking, Task, TextLabels
from tests.hostile import TAG, Given, arrange, check
from tests.undoing import undone

pytestmark = pytest.mark.slow

TEXTS = {
    "nothing": "",
    "spaces": " \t\n\u00a0\u3000",
    "NUL": "a\x00b",
    "control characters": "\x01\x08\x0b\x1b[31m\x7f\x85\ufeff",
    "right-to-left override": "\u202egnp.exe\u202c \u2066\u2069",
    "zero width": "\u200b\u200d\u2060" * 700,
    "stacked accents": "e" + "\u0301" * 1900,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈" * 200,
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "a megabyte less a bit": "x" * 1_000_000,
    "more than a request may be": "x" * 1_100_000,
    "quotes in quotes": ">" * 10_000 + "x",
    "lists in lists": "- " * 10_000 + "x",
    "brackets": "[" * 10_000,
    "emphasis": "*a_" * 5_000,
    "tag": TAG,
    "script": "<script>canary()</script><svg onload=canary()><math><mtext></svg>",
    "links": "[a](javascript:canary()) ![b](data:text/html,canary) <vbscript:canary> [c](//x.y)",
    "template": "{{ 7*7 }}{% load x %}${7*7}#{7*7}%s%(x)s%n{0}",
    "query": "'; DROP TABLE accounts_user; -- \\ % _ \" : & | ! <-> *",
    "minuses": "-" * 150 + "x",
    "path": "../../../etc/passwd%00%2e%2e%2f",
    "formula": "=cmd|'/c calc'!A1",
    "number": "9" * 400,
    "not a number": "NaN",
    "infinity": "-Infinity",
    "exponent": "1e309",
    "negative": "-1",
    "other digits": "٣",
    "zero UUID": "00000000-0000-0000-0000-000000000000",
    "JSON": '{"a": ' * 500,
    "elsewhere": "https://evil.example/",
    "elsewhere without a scheme": "//evil.example\\@x",
    "elsewhere by a script": "javascript:canary()",
    "line end": "/\r\nSet-Cookie: a=b",
}
BRIEF = ["nothing", "NUL", "emoji", "tag", "template", "query", "minuses", "number", "infinity",
         "other digits", "zero UUID", "elsewhere", "JSON"]  # fmt: skip
FORM = "application/x-www-form-urlencoded"


# Every field of every form, and after a `?` every parameter of an address. Fields with a `*` take
# any text and are given all of the above, the others the brief ones.
FIELDS = """
# who path                                     field                  along with
anon  /accounts/login/                         email*                 -
anon  /accounts/login/                         next                   email=a@example.org
anon  /accounts/login/?                        next                   -
anon  /accounts/signup/?                       next                   -
anon  /accounts/login/code/                    code                   -
anon  /theme/                                  theme                  -
anon  /theme/                                  next*                  theme=dark
alice /theme/                                  theme                  -
alice /accounts/login/?                        next                   -
alice /account/                                display_name*          {profile}
alice /account/                                contribution_languages display_name=Alice
alice /account/                                ui_language            {profile}
alice /account/                                theme                  {profile}
alice /account/welcome/                        display_name*          {profile}
alice /account/welcome/                        next                   {profile}
alice /account/welcome/?                       next                   -
alice /account/email/                          email*                 -
alice /account/email/code/                     code                   -
alice /account/delete/                         confirmation*          -
alice /messages/?                              q*                     -
alice /messages/?                              lang                   -
alice /messages/?                              role                   -
alice /messages/?                              state                  -
alice /messages/?                              mine                   -
alice /messages/?                              before*                -
alice /contributions/?                         kind                   -
alice /contributions/?                         outcome                -
alice /contributions/?                         before*                -
anon  /stats/agreement/?                       measure                -
anon  /stats/agreement/?                       lang                   measure=rankings
anon  /stats/agreement/?                       kind                   -
anon  /stats/agreement/?                       span                   -
anon  /stats/agreement/?                       format                 -
mona  /stats/agreement/disputed/?              after*                 measure=spam
alice /tasks/?                                 lang                   -
alice /tasks/random/next/?                     lang                   -
alice /tasks/random/next/                      lang                   -
alice /tasks/{writing}/                        text*                  -
alice /tasks/{writing}/                        origin                 text=Hello
alice /tasks/{writing}/                        source*                text=Hello&origin=adapted
alice /tasks/{writing}/draft/                  text*                  -
alice /tasks/{writing}/preview/                text*                  -
alice /tasks/{writing}/skip/                   reason                 -
alice /tasks/{writing}/skip/                   note*                  reason=time
alice /tasks/{review}/                         spam                   -
alice /tasks/{review}/                         quality*               spam=0
alice /tasks/{review}/                         lang_mismatch          spam=0
alice /tasks/{review}/                         made_up                spam=0
alice /tasks/{review}/draft/                   quality                -
alice /tasks/{ranking}/                        place_{first}*         {places}
alice /tasks/{ranking}/                        verdict                {places}
alice /tasks/{ranking}/                        reason*                verdict=all_bad
alice /tasks/{ranking}/draft/                  reason                 -
alice /tasks/{ranking}/differences/?           a                      -
alice /tasks/{ranking}/differences/?           b                      a=A
alice /messages/{message}/react/               code                   -
alice /messages/{message}/react/               next*                  code=+1
alice /messages/{message}/report/              category               -
alice /messages/{message}/report/              text*                  category=spam
alice /messages/{message}/report/?             next                   -
alice /messages/{message}/labels/              spam                   -
alice /messages/{message}/labels/              next                   spam=0
alice /chat/                                   text*                  -
alice /chat/                                   model                  text=Hello
alice /chat/                                   count                  text=Hello
alice /chat/?                                  q*                     -
alice /chat/?                                  archived               q=sky
alice /chat/?                                  page                   q=sky
alice /chat/settings/                          about_me*              -
alice /chat/settings/                          how_to_respond         -
alice /chat/settings/                          forget*                -
alice /chat/{chat}/?                           before                 -
alice /chat/{chat}/?                           since                  -
alice /chat/{chat}/say/                        text*                  parent={reply}
alice /chat/{chat}/say/                        parent                 text=Hello
alice /chat/{chat}/say/                        key                    text=Hello&parent={reply}
alice /chat/{chat}/say/                        count                  text=Hello&parent={reply}
alice /chat/{chat}/settings/                   model                  {values}
alice /chat/{chat}/settings/                   preset                 {values}
alice /chat/{chat}/settings/                   temperature            {values}
alice /chat/{chat}/settings/                   top_k                  {values}&use_top_k=on
alice /chat/{chat}/settings/                   seed                   {values}&use_seed=on
alice /chat/{chat}/settings/                   max_new_tokens         {values}
alice /chat/{chat}/settings/                   stop*                  {values}
alice /chat/{chat}/settings/                   save_as*               {values}
alice /chat/{chat}/rename/                     title*                 -
alice /chat/{chat}/archive/                    on                     -
alice /chat/{chat}/data-use/                   on                     -
alice /chat/{chat}/share/                      revoke                 -
alice /chat/{chat}/export/?                    format                 -
alice /chat/{chat}/messages/{reply}/regenerate/ count                 -
alice /chat/{chat}/messages/{prompt}/edit/     text*                  -
alice /chat/{chat}/messages/{reply}/vote/      value                  -
alice /chat/{chat}/messages/{reply}/vote/      reasons                value=1
alice /chat/{chat}/messages/{reply}/vote/      text*                  value=1
alice /chat/{chat}/messages/{reply}/report/    kind                   -
alice /chat/{chat}/messages/{reply}/report/    text*                  kind=wrong
mona  /admin/search/?                          s                      -
mona  {tasks}/message/?                        q*                     -
mona  {tasks}/message/?                        lang                   -
mona  {tasks}/message/?                        review                 -
mona  {tasks}/message/?                        user__id__exact        -
mona  {tasks}/message/?                        tree__state__exact     -
mona  {tasks}/message/?                        created_at_from        -
mona  {tasks}/message/?                        p                      -
mona  {tasks}/message/?                        o                      -
mona  {tasks}/message/?                        made_up                -
mona  {tasks}/message/                         action                 -
mona  {tasks}/message/                         _selected_action       action=delete
mona  {tasks}/messagetree/?                    q                      -
mona  {tasks}/report/?                         state                  -
mona  {tasks}/moderationaction/?               q                      -
mona  /admin/views/tasks_app.message/?lang=en name*                  -
mona  {people}/?                               q                      -
mona  {people}/?                               status                 -
mona  /admin/autocomplete/?                    term                   {autocomplete}
mona  {tasks}/message/{message}/act/delete/    reason                 -
mona  {tasks}/message/{message}/act/edit/      text*                  reason=r
mona  {tasks}/message/{message}/act/edit/      text                   reason=r&preview=yes
mona  {tasks}/report/{report}/act/decide/      outcome                note=n
mona  {tasks}/report/{report}/act/decide/      note*                  outcome=dismissed
mona  {people}/{alice}/act/notes/              notes                  -
mona  {people}/{alice}/act/rename/             display_name*          reason=r
mona  {people}/{alice}/act/mute-7/             reason                 -
root  {people}/{alice}/act/role/               role                   reason=r
root  {tasks}/configchange/set/goal_tree_size/ value*                 reason=r
mona  /training/?                              page                   -
mona  /training/compare/?                      run                    -
root  /training/new/                           config_yaml*           -
root  /training/new/?                          config                 -
root  /training/new/?                          snapshot               config=tiny-sft
root  /training/new/?                          like                   -
root  /training/new/preview/                   config_yaml            -
root  /training/snapshots/                     name                   -
root  /training/snapshots/                     langs*                 name=x
"""


class Field(NamedTuple):
    """A line of the table."""

    who: str
    path: str
    name: str
    rest: str

    def __str__(self) -> str:
        return f"{self.name} of {self.path}"

    @property
    def texts(self) -> list[str]:
        return list(TEXTS) if self.name.endswith("*") else BRIEF


def fields() -> list[Field]:
    return [Field(*line.split()) for line in FIELDS.splitlines() if line and line[0] != "#"]


@pytest.fixture
def given(db: None) -> Given:
    return arrange()


def fill(given: Given, target: Field, value: str, **options: Any) -> HttpResponse:
    """The answer to one field filled in."""
    path, name, rest = (part.format(**given.words) for part in target[1:])
    data = dict(parse_qsl("" if rest == "-" else rest)) | {name.rstrip("*"): value}
    return given.send(target.who, path, data, **options)


# Every day each field gets some of the texts, and each text comes to some of the fields.
share = pytest.mark.parametrize("share", [13, pytest.param(1, marks=pytest.mark.full, id="all")])


@share
@pytest.mark.parametrize("who", ["anon", "alice", "mona", "root"])
def test_no_text_in_any_field_breaks_a_page(
    given: Given, who: str, share: int, subtests: pytest.Subtests
) -> None:
    for number, target in enumerate(fields()):
        for name in target.texts[number % share :: share] if target.who == who else ():
            with subtests.test(f"{name} as {target}"):
                check(fill(given, target, TEXTS[name]))


@share
@pytest.mark.parametrize("headers", [{"hx-request": "true"}, {"accept": "application/json"}])
def test_no_text_breaks_what_scripts_get(
    given: Given, headers: dict[str, str], share: int, subtests: pytest.Subtests
) -> None:
    targets = [target for target in fields() if target.who == "alice"]
    texts = ("tag", "NUL", "line end", "stacked accents")
    for target, name in list(product(targets, texts))[::share]:
        with subtests.test(f"{name} as {target}"):
            check(fill(given, target, TEXTS[name], headers=headers))


# Bodies that are no forms

BODIES = {
    "bytes that are no text": (b"text=\xff\xfe\xc3\x28&spam=\xed\xa0\x80", FORM),
    "lone surrogates": (b"text=%ED%A0%80&next=%ED%BF%BF&spam=%ED%A0%80", FORM),
    "NUL everywhere": (b"text=%00&spam=%00&code=%00&next=%00&email=%00", FORM),
    "another encoding": ("text=é".encode("utf-16"), f"{FORM}; charset=utf-16"),
    "an encoding that is none": (b"text=x", f"{FORM}; charset=no-such"),
    "JSON": (b'{"text": NaN, "text": Infinity, "spam": 1e999}', "application/json"),
    "deep JSON": (b"[" * 100_000, "application/json"),
    "plain text": (b"hello", "text/plain"),
    "nothing known": (b"\x00\x01\x02", "application/octet-stream"),
    "no parts": (b"", "multipart/form-data; boundary=x"),
    "no boundary": (b"--x\r\n", "multipart/form-data"),
    "a part without an end": (
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nabc',
        "multipart/form-data; boundary=x",
    ),
    "a file for a text": (
        b'--x\r\nContent-Disposition: form-data; name="text"; filename="a.html"\r\n'
        b"Content-Type: text/html\r\n\r\n<b>\r\n--x--\r\n",
        "multipart/form-data; boundary=x",
    ),
    "a thousand fields": (b"&".join(b"f%d=1" % number for number in range(1000)), FORM),
    "a field again and again": (b"&".join([b"text=1&spam=1&spam=0"] * 100), FORM),
}


@share
def test_no_body_breaks_a_form(given: Given, share: int, subtests: pytest.Subtests) -> None:
    forms = {(target.who, target.path) for target in fields() if not target.path.endswith("?")}
    sent = list(product(sorted(forms), BODIES.items()))
    for (who, path), (name, (body, content_type)) in sent[::share]:
        with subtests.test(f"{name} to {path}"):
            filled = path.format(**given.words)
            check(given.send(who, filled, body, content_type=content_type))


def test_no_form_takes_anything_without_its_token(given: Given, subtests: pytest.Subtests) -> None:
    forms = {(target.who, target.path) for target in fields() if not target.path.endswith("?")}
    for who, path in forms:
        with subtests.test(path):
            response = given.send(who, path.format(**given.words), {"text": "x"}, strict=True)

            assert response.status_code == 403
            assert "Go back in your browser" in response.content.decode()


# Addresses

IDS = ["x", "0", "-1", "9" * 400, "%00", "%F0%9F%92%A9", "..%2F..", "None", "%E2%80%AE",
       "00000000-0000-0000-0000-000000000000", "{%7B}", "a" * 5000]  # fmt: skip
ADDRESSES = ["/tasks/{}/", "/tasks/{}/next/", "/tasks/{}/draft/", "/messages/{}/",
             "/messages/{}/report/", "/trees/{}/", "/accounts/login/link/{}/",
             "/account/email/link/{}/", "/dev/mailbox/{}/", "/chat/{}/", "/chat/{}/say/",
             "/chat/{}/export/", "/chat/shared/{}/"]  # fmt: skip
DESK_ADDRESSES = ["/admin/tasks_app/message/{}/change/", "/admin/tasks_app/contribution/{}/change/",
                  "/admin/tasks_app/report/{}/act/decide/", "/admin/accounts/user/{}/act/ban/",
                  "/admin/tasks_app/configchange/set/{}/", "/admin/{}/"]  # fmt: skip


def test_address_of_nothing_is_not_found(given: Given, subtests: pytest.Subtests) -> None:
    for address, pk in product(ADDRESSES, IDS):
        with subtests.test(address.format(pk)):
            assert given.send("alice", address.format(pk) + "?").status_code in {404, 405}


def test_address_of_nothing_leads_moderators_nowhere(
    given: Given, subtests: pytest.Subtests
) -> None:
    for address, pk in product(DESK_ADDRESSES, IDS):
        with subtests.test(address.format(pk)):
            response = given.send("mona", address.format(pk) + "?")

            check(response)
            assert response.status_code in {302, 403, 404}


@pytest.mark.parametrize("host", ["evil.example", "testserver:80@evil.example", "a\x00b", ""])
def test_another_host_is_refused(given: Given, host: str) -> None:
    response = given.send("anon", "/accounts/login/?", headers={"host": host})

    assert response.status_code == 400
    assert "evil.example" not in response.content.decode()


def test_forwarded_host_is_not_believed(given: Given) -> None:
    headers = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    given.send("anon", "/accounts/login/", {"email": "a@example.org"}, headers=headers)
    response = given.send("alice", "/accounts/login/?", headers=headers)

    assert response["Location"] == "/dashboard/"
    assert "evil.example" not in "".join(mail.body for mail in django_mail.outbox)


# Tasks that are over

ENDS = ("expired", "done", "skipped", "halted", "deleted")
ANSWERS = {"writing": {"text": "What I wrote."}, "review": {"spam": "0"}, "ranking": {}}


def end(task: Task, how: str, mona: User) -> None:
    now = timezone.now()
    about: dict[str, Any] = {"actor": mona, "reason": "A test.", "now": now}
    if how == "halted":
        moderation.halt_tree(task.tree_id, **about)
    elif how == "deleted":
        moderation.delete_message(task.message_id, **about)
    elif how == "skipped":
        interactions.skip(task.pk, task.user, now=now)
    elif how == "expired":
        Task.objects.filter(pk=task.pk).update(expires_at=now, reserved_until=now)
    elif task.type.is_writing:
        interactions.submit_reply(task.pk, task.user, "What I sent.", now=now)
    elif task.type.is_labeling:
        interactions.submit_labels(task.pk, task.user, {"spam": 1.0}, now=now)
    else:
        interactions.submit_ranking(task.pk, task.user, [], not_rankable=True, now=now)


def test_task_that_is_over_takes_nothing_and_says_so(
    given: Given, mona: User, subtests: pytest.Subtests
) -> None:
    for name, how in product(ANSWERS, ENDS):
        with subtests.test(f"{name} {how}"), undone():
            check_takes_nothing(given, mona, name, how)


def check_takes_nothing(given: Given, mona: User, name: str, how: str) -> None:
    task = Task.objects.get(pk=given.words[name])
    answer = ANSWERS[name] or {f"place_{pk}": "1" for pk in task.shown_ids}
    end(task, how, mona)
    before = stored()

    shown = given.send("alice", f"/tasks/{task.pk}/?").content.decode()
    response = given.send("alice", f"/tasks/{task.pk}/", answer)

    assert response.status_code in {409, 410}
    assert "task-form" not in shown
    assert answer.get("text", "") in response.content.decode()
    assert stored() == before


def stored() -> list[int]:
    return [model.objects.count() for model in (Message, TextLabels, Ranking)]


def test_task_that_is_over_answers_its_page_in_words(
    given: Given, mona: User, subtests: pytest.Subtests
) -> None:
    for action, how in product(("draft", "heartbeat", "skip", "preview", "reclaim"), ENDS):
        with subtests.test(f"{action} {how}"), undone():
            check_says_why(given, mona, action, how)


def check_says_why(given: Given, mona: User, action: str, how: str) -> None:
    task = Task.objects.get(pk=given.words["writing"])
    end(task, how, mona)
    path = f"/tasks/{task.pk}/{action}/"

    check(given.send("alice", path, {"text": "Hello"}))
    answer = given.send("alice", path, {"text": "Hello"}, headers={"accept": "application/json"})

    check(answer)
    if answer.status_code >= 400 and answer["Content-Type"] == "application/json":
        assert answer.json()["error"]["message"]
