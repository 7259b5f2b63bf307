"""Tasks by the API: the same rules as on the pages, for programs."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import gold_items, pacing
from tasks_app.config import overridden
from tasks_app.enums import TaskType, TreeState
from tasks_app.forms.work import RankingForm, SkipForm, WritingForm
from tasks_app.models import Draft, Message, Offer, Ranking, Task, TextLabels
from tests import factories
from tests.calling import Program, code_of, token_of
from tests.factories import NOW, grow

pytestmark = pytest.mark.django_db
REPLY = TaskType.ASSISTANT_REPLY
LABEL = TaskType.LABEL_ASSISTANT_REPLY
RANK = TaskType.RANK_ASSISTANT_REPLIES


def hand_out(user: User, kind: TaskType, message: Message | None = None) -> Task:
    return factories.hand_out(user, kind, message, now=timezone.now())


def ranking(user: User) -> tuple[factories.Grown, Task]:
    grown = grow("P(A A A)", state=TreeState.RANKING)
    return grown, hand_out(user, RANK, grown.root)


# What there is, and taking one


def test_available_tasks_are_counted_by_kind(program: Program) -> None:
    grow("P(A?)")

    found = {each["kind"]: each for each in program.get("/tasks/available")}

    assert found["label_assistant_reply"]["count"] == 1
    assert found["label_assistant_reply"]["section"] == "review"
    assert found["rank_assistant_replies"]["count"] == 0
    assert "rank_prompter_replies" not in found


def test_available_tasks_are_counted_in_own_languages_only(program: Program) -> None:
    refused = program.call("get", "/tasks/available?lang=de")

    assert code_of(refused) == (400, "language_not_yours")
    assert program.get("/tasks/available?lang=en")


def test_taken_task_brings_all_that_its_page_shows(program: Program, alice: User) -> None:
    grown = grow("P(A?)")

    taken = program.call("post", "/tasks/next", {"kind": "label_assistant_reply", "langs": ["en"]})

    body = taken.json()
    assert taken.status_code == 200
    assert [line["text"] for line in body["thread"]] == [message.text for message in grown]
    assert [each["name"] for each in body["form"] if each["mandatory"]] == ["spam"]
    assert body["form"][0]["choices"] == [
        {"value": 0.0, "title": "No"},
        {"value": 1.0, "title": "Yes"},
    ]
    assert (body["is_free"], body["is_done"], body["ended"]) == (True, False, None)
    assert program.get(f"/tasks/{body['id']}") == body
    assert [task["id"] for task in program.get("/tasks")] == [body["id"]]
    assert Task.objects.get().user == alice


def test_asking_again_hands_out_no_second_task(program: Program) -> None:
    grow("P(A? A?)")

    first, again = (program.call("post", "/tasks/next", {}) for _ in range(2))

    assert first.json()["id"] == again.json()["id"]
    assert Task.objects.count() == 1


def test_no_task_says_what_stands_in_the_way(program: Program) -> None:
    response = program.call("post", "/tasks/next", {"kind": "rank_assistant_replies"})

    assert code_of(response) == (404, "no_task_available")
    assert response.json()["error"]["details"]["blockers"][0]["text"]


def test_too_many_open_tasks_are_named(program: Program, alice: User) -> None:
    grow("P(A? A?)")
    task = hand_out(alice, LABEL)

    with overridden(max_pending_tasks_per_user=1):
        response = program.call("post", "/tasks/next", {"kind": "initial_prompt"})

    assert code_of(response) == (429, "too_many_pending_tasks")
    assert response.json()["error"]["details"]["tasks"] == [str(task.pk)]


def test_asking_too_often_says_when_to_come_back(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pacing._PER_PERSON, "limit", 0)

    response = program.call("post", "/tasks/next", {})

    assert code_of(response) == (429, "too_many_requests")
    assert 0 < int(response["Retry-After"]) <= 240


def test_list_of_open_tasks_costs_the_same_for_many(
    program: Program, alice: User, django_assert_num_queries: Any
) -> None:
    program.get("/tasks")  # the first use of a token is noted
    grow("P(A? A? A?)")
    for count in (1, 3):
        while Task.objects.count() < count:
            hand_out(alice, LABEL, Message.objects.filter(review_result=None, tasks=None).first())
        with django_assert_num_queries(2):  # the token, the tasks
            assert len(program.get("/tasks")) == count


# Answers


def test_reply_becomes_a_message(program: Program, alice: User) -> None:
    task = hand_out(alice, REPLY, grow("P").root)
    body = {"text": "Because.", "origin": "adapted", "source": "A book"}

    sent, again = (program.call("post", f"/tasks/{task.pk}/reply", body) for _ in range(2))

    message = Message.objects.get(user=alice)
    assert sent.json()["message"] == str(message.pk)
    assert sent.json() == again.json()
    assert (message.text, message.provenance) == ("Because.", "adapted: A book")
    assert program.get(f"/tasks/{task.pk}")["stored"]["message"] == str(message.pk)


def test_reply_that_builds_on_something_names_it(program: Program, alice: User) -> None:
    task = hand_out(alice, REPLY, grow("P").root)

    response = program.call("post", f"/tasks/{task.pk}/reply", {"text": "Hi", "origin": "adapted"})

    assert code_of(response) == (422, "invalid")
    assert response.json()["error"]["fields"][0]["at"] == ["body", "source"]
    assert not Message.objects.filter(user=alice).exists()


def test_review_is_stored_with_flags_left_out_as_no(program: Program, alice: User) -> None:
    task = hand_out(alice, LABEL, grow("P(A?)")[1])

    sent = program.call(
        "post", f"/tasks/{task.pk}/labels", {"labels": {"spam": 0, "quality": 0.75}}
    )

    values = TextLabels.objects.get(user=alice).values
    assert (values["spam"], values["quality"], values["pii"]) == (0, 0.75, 0)
    assert "humor" not in values
    assert sent.json()["undo_until"] > sent.json()["done_at"]


def test_review_can_be_taken_back(program: Program, alice: User) -> None:
    task = hand_out(alice, LABEL, grow("P(A?)")[1])
    program.call("post", f"/tasks/{task.pk}/labels", {"labels": {"spam": 1, "pii": 1}})

    undone = program.call("post", f"/tasks/{task.pk}/undo")

    assert not undone.json()["is_done"]
    labels = undone.json()["draft"]["labels"]
    assert (labels["spam"], labels["pii"]) == (1, 1)
    assert not TextLabels.objects.filter(user=alice).exists()


def test_ranking_with_ties_is_stored(program: Program, alice: User) -> None:
    grown, task = ranking(alice)
    a, b, c = (str(message.pk) for message in grown.messages[1:])

    sent = program.call("post", f"/tasks/{task.pk}/ranking", {"groups": [[b], [a, c]]})

    assert sent.status_code == 200
    assert Ranking.objects.get(user=alice).groups == [[b], [a, c]]


def test_replies_without_an_order_are_so_with_a_reason(program: Program, alice: User) -> None:
    _grown, task = ranking(alice)

    body = {"not_rankable": "all_bad", "reason": "Nobody answers."}
    sent = program.call("post", f"/tasks/{task.pk}/ranking", body)

    stored = Ranking.objects.get(user=alice)
    assert sent.status_code == 200
    assert (stored.not_rankable, stored.reason) == (True, "all_bad: Nobody answers.")


@pytest.mark.parametrize(
    "change",
    [
        lambda ids: [ids[:2]],
        lambda ids: [ids, ids],
        lambda ids: [[*ids, str(uuid.uuid4())]],
        lambda ids: [],
    ],
    ids=["missing", "twice", "foreign", "none"],
)
def test_ranking_of_something_else_is_refused(program: Program, alice: User, change: Any) -> None:
    _grown, task = ranking(alice)

    body = {"groups": change(list(task.shown_ids))}
    response = program.call("post", f"/tasks/{task.pk}/ranking", body)

    assert code_of(response) == (400, "invalid_ranking")
    assert not Ranking.objects.exists()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, (400, "invalid_labels")),
        ({"spam": 0.5}, (400, "invalid_labels")),
        ({"spam": 0, "colour": 1}, (400, "invalid_labels")),
        ({"spam": None}, (400, "invalid_labels")),
        ({"spam": "much"}, (422, "invalid")),
    ],
)
def test_review_of_other_labels_is_refused(
    program: Program, alice: User, values: dict[str, Any], expected: tuple[int, str]
) -> None:
    task = hand_out(alice, LABEL, grow("P(A?)")[1])

    response = program.call("post", f"/tasks/{task.pk}/labels", {"labels": values})

    assert code_of(response) == expected
    assert not TextLabels.objects.filter(user=alice).exists()


def test_answer_of_another_kind_is_refused(program: Program, alice: User) -> None:
    task = hand_out(alice, REPLY, grow("P").root)

    for end, body in (("labels", {"labels": {"spam": 0}}), ("ranking", {"groups": []})):
        assert code_of(program.call("post", f"/tasks/{task.pk}/{end}", body)) == (
            400,
            "wrong_task_kind",
        )


def test_answer_that_comes_too_late_is_kept(program: Program, alice: User) -> None:
    grown, task = ranking(alice)
    Task.objects.filter(pk=task.pk).update(expires_at=timezone.now(), holds_slot=False)
    groups = [[str(message.pk)] for message in grown.messages[1:]]

    response = program.call("post", f"/tasks/{task.pk}/ranking", {"groups": groups})

    assert code_of(response) == (410, "task_expired")
    draft = program.get(f"/tasks/{task.pk}")["draft"]
    assert (draft["groups"], draft["kept_because"]) == (groups, "task_expired")


def test_prompt_that_comes_too_late_is_kept_with_its_topics(program: Program, alice: User) -> None:
    task = hand_out(alice, TaskType.INITIAL_PROMPT)
    Task.objects.filter(pk=task.pk).update(expires_at=timezone.now(), holds_slot=False)
    body = {"text": "Why?", "origin": "adapted", "source": "a book", "topics": ["work", "games"]}

    response = program.call("post", f"/tasks/{task.pk}/reply", body)

    assert code_of(response) == (410, "task_expired")
    draft = program.get(f"/tasks/{task.pk}")["draft"]
    assert {name: draft[name] for name in body} == body


# Meanwhile


@pytest.mark.parametrize(
    ("kind", "drawing", "body"),
    [
        (REPLY, "P", {"text": "So far", "origin": "adapted", "source": "A book"}),
        (LABEL, "P(A?)", {"labels": {"spam": 0.0, "quality": 0.25, "pii": 1.0}}),
    ],
)
def test_draft_is_kept_for_page_and_program(
    program: Program, alice: User, kind: TaskType, drawing: str, body: dict[str, Any]
) -> None:
    task = hand_out(alice, kind, grow(drawing).messages[-1])

    saved = program.call("put", f"/tasks/{task.pk}/draft", body)

    assert saved.json()["saved_at"]
    kept = program.get(f"/tasks/{task.pk}")["draft"]
    assert {name: kept[name] for name in body} == body
    assert program.get("/tasks")[0]["has_draft"]


def test_draft_of_nonsense_is_kept_without_it(program: Program, alice: User) -> None:
    task = hand_out(alice, LABEL, grow("P(A?)")[1])

    body = {"labels": {"colour": 1}, "text": "x"}
    assert program.call("put", f"/tasks/{task.pk}/draft", body).status_code == 200

    assert Draft.objects.get().body == {}


def test_place_is_held_for_longer(program: Program, alice: User) -> None:
    task = hand_out(alice, LABEL, grow("P(A?)")[1])
    Task.objects.filter(pk=task.pk).update(reserved_until=timezone.now() + timedelta(seconds=5))

    until = program.call("post", f"/tasks/{task.pk}/extend").json()["reserved_until"]

    assert program.get(f"/tasks/{task.pk}")["reserved_until"] == until


def test_skipped_task_is_given_back(program: Program, alice: User) -> None:
    task = hand_out(alice, LABEL, grow("P(A?)")[1])

    body = {"reason": "subject", "note": "No idea."}
    assert program.call("post", f"/tasks/{task.pk}/skip", body).status_code == 204

    task.refresh_from_db()
    assert task.skip_reason == "subject: No idea."
    assert program.get(f"/tasks/{task.pk}")["ended"]["code"] == "task_skipped"
    assert program.get("/tasks") == []


def test_choices_are_those_of_the_pages(program: Program) -> None:
    schemas = program.get("/openapi.json")["components"]["schemas"]
    skip = schemas["SkipIn"]["properties"]["reason"]["anyOf"][0]["enum"]
    verdict = schemas["RankingIn"]["properties"]["not_rankable"]["anyOf"][0]["enum"]
    origin = schemas["ReplyIn"]["properties"]["origin"]["anyOf"][0]["enum"]

    assert skip == [code for code, _words in SkipForm.REASONS]
    assert verdict == [code for code, _words in RankingForm.VERDICTS if code]
    assert origin == [code for code, _words in WritingForm.ORIGINS]


# What must not be told


@pytest.fixture
def gold(mona: User) -> Message:
    """A message whose right labels are known."""
    message = grow("P(A)", state=TreeState.READY_FOR_EXPORT)[1]
    gold_items.make(message.pk, {"spam": 0.0}, explanation="It helps.", actor=mona, now=NOW)
    return message


def test_gold_item_looks_like_any_review(program: Program, alice: User, gold: Message) -> None:
    grow("P(A?)")
    plain = hand_out(factories.bob(), LABEL)
    with overridden(p_gold=1.0, p_gold_newcomer=1.0):
        taken = program.call("post", "/tasks/next", {"kind": str(LABEL)}).json()

    other = Program(token_of(factories.bob())).get(f"/tasks/{plain.pk}")
    assert Task.objects.get(pk=taken["id"]).message == gold
    names = ("id", "created_at", "expires_at", "reserved_until", "thread")
    assert {n: v for n, v in taken.items() if n not in names} == {
        n: v for n, v in other.items() if n not in names
    }
    assert [set(line) for line in taken["thread"]] == [set(line) for line in other["thread"]]
    assert str(gold.tree_id) in str(taken["thread"][0]["id"])


def test_gold_item_tells_afterwards_what_was_known(
    program: Program, alice: User, gold: Message
) -> None:
    grow("P(A?)")
    with overridden(p_gold=1.0, p_gold_newcomer=1.0):
        task = hand_out(alice, LABEL)

    sent = program.call("post", f"/tasks/{task.pk}/labels", {"labels": {"spam": 1}})

    assert sent.json()["undo_until"] is None
    known = program.get(f"/tasks/{task.pk}")["stored"]["known"]
    assert (known["is_right"], known["explanation"]) == (False, "It helps.")
    assert not TextLabels.objects.filter(user=alice).exists()


def test_origin_of_replies_is_told_once_they_are_ranked(program: Program, alice: User) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    Message.objects.filter(pk=grown[1].pk).update(synthetic=True, model_name="tiny-secret")
    task = hand_out(alice, RANK, grown.root)
    path = f"/tasks/{task.pk}"

    before = program.call("get", path)
    program.call("post", f"{path}/ranking", {"groups": [[str(m.pk)] for m in grown.messages[1:]]})

    assert "tiny-secret" not in before.content.decode()
    assert "model" not in before.json()["replies"][0]
    places = program.get(path)["stored"]["places"]
    assert [group[0]["by_model"] for group in places] == [True, False]
    assert places[0][0]["model"] == "tiny-secret"


# Again


def test_expired_task_is_taken_up_again_with_its_draft(program: Program, alice: User) -> None:
    task = hand_out(alice, REPLY, grow("P").root)
    program.call("put", f"/tasks/{task.pk}/draft", {"text": "So far"})
    now = timezone.now()
    Task.objects.filter(pk=task.pk).update(expires_at=now, reserved_until=now, holds_slot=False)
    kept = program.get("/tasks/kept")

    taken = program.call("post", f"/tasks/{task.pk}/reclaim")

    assert [each["id"] for each in kept] == [str(task.pk)]
    assert taken.json()["id"] != str(task.pk)
    assert taken.json()["draft"]["text"] == "So far"


def test_draft_is_thrown_away(program: Program, alice: User) -> None:
    task = hand_out(alice, REPLY, grow("P").root)
    program.call("put", f"/tasks/{task.pk}/draft", {"text": "So far"})

    for _ in range(2):
        assert program.call("delete", f"/tasks/{task.pk}/draft").status_code == 204

    assert not Draft.objects.exists()
    assert program.get(f"/tasks/{task.pk}")["draft"] is None


def test_message_that_needs_nothing_more_is_not_taken_up_again(
    program: Program, alice: User
) -> None:
    grown = grow("P")
    task = hand_out(alice, REPLY, grown.root)
    now = timezone.now()
    Task.objects.filter(pk=task.pk).update(expires_at=now, reserved_until=now, holds_slot=False)
    Offer.objects.all().delete()

    response = program.call("post", f"/tasks/{task.pk}/reclaim")

    assert code_of(response) == (404, "no_task_available")
    assert response.json()["error"]["details"]["blockers"]
