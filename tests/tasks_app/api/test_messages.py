"""Messages, trees and contributions by the API: what the pages show to the same person, no more."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from tasks_app import browsing, gold_items, moderation, pacing
from tasks_app.enums import TaskType, TreeState
from tasks_app.labels import REPORT_LABELS
from tasks_app.models import Contribution, Message, MessageTree, Reaction, Report, Task, TextLabels
from tests import factories
from tests.calling import Program, code_of, token_of
from tests.factories import NOW, grow

pytestmark = pytest.mark.django_db
SECRET = "secret-7b"


def in_review(user: User) -> tuple[factories.Grown, str]:
    """A tree with a message that somebody is reviewing, and the task."""
    grown = grow("P(A A?)")
    kind = TaskType.LABEL_ASSISTANT_REPLY
    return grown, str(factories.hand_out(user, kind, grown[2], now=timezone.now()).pk)


# Reading


def test_messages_are_listed_page_by_page(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "PAGE_SIZE", 2)
    grown = grow("P(A A- Ax A)")

    first = program.get("/messages")
    second = program.get(f"/messages?before={first['next']}")

    listed = [each["text"] for page in (first, second) for each in page["items"]]
    assert listed == [grown[4].text, grown[1].text, grown[0].text]
    assert second["next"] is None


def test_messages_are_found_by_words_role_and_state(program: Program, alice: User) -> None:
    grown = grow("P(A A?)", authors={1: alice})
    Message.objects.filter(pk=grown[1].pk).update(text="A purple elephant")

    def found(query: str) -> list[str]:
        return [each["id"] for each in program.get(f"/messages?{query}")["items"]]

    assert found("q=elephant") == found("mine=true") == [str(grown[1].pk)]
    assert found("role=prompter") == [str(grown[0].pk)]
    assert found("state=review") == [str(grown[2].pk)]
    assert found("state=accepted&role=assistant") == [str(grown[1].pk)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("before=nonsense", (422, "invalid")),
        ("before=1-2", (422, "invalid")),
        ("state=removed", (422, "invalid")),
        ("lang=de", (400, "language_not_yours")),
        ("q=" + "x" * 201, (422, "invalid")),
    ],
)
def test_bad_filter_is_refused(program: Program, query: str, expected: tuple[int, str]) -> None:
    assert code_of(program.call("get", f"/messages?{query}")) == expected


def test_list_costs_the_same_for_many(
    program: Program, alice: User, django_assert_num_queries: Any
) -> None:
    program.get("/messages")  # the first use of a token is noted
    for count in (1, 3):
        while MessageTree.objects.count() < count:
            grow("P(A)", author=alice)
        with django_assert_num_queries(10):  # three of them are of the transaction
            assert len(program.get("/messages")["items"]) == 2 * count


def test_tree_and_thread_are_those_of_the_page(program: Program) -> None:
    grown = grow("P(A(P) A A-)")
    Message.objects.filter(pk=grown[3].pk).update(rank=0)
    Message.objects.filter(pk=grown[1].pk).update(rank=1)

    tree = program.get(f"/trees/{grown.tree.pk}")
    thread = program.get(f"/messages/{grown[2].pk}/thread")

    order = [0, 3, 1, 2, 4]
    assert [each["id"] for each in tree["messages"]] == [str(grown[n].pk) for n in order]
    assert tree["messages"][1]["status"]["label"] == "Place 1 of 2"
    assert (tree["messages"][4]["state"], tree["messages"][4]["text"]) == ("not_accepted", "")
    assert tree["messages"][4]["hidden"]
    assert [each["id"] for each in thread] == [str(grown[n].pk) for n in (0, 1, 2)]
    assert program.get(f"/messages/{grown[1].pk}/tree") == tree


def test_tree_costs_the_same_for_many(program: Program, django_assert_num_queries: Any) -> None:
    program.get("/messages")
    for drawing in ("P(A)", "P(A A(P) A)"):
        grown = grow(drawing)
        with django_assert_num_queries(10):
            assert len(program.get(f"/trees/{grown.tree.pk}")["messages"]) == len(grown.messages)


def test_author_is_told_what_became_of_a_message(program: Program, alice: User, bob: User) -> None:
    grown = grow("P(A-)", authors={1: alice})
    path = f"/messages/{grown[1].pk}"

    own, others = program.get(path), Program(token_of(bob)).get(path)

    assert (own["text"], own["is_own"], own["state"]) == (grown[1].text, True, "not_accepted")
    assert any("marked it as" in note for event in own["events"] for note in event["notes"])
    assert (others["text"], others["events"], others["author"]) == ("", None, "")


def test_moderator_sees_whose_a_message_is(mona: User, alice: User) -> None:
    grown = grow("P(A)", author=alice)

    assert Program(token_of(mona)).get(f"/messages/{grown[1].pk}")["author"] == "Alice"


# What must not be told


@pytest.mark.parametrize("path", ["/messages/{message}", "/messages/{message}/thread",
                                  "/messages/{message}/tree", "/trees/{tree}"])  # fmt: skip
def test_tree_of_ones_own_review_is_not_shown(program: Program, alice: User, path: str) -> None:
    grown, task = in_review(alice)

    for message in grown:
        response = program.call("get", path.format(message=message.pk, tree=grown.tree.pk))

        assert code_of(response) == (409, "under_review")
        assert response.json()["error"]["details"] == {"task": task}
    assert program.get("/messages")["items"] == []


def test_gold_item_in_hand_is_refused_like_a_message_in_review(
    program: Program, alice: User, mona: User
) -> None:
    known = grow("P(A)", state=TreeState.READY_FOR_EXPORT)[1]
    item = gold_items.make(known.pk, {"spam": 0.0}, explanation="Fine.", actor=mona, now=NOW)
    _grown, pk = in_review(alice)

    Task.objects.filter(pk=pk).update(gold=item, message=known, tree=None, holds_slot=False)

    refused = program.call("get", f"/messages/{known.pk}")

    assert code_of(refused) == (409, "under_review")
    assert str(known.pk) not in str(program.get("/messages"))


def test_reaction_tells_no_rejected_gold_item_from_a_message_in_review(
    program: Program, alice: User, bob: User, mona: User
) -> None:
    known = grow("P(A-)", state=TreeState.READY_FOR_EXPORT)[1]
    item = gold_items.make(known.pk, {"spam": 1.0}, explanation="Spam.", actor=mona, now=NOW)
    in_hand = [in_review(user) for user in (alice, bob)]
    Task.objects.filter(pk=in_hand[0][1]).update(
        gold=item, message=known, tree=None, holds_slot=False
    )

    told = program.call("put", f"/messages/{known.pk}/reactions/clap")
    plain = in_hand[1][0][2]
    other = Program(token_of(bob)).call("put", f"/messages/{plain.pk}/reactions/clap")

    assert (told.status_code, told.json()) == (200, other.json())


def test_whoever_is_about_to_rank_is_not_told_who_wrote_what(program: Program, alice: User) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    Message.objects.filter(pk=grown[1].pk).update(synthetic=True, model_name=SECRET)
    factories.hand_out(alice, TaskType.RANK_ASSISTANT_REPLIES, grown.root, now=timezone.now())

    told = [program.get(f"/messages/{m.pk}") for m in grown] + [program.get("/messages")]
    told.append(program.get(f"/trees/{grown.tree.pk}"))

    assert SECRET not in str(told)
    assert "'by_model': True" not in str(told)


def test_moderator_about_to_rank_does_not_see_authors(mona: User, bob: User) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING, author=bob)
    factories.hand_out(mona, TaskType.RANK_ASSISTANT_REPLIES, grown.root, now=timezone.now())

    told = Program(token_of(mona)).get(f"/trees/{grown.tree.pk}")

    assert [each["author"] for each in told["messages"]] == ["", "", ""]


def test_tree_whose_copy_is_ranked_blind_holds_its_replies_back(program: Program) -> None:
    original = grow("P(A A)", state=TreeState.READY_FOR_EXPORT)
    copy = grow("P(A A)", state=TreeState.RANKING)
    MessageTree.objects.filter(pk=copy.tree.pk).update(copy_of=original.tree)

    told = program.get(f"/trees/{original.tree.pk}")["messages"]

    assert [each["text"] for each in told] == [original[0].text, "", ""]
    listed = [each["id"] for each in program.get("/messages")["items"]]
    assert str(original[1].pk) not in listed


def test_message_that_is_held_back_is_not_there_for_others(
    program: Program, alice: User, bob: User
) -> None:
    grown = grow("P(A?0)", authors={1: alice})
    Message.objects.filter(pk=grown[1].pk).update(held=True)
    path = f"/messages/{grown[1].pk}"

    refused = Program(token_of(bob)).call("get", path)

    assert code_of(refused) == (404, "message_not_found")
    assert program.get(path)["text"] == grown[1].text
    assert "held" not in str(program.get(path)).lower()


# Saying something


def test_reaction_is_given_and_taken_back(program: Program, alice: User) -> None:
    path = f"/messages/{grow('P').root.pk}/reactions"

    up = program.call("put", f"{path}/+1").json()
    down = program.call("put", f"{path}/-1").json()
    again = program.call("put", f"{path}/-1").json()
    none = program.call("delete", f"{path}/-1").json()

    assert {each["code"]: each["count"] for each in up if each["given"]} == {"+1": 1}
    assert [each["code"] for each in down if each["given"]] == ["-1"]
    assert again == down
    assert [each["code"] for each in none if each["given"]] == []
    assert not Reaction.objects.exists()


@pytest.mark.parametrize("code", ["red_flag", "nonsense", "_skip_reply", "%00", "x" * 300])
def test_other_reaction_is_refused(program: Program, code: str) -> None:
    response = program.call("put", f"/messages/{grow('P').root.pk}/reactions/{code}")

    assert code_of(response) == (400, "invalid_reaction")
    assert not Reaction.objects.exists()


def test_report_reaches_the_moderators_once(program: Program, alice: User) -> None:
    path = f"/messages/{grow('P').root.pk}/report"

    for words in ("Look.", "Look again."):
        body = {"category": "spam", "text": words}
        assert program.call("post", path, body).status_code == 204

    assert Report.objects.get().text == "Look again."


def test_report_sent_again_is_one_contribution(program: Program, alice: User) -> None:
    program.client.defaults["HTTP_IDEMPOTENCY_KEY"] = "one"
    path = f"/messages/{grow('P').root.pk}/report"

    answers = [program.call("post", path, {"category": "spam"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert Contribution.objects.filter(user=alice, kind="report").count() == 1


def test_reports_have_the_limit_of_the_page(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pacing._REPORTS, "limit", 0)

    response = program.call("post", f"/messages/{grow('P').root.pk}/report", {"category": "spam"})

    assert code_of(response) == (429, "too_many_requests")
    assert int(response["Retry-After"]) > 0
    assert not Report.objects.exists()


def test_categories_are_those_of_the_page(program: Program) -> None:
    schemas = program.get("/openapi.json")["components"]["schemas"]

    assert schemas["MessageReportIn"]["properties"]["category"]["enum"] == list(REPORT_LABELS)


def test_free_labels_are_stored_and_replaced(program: Program, alice: User) -> None:
    path = f"/messages/{grow('P').root.pk}/labels"
    asked = [each["name"] for each in program.get(path)]

    program.call("put", path, {"labels": {"quality": 0.25}})
    changed = program.call("put", path, {"labels": {"quality": 0.5, "pii": 1, "spam": None}})

    assert changed.status_code == 204
    assert {"quality", "pii", "spam"} <= set(asked)
    assert TextLabels.objects.get(user=alice).values == {"quality": 0.5, "pii": 1.0}


@pytest.mark.parametrize("values", [{}, {"colour": 1}, {"quality": 0.3}, {"spam": None}])
def test_bad_free_labels_are_refused(program: Program, alice: User, values: dict[str, Any]) -> None:
    path = f"/messages/{grow('P').root.pk}/labels"

    response = program.call("put", path, {"labels": values})

    assert response.status_code in {400, 422}
    assert not TextLabels.objects.filter(user=alice).exists()


# One's own


def test_contributions_are_listed_with_what_became_of_them(program: Program, alice: User) -> None:
    message = factories.write_prompt(alice, "Why is the sky blue?", now=timezone.now())

    found = program.get("/me/contributions")

    (entry,) = found["items"]
    assert (entry["kind"], entry["message"]["id"]) == ("prompt", str(message.pk))
    assert entry["message"]["text"] == "Why is the sky blue?"
    assert entry["story"].startswith("Waits for")
    assert found["next"] is None
    assert program.get("/me/contributions?kind=ranking")["items"] == []
    assert program.get("/me/contributions?outcome=waiting")["items"] == [entry]


def test_contributions_are_listed_page_by_page(
    program: Program, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "PAGE_SIZE", 1)
    for text in ("One?", "Two?"):
        factories.write_prompt(alice, text, now=timezone.now())

    first = program.get("/me/contributions")
    second = program.get(f"/me/contributions?before={first['next']}")

    assert [p["items"][0]["message"]["text"] for p in (first, second)] == ["Two?", "One?"]
    assert second["next"] is None


def test_contributions_cost_the_same_for_many(
    program: Program, alice: User, django_assert_num_queries: Any
) -> None:
    program.get("/me/contributions")
    for count in (1, 3):
        while Message.objects.filter(user=alice).count() < count:
            number = Message.objects.count()
            factories.write_prompt(alice, f"Prompt {number}?", now=timezone.now())
        with django_assert_num_queries(8):
            assert len(program.get("/me/contributions")["items"]) == count


def test_removed_message_that_one_reviewed_is_not_shown(
    program: Program, alice: User, mona: User
) -> None:
    grown = grow("P(A?)")
    now = timezone.now()
    factories.label(alice, grown[1], now=now)
    moderation.delete_message(grown[1].pk, actor=mona, reason="Spam.", now=now)

    (entry,) = program.get("/me/contributions")["items"]

    assert entry["message"]["text"] is None
    assert grown[1].text not in str(entry)


# Who may


CALLS: list[tuple[str, str, Any]] = [
    ("get", "/messages", None),
    ("get", "/messages/{message}", None),
    ("get", "/messages/{message}/thread", None),
    ("get", "/messages/{message}/tree", None),
    ("get", "/trees/{tree}", None),
    ("get", "/messages/{message}/labels", None),
    ("put", "/messages/{message}/labels", {"labels": {"quality": 1}}),
    ("put", "/messages/{message}/reactions/clap", None),
    ("delete", "/messages/{message}/reactions/clap", None),
    ("post", "/messages/{message}/report", {"category": "spam"}),
    ("get", "/me/contributions", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_token_is_needed_and_its_scope(alice: User, method: str, path: str, body: Any) -> None:
    root = grow("P").root
    full = path.format(message=root.pk, tree=root.pk)
    right = Scope.READ_TASKS if method == "get" else Scope.WRITE_TASKS
    right = Scope.READ_ACCOUNT if path.startswith("/me/") else right
    others = [scope for scope in Scope if scope != right]

    assert code_of(Program("").call(method, full, body)) == (401, "token_missing")
    narrow = Program(token_of(alice, *others)).call(method, full, body)
    assert code_of(narrow) == (403, "scope_missing")
    assert narrow.json()["error"]["details"] == {"missing_scopes": [right.value]}
    assert not Reaction.objects.exists()
    assert not Report.objects.exists()


@pytest.mark.parametrize(("method", "path", "body"), [c for c in CALLS if "{" in c[1]])
def test_what_is_not_there_is_not_found(
    program: Program, method: str, path: str, body: Any
) -> None:
    unknown = uuid.uuid4()

    response = program.call(method, path.format(message=unknown, tree=unknown), body)

    assert code_of(response) == (404, "message_not_found")


@pytest.mark.parametrize(("method", "path", "body"), [c for c in CALLS if c[0] != "get"])
def test_muted_person_says_nothing(alice: User, method: str, path: str, body: Any) -> None:
    root = grow("P").root
    User.objects.filter(pk=alice.pk).update(muted_until=timezone.now() + timedelta(hours=1))

    response = Program(token_of(alice)).call(method, path.format(message=root.pk), body)

    assert code_of(response) == (403, "not_allowed")
    assert not Reaction.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [c for c in CALLS if c[0] != "get" or c[1].endswith("/labels")],
)
def test_removed_message_takes_nothing(program: Program, method: str, path: str, body: Any) -> None:
    removed = grow("P(Ax)")[1]

    response = program.call(method, path.format(message=removed.pk), body)

    assert code_of(response) == (404, "message_not_found")
