"""`manage.py export_chats`: what people allow, what they said of it, and nobody's name."""

import gzip
import io
import json
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from chat_app import conversations, exporting
from chat_app.enums import MessageState
from chat_app.exporting import Format, Selection
from chat_app.models import Chat, ChatMessage
from oasst.accounts.models import User
from tasks_app import export_format
from tasks_app.export_format import Anonymizer
from tests.chat_app import given
from tests.factories import NOW


def exported(file_format: Format = Format.TREES, **selection: Any) -> list[dict[str, Any]]:
    out = io.BytesIO()
    exporting.export(out, file_format, Selection(**selection), Anonymizer("seed"))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def texts(rows: list[dict[str, Any]]) -> set[str]:
    return {
        node.text
        for row in rows
        for node in export_format.visit_messages(export_format.tree_from_json(row).prompt)
    }


def drafts_of(user: User) -> tuple[Chat, list[ChatMessage]]:
    """One prompt with three drafts."""
    chat, (prompt, first) = given.thread(user, "Why?", "Good")
    return chat, [first, *(given.answer(prompt, text) for text in ("Bad", "Worse"))]


def test_chat_is_a_tree_that_readers_of_the_format_take(alice: User) -> None:
    chat, (prompt, reply, again, _last) = given.thread(alice, "Why?", "So.", "And?", "That.")

    (row,) = exported()

    tree = export_format.tree_from_json(row)
    nodes = list(export_format.visit_messages(tree.prompt))
    assert [node.text for node in nodes] == ["Why?", "So.", "And?", "That."]
    assert [node.synthetic for node in nodes] == [False, True, False, True]
    assert [node.model_name for node in nodes] == [None, "tiny", None, "tiny"]
    assert (tree.tree_state, tree.origin) == ("not_applicable", "chat")
    assert nodes[0].user_id == nodes[2].user_id
    written = json.dumps(row)
    for secret in (alice.pk, alice.email, chat.pk, prompt.pk, reply.pk, again.pk):
        assert str(secret) not in written


def test_branch_of_the_first_prompt_is_a_tree_of_its_own(alice: User) -> None:
    chat, _messages = given.thread(alice, "Why?", "So.")
    given.prompt(chat, "How?", now=NOW + timedelta(minutes=1))

    assert [row["prompt"]["text"] for row in exported()] == ["Why?", "How?"]


def test_only_consented_chats_of_people_in_good_standing_leave(
    alice: User, bob: User, trudy: User
) -> None:
    given.thread(alice, "May be used", "Yes.")
    refused, _messages = given.thread(bob, "Must not be used", "No.")
    conversations.set_data_use(refused, False)
    given.thread(trudy, "By somebody banned", "No.")
    given.thread(bob, "By a program", "No.", from_api=True, allow_data_use=False)

    assert texts(exported()) == {"May be used", "Yes."}


def test_held_and_broken_texts_are_left_out_with_what_follows(alice: User) -> None:
    _chat, (prompt, held, *_rest) = given.thread(alice, "Why?", "Secret", "And?", "More")
    ChatMessage.objects.filter(pk=held.pk).update(hold="held")
    given.answer(prompt, "Half", state=MessageState.INTERRUPTED)
    given.answer(prompt, "", state=MessageState.FAILED)
    given.answer(prompt, "Stopped", state=MessageState.STOPPED)

    assert texts(exported()) == {"Why?", "Stopped"}


def test_truncated_answers_are_told_as_such_and_teach_nothing(alice: User) -> None:
    chat, (_prompt, _whole, again, whole) = given.thread(alice, "Why?", "So.", "And?", "Whole.")
    stopped = given.answer(again, "Sto", state=MessageState.STOPPED)
    full = given.answer(again, "A lot, but", finish_reason="length")
    given.answer(given.prompt(chat, "Go on", parent=stopped), "Below.")
    for reply, thumb in ((stopped, 1), (full, -1), (whole, 1)):
        conversations.vote(reply, thumb, now=NOW)

    (row,) = exported()
    answers = row["prompt"]["replies"][0]["replies"][0]["replies"]

    cut = {answer["text"] for answer in answers if answer.get("truncated")}
    assert (cut, len(answers)) == ({"Sto", "A lot, but"}, 3)
    assert [said["messages"][-1]["content"] for said in exported(Format.SFT)] == ["Whole."]
    assert preferences() == []


def test_thread_before_a_truncated_answer_is_still_learnt(alice: User) -> None:
    _chat, (*_rest, last) = given.thread(alice, "Why?", "So.", "And?", "Tha")
    ChatMessage.objects.filter(pk=last.pk).update(finish_reason="length")

    (row,) = exported(Format.SFT)

    assert [turn["content"] for turn in row["messages"]] == ["Why?", "So."]


def test_notes_that_the_safety_check_finds_something_in_are_left_out(alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)
    conversations.vote(reply, -1, now=NOW, reasons=["wrong"], text="Write to ann@example.org")
    conversations.report(reply, alice, "privacy", "My card is 4111 1111 1111 1111", now=NOW)

    (row,) = exported()

    events = row["prompt"]["replies"][0]["events"]
    assert (events["score"][0]["reasons"], "text" in events["score"][0]) == (["wrong"], False)
    assert (events["report"][0]["report_type"], events["report"][0]["reason"]) == ("privacy", "")


def test_marked_texts_can_be_left_out(alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice, "Why?", "Call 0123")
    ChatMessage.objects.filter(pk=reply.pk).update(hold="marked")

    assert texts(exported()) == {"Why?", "Call 0123"}
    assert texts(exported(marked=False)) == {"Why?"}


def test_picked_draft_is_ranked_above_the_others(alice: User) -> None:
    chat, drafts = drafts_of(alice)
    conversations.choose_draft(chat, drafts[0], now=NOW)

    (row,) = exported()

    ranks = {reply["text"]: reply["rank"] for reply in row["prompt"]["replies"]}
    assert ranks == {"Good": 0, "Bad": 1, "Worse": 1}
    (ranking,) = row["prompt"]["events"]["ranking"]
    assert ranking["message_tree_id"] == ranking["ranking_parent_id"] == row["message_tree_id"]
    assert ranking["ranked_message_ids"][0] == row["prompt"]["replies"][0]["message_id"]
    pairs = [(p["chosen"][0]["content"], p["rejected"][0]["content"]) for p in preferences()]
    assert sorted(pairs) == [("Good", "Bad"), ("Good", "Worse")]


def preferences() -> list[dict[str, Any]]:
    return exported(Format.PREFERENCE)


def test_thumbs_up_and_down_make_a_preference(alice: User) -> None:
    _chat, drafts = drafts_of(alice)
    conversations.vote(drafts[0], -1, now=NOW, reasons=["wrong"], text="No.")
    conversations.vote(drafts[1], 1, now=NOW)

    pairs = [(p["chosen"][0]["content"], p["rejected"][0]["content"]) for p in preferences()]
    (row,) = exported()
    events = {reply["text"]: reply.get("events", {}) for reply in row["prompt"]["replies"]}

    assert pairs == [("Bad", "Good")]
    (score,) = events["Good"]["score"]
    assert (score["score"], score["reasons"], score["text"]) == (-1, ["wrong"], "No.")
    assert events["Worse"] == {}


def test_one_thumb_alone_prefers_nothing(alice: User) -> None:
    _chat, drafts = drafts_of(alice)
    conversations.vote(drafts[0], 1, now=NOW)

    assert preferences() == []


def test_report_is_told_without_a_name(alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)
    conversations.report(reply, alice, "offensive", "Rude.", now=NOW)

    (row,) = exported()

    (event,) = row["prompt"]["replies"][0]["events"]["report"]
    assert (event["report_type"], event["reason"]) == ("offensive", "Rude.")
    assert event["user_id"] == row["prompt"]["user_id"] != str(alice.pk)


def test_selections_narrow_the_export(alice: User, bob: User) -> None:
    first, (_p, reply) = given.thread(alice, "First", "A")
    given.thread(bob, "Second", "B", now=NOW + timedelta(days=2))
    conversations.vote(reply, 1, now=NOW)
    conversations.report(reply, alice, "spam", "", now=NOW)
    later = NOW + timedelta(days=1)

    for selection in (
        {"until": later}, {"user": alice.pk}, {"chat": first.pk}, {"scored": True},
        {"reported": True},
    ):  # fmt: skip
        assert texts(exported(**selection)) == {"First", "A"}, selection
    assert texts(exported(since=later)) == {"Second", "B"}


def test_export_asks_the_same_of_the_database_for_many(alice: User) -> None:
    for count in (1, 3):
        while Chat.objects.count() < count:
            chat, drafts = drafts_of(alice)
            conversations.choose_draft(chat, drafts[0], now=NOW)
        asked: list[str] = []
        with connection.execute_wrapper(partial(note, asked)):
            assert len(exported()) == count
        assert len(asked) == 4  # chats, messages, reports, drafts that were not picked


def note(asked: list[str], execute: Any, sql: str, *args: Any) -> Any:
    asked.append(sql)
    return execute(sql, *args)


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("export_chats", *args, stdout=out)
    return out.getvalue()


def test_command_writes_the_same_bytes_for_the_same_seed(alice: User, tmp_path: Path) -> None:
    given.thread(alice, "Why?", "So.")
    files = [tmp_path / name for name in ("a.jsonl.gz", "b.jsonl.gz", "c.jsonl.gz")]

    for path, seed in zip(files, ["1", "1", "2"], strict=True):
        said = run("--out", str(path), "--anonymize-seed", seed)

    assert said.startswith("Exported 1 trees of 1 chats as 1 trees")
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()
    rows = [json.loads(line) for line in gzip.decompress(files[0].read_bytes()).splitlines()]
    assert texts(rows) == {"Why?", "So."}


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--from-date", "yesterday"], "from-date"),
        (["--user", "alice"], "user"),
        (["--out", "/no/such/folder/x.jsonl"], "No such file"),
    ],
)
def test_command_says_what_is_wrong(db: None, args: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        run(*args)
