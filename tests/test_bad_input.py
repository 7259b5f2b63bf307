"""Hostile input in every field and address: never a crash, never markup of the sender's.

What each form says to people who err honestly is tested beside its view.
"""

from itertools import product
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.core import mail as django_mail
from django.http import HttpResponse
from django.urls import resolve
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import interactions, moderation
from tasks_app.models import Message, Ranking, Task, TextLabels
from tests.hostile import Given, arrange, check
from tests.hostile_fields import TEXTS, WITHOUT_FIELDS, Field, fields, forms
from tests.undoing import undone

pytestmark = pytest.mark.slow

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def given(db: None) -> Given:
    return arrange()


def fill(given: Given, target: Field, value: str, **options: Any) -> HttpResponse:
    """The answer to one field filled in."""
    path, name, rest = (part.format(**given.words) for part in target[1:])
    data = dict(parse_qsl("" if rest == "-" else rest)) | {name.rstrip("*"): value}
    return given.send(target.who, path, data, **options)


def form_of(given: Given, target: Field) -> str:
    """The route of a field, of the desk's actions with the name of the action."""
    match = resolve(target.path.partition("?")[0].format(**given.words))
    name = match.kwargs["name"] if match.view_name.endswith("_act") else ""
    return f"{match.view_name} {name}".rstrip()


def test_every_form_has_a_row_or_a_reason_to_have_none(given: Given) -> None:
    listed = {form_of(given, target) for target in fields() if not target.path.endswith("?")}
    excused = set().union(*WITHOUT_FIELDS.values())

    assert forms() - listed - excused == set()
    assert excused - forms() | excused & listed == set()


# Every day each field gets some of the texts, and each text comes to some of the fields.
ALL = pytest.param(1, marks=pytest.mark.full, id="all")
share = pytest.mark.parametrize("share", [31, ALL])
few = pytest.mark.parametrize("share", [5, ALL])


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


@few
def test_no_form_takes_anything_without_its_token(
    given: Given, share: int, subtests: pytest.Subtests
) -> None:
    forms = {(target.who, target.path) for target in fields() if not target.path.endswith("?")}
    for who, path in sorted(forms)[::share]:
        with subtests.test(path):
            response = given.send(who, path.format(**given.words), {"text": "x"}, strict=True)

            assert response.status_code == 403
            assert "Go back in your browser" in response.content.decode()


# Addresses

IDS = ["x", "0", "-1", "9" * 400, "%00", "%F0%9F%92%A9", "..%2F..", "None", "%E2%80%AE",
       "00000000-0000-0000-0000-000000000000", "{%7B}", "a" * 5000]  # fmt: skip
ADDRESSES = ["/tasks/{}/", "/tasks/{}/next/", "/tasks/{}/draft/", "/messages/{}/",
             "/messages/{}/report/", "/trees/{}/", "/questions/{}/", "/accounts/login/link/{}/",
             "/account/email/link/{}/", "/dev/mailbox/{}/", "/chat/{}/", "/chat/{}/say/",
             "/chat/{}/export/", "/chat/shared/{}/"]  # fmt: skip
DESK_ADDRESSES = ["/admin/tasks_app/message/{}/change/", "/admin/tasks_app/contribution/{}/change/",
                  "/admin/tasks_app/report/{}/act/decide/", "/admin/accounts/user/{}/act/ban/",
                  "/admin/tasks_app/question/{}/change/",
                  "/admin/tasks_app/configchange/set/{}/", "/admin/{}/"]  # fmt: skip


@few
def test_address_of_nothing_is_not_found(
    given: Given, share: int, subtests: pytest.Subtests
) -> None:
    for address, pk in list(product(ADDRESSES, IDS))[::share]:
        with subtests.test(address.format(pk)):
            assert given.send("alice", address.format(pk) + "?").status_code in {404, 405}


@few
def test_address_of_nothing_leads_moderators_nowhere(
    given: Given, share: int, subtests: pytest.Subtests
) -> None:
    for address, pk in list(product(DESK_ADDRESSES, IDS))[::share]:
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
