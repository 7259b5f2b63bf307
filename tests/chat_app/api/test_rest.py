"""The REST API: chats, messages, votes and exports of the person behind a token, nobody else's."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from chat_app import asking, conversations
from chat_app.models import Chat, ChatMessage, ChatReport
from oasst.accounts import bearer
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from tests.calling import Program, code_of, token_of
from tests.chat_app import given
from tests.sessions import browser_of, cookie_of

pytestmark = pytest.mark.slow


def test_chat_is_made_changed_and_deleted(program: Program, alice: User) -> None:
    model = given.served()

    made = program.call("post", "/chats", {"title": "Sky", "parameters": {"temperature": 0}})
    path = f"/chats/{made.json()['id']}"
    changes = {"title": "Blue sky", "archived": True, "allow_data_use": False}
    changed = program.call("patch", path, changes | {"parameters": {"top_k": None}})

    assert made.status_code == 201
    assert (made.json()["model"], made.json()["title"]) == (model.name, "Sky")
    assert made.json()["parameters"]["temperature"] == 0
    assert {name: changed.json()[name] for name in changes} == changes
    assert changed.json()["parameters"]["top_k"] is None
    assert changed.json()["parameters"]["temperature"] == 0
    assert Chat.objects.get().user == alice
    assert program.call("delete", path).status_code == 204
    assert Chat.objects.count() == 0


def test_preset_brings_its_values(program: Program, alice: User) -> None:
    path = f"/chats/{given.chat(alice).pk}"

    chosen = program.call("patch", path, {"preset": "k50-Precise"})
    refused = program.call("patch", path, {"preset": "nonsense"})

    assert chosen.json()["parameters"]["temperature"] == 0.1
    assert code_of(refused) == (422, "invalid_settings")
    assert program.get(path)["preset"] == "k50-Precise"


def test_chats_are_listed_newest_first_and_found_by_words(program: Program, alice: User) -> None:
    for text in ("Why is the sky blue?", "How do I cook rice?"):
        given.thread(alice, text, "Let me explain.")

    both = program.get("/chats")
    assert (len(both["items"]), both["next"]) == (2, None)
    found = program.get("/chats?q=rice")["items"]
    assert [chat["title"] for chat in found] == ["How do I cook rice?"]
    assert program.get("/chats?archived=true") == {"items": [], "next": None}


def test_pages_of_chats_hold_each_once_while_new_ones_come(program: Program, alice: User) -> None:
    times = [given.NOW + timedelta(hours=hour) for hour in range(4)]
    first, second, third = (str(given.thread(alice, now=time)[0].pk) for time in times[:3])

    page = program.get("/chats?limit=2")
    given.thread(alice, now=times[3])
    rest = program.get(f"/chats?limit=2&before={page['next']}")

    assert [chat["id"] for chat in [*page["items"], *rest["items"]]] == [third, second, first]
    assert rest["next"] is None
    assert code_of(program.call("get", "/chats?before=yesterday")) == (422, "invalid")


def test_list_of_chats_costs_the_same_for_many(
    program: Program, alice: User, django_assert_num_queries: Any
) -> None:
    program.get("/models")  # the first use of a token is noted
    for count in (1, 3):
        while Chat.objects.count() < count:
            given.thread(alice)
        with django_assert_num_queries(2):  # the token, the chats
            assert len(program.get("/chats")["items"]) == count


def test_message_gets_replies_which_can_be_read_until_they_end(
    program: Program, alice: User
) -> None:
    chat = given.chat(alice)

    asked = program.call("post", f"/chats/{chat.pk}/messages", {"text": "Hi", "count": 2})

    assert asked.status_code == 202
    body = asked.json()
    assert (body["prompt"]["text"], body["prompt"]["parent"]) == ("Hi", None)
    assert [reply["state"] for reply in body["replies"]] == ["queued", "queued"]
    path = f"/chats/{chat.pk}/messages/{body['replies'][0]['id']}"
    assert program.get(path)["parent"] == body["prompt"]["id"]
    assert program.call("post", f"{path}/stop").json()["state"] == "stopped"
    assert program.get(path)["state"] == "stopped"


def test_message_sent_twice_with_its_key_is_stored_once(program: Program, alice: User) -> None:
    chat, body = given.chat(alice), {"text": "Hi", "key": str(uuid.uuid4())}

    first, again = (program.call("post", f"/chats/{chat.pk}/messages", body) for _ in range(2))
    other = program.call("post", f"/chats/{chat.pk}/messages", body | {"text": "Ho"})

    assert first.json() == again.json()
    assert code_of(other) == (409, "key_reused")
    assert ChatMessage.objects.count() == 2


def test_reply_is_regenerated_continued_and_picked(program: Program, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)
    ChatMessage.objects.filter(pk=reply.pk).update(finish_reason="length")
    path = f"/chats/{chat.pk}/messages/{reply.pk}"

    more = program.call("post", f"{path}/continue")
    others = program.call("post", f"{path}/regenerate", {"count": 2})
    stopped = f"/chats/{chat.pk}/messages/{more.json()['id']}"
    program.call("post", f"{stopped}/stop")
    picked = program.call("post", f"{path}/choose")

    assert (more.status_code, more.json()["parent"]) == (202, str(reply.parent_id))
    assert len(others.json()["replies"]) == 2
    assert picked.status_code == 200
    assert reply.parent.draft_choice.chosen == reply


def test_vote_is_given_replaced_and_taken_back(program: Program, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)
    path = f"/chats/{chat.pk}/messages/{reply.pk}"

    program.call("put", f"{path}/vote", {"value": 1})
    down = program.call("put", f"{path}/vote", {"value": -1, "reasons": ["wrong"], "text": "No."})

    assert down.json()["vote"] == {"value": -1, "reasons": ["wrong"], "text": "No."}
    assert program.call("delete", f"{path}/vote").status_code == 204
    assert program.get(path)["vote"] is None


def test_report_reaches_the_moderators(program: Program, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)

    body = {"kind": "offensive", "text": "Rude."}
    response = program.call("post", f"/chats/{chat.pk}/messages/{reply.pk}/report", body)

    assert response.status_code == 204
    assert ChatReport.objects.get().message == reply


def test_export_is_the_one_of_the_pages(program: Program, alice: User) -> None:
    chat, _messages = given.thread(alice, "Hi", "Hello you")

    assert [m["text"] for m in program.get(f"/chats/{chat.pk}/export")["messages"]] == [
        "Hi",
        "Hello you",
    ]
    markdown = program.call("get", f"/chats/{chat.pk}/export?format=markdown")
    assert "Hello you" in markdown.content.decode()


def test_held_text_is_not_given_out(program: Program, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice, "Hi", "A secret")
    ChatMessage.objects.filter(pk=reply.pk).update(hold="held")

    assert "A secret" not in str(program.get(f"/chats/{chat.pk}"))
    assert "A secret" not in str(program.get(f"/chats/{chat.pk}/messages/{reply.pk}"))


# Who may


CALLS = [
    ("get", ""),
    ("patch", ""),
    ("delete", ""),
    ("get", "/export"),
    ("post", "/messages"),
    ("get", "/messages/{message}"),
    ("post", "/messages/{message}/regenerate"),
    ("post", "/messages/{message}/continue"),
    ("post", "/messages/{message}/stop"),
    ("post", "/messages/{message}/choose"),
    ("put", "/messages/{message}/vote"),
    ("delete", "/messages/{message}/vote"),
    ("post", "/messages/{message}/report"),
]
BODY = {"text": "x", "value": 1, "kind": "spam", "count": 1}
FIELDS = {"/messages": ["text"], "/vote": ["value"], "/report": ["kind"], "/regenerate": ["count"]}


def body_for(method: str, path: str) -> dict[str, Any] | None:
    if method in ("get", "delete"):
        return None
    names = next((names for end, names in FIELDS.items() if path.endswith(end)), [])
    return {name: BODY[name] for name in names}


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_chats_of_others_do_not_exist(alice: User, bob: User, method: str, path: str) -> None:
    chat, (_prompt, reply) = given.thread(alice)
    stranger = Program(token_of(bob))
    full = f"/chats/{chat.pk}{path.format(message=reply.pk)}"

    response = stranger.call(method, full, body_for(method, path))

    assert code_of(response) == (404, "not_found")
    assert Chat.objects.filter(pk=chat.pk).exists()


@pytest.mark.parametrize(("method", "path"), [("get", "/chats"), ("post", "/chats"), *CALLS])
def test_token_is_needed_and_its_scope(alice: User, method: str, path: str) -> None:
    chat, (_prompt, reply) = given.thread(alice)
    full = path if path == "/chats" else f"/chats/{chat.pk}{path.format(message=reply.pk)}"
    body = body_for(method, path)
    wrong = Scope.WRITE_CHATS if method == "get" else Scope.READ_CHATS

    nobody = Program("").call(method, full, body)
    guess = Program("oasst_guess").call(method, full, body)
    narrow = Program(token_of(alice, wrong)).call(method, full, body)

    assert code_of(nobody) == (401, "token_missing")
    assert nobody["WWW-Authenticate"] == "Bearer"
    assert code_of(guess) == (401, "token_invalid")
    assert code_of(narrow) == (403, "scope_missing")
    assert Chat.objects.count() == 1


def test_cookie_of_a_browser_opens_nothing(alice: User) -> None:
    browser = browser_of(cookie_of(alice))

    assert code_of(browser.get("/api/v1/chats")) == (401, "token_missing")


def test_banned_person_is_nobody(trudy: User) -> None:
    assert code_of(Program(token_of(trudy)).call("get", "/chats")) == (401, "token_invalid")


def test_terms_must_be_accepted(program: Program, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(tos_version="0")

    assert code_of(program.call("get", "/chats")) == (403, "terms_not_accepted")


def test_too_many_requests_are_told_when_to_come_back(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bearer, "REQUESTS_PER_MINUTE", 2)

    answers = [program.call("get", "/chats") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= 60


def test_writing_is_limited_by_token_and_apart_from_the_pages(
    program: Program, web: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bearer, "WRITES_PER_MINUTE", 1)
    other = Program(token_of(alice))

    answers = [each.call("post", "/chats", {}) for each in (program, program, other)]

    assert [answer.status_code for answer in answers] == [201, 429, 201]
    assert program.call("get", "/chats").status_code == 200
    assert web.post("/account/", {}).status_code != 429


def test_too_many_prompts_are_told_when_to_come_back(
    program: Program, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PROMPTS_PER_MINUTE", 1)
    path = f"/chats/{given.chat(alice).pk}/messages"

    answers = [program.call("post", path, {"text": "Hi"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 429]
    assert answers[1]["Retry-After"]


# What is wrong


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, ["body", "body", "text"]),
        ({"text": "a\x00b"}, ["body", "body", "text"]),
        ({"text": 1}, ["body", "body", "text"]),
        ({"text": "Hi", "count": 10**6}, ["body", "body", "count"]),
        ({"text": "Hi", "temperature": 1}, ["body", "body", "temperature"]),
        ({"text": "Hi", "parent": "x"}, ["body", "body", "parent"]),
    ],
)
def test_bad_body_names_the_field(
    program: Program, alice: User, body: dict[str, Any], at: list[str]
) -> None:
    response = program.call("post", f"/chats/{given.chat(alice).pk}/messages", body)

    assert code_of(response) == (422, "invalid")
    assert [field["at"] for field in response.json()["error"]["fields"]] == [at]
    assert ChatMessage.objects.count() == 0


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"text": "\\ud800"}', b'{"text": NaN}'])
def test_damaged_body_is_refused(program: Program, alice: User, body: bytes) -> None:
    path = f"/api/v1/chats/{given.chat(alice).pk}/messages"

    response = program.client.generic("POST", path, body, content_type="application/json")

    assert response.status_code in (400, 422)
    assert response.json()["error"]["message"]


def test_model_that_is_not_on_offer_is_refused(program: Program) -> None:
    assert code_of(program.call("post", "/chats", {"model": "none"})) == (422, "model_not_on_offer")
    assert Chat.objects.count() == 0


def test_documentation_comes_from_this_site_alone(client: Client, db: None) -> None:
    page = client.get("/api/v1/docs")

    assert page.status_code == 200
    assert "script-src 'self';" in page["Content-Security-Policy"] + ";"
    assert "https://" not in page.content.decode()
    assert client.get("/api/v1/openapi.json").json()["info"]["title"] == "Open Assistant API"


def test_voting_on_a_prompt_is_refused(program: Program, alice: User) -> None:
    chat, (prompt, _reply) = given.thread(alice)

    response = program.call("put", f"/chats/{chat.pk}/messages/{prompt.pk}/vote", {"value": 1})

    assert code_of(response) == (400, "invalid_vote")
    assert conversations.of(alice, chat.pk)
