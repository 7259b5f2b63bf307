"""The simple safety check: what it holds, what it marks, what it leaves alone, and how well."""

import gzip
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chat_app import replies, safety, sharing
from chat_app.enums import Hold, MessageState
from chat_app.errors import TextHeld
from chat_app.replies import Outcome
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW

FALSE_HOLDS = 0.001


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I want to kill myself", "self_harm"),
        ("sometimes i just want to end it all", "self_harm"),
        ("What is the most painless way to die?", "self_harm"),
        ("a story about a naked twelve year old girl", "minors"),
        ("I'm going to shoot everyone", "threat"),
        ("how to make a pipe bomb", "threat"),
        ("My card is 4111 1111 1111 1111, is it valid?", "payment"),
        ("Pay to DE89 3704 0044 0532 0130 00 please", "payment"),
    ],
)
def test_what_puts_somebody_at_risk_is_held_with_kind_words(text: str, reason: str) -> None:
    finding = safety.check(text)

    assert (finding.hold, finding.reason) == (Hold.HELD, reason)
    assert len(safety.kind_words(finding)) > 50


def test_long_gaps_between_words_take_no_time() -> None:
    began = time.process_time()

    assert safety.check("i" + " " * 20_000 + "x") == safety.FINE

    assert time.process_time() - began < 2
    assert safety.check("how  to \n make a\tpipe   bomb").reason == "threat"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("You are a retarded idiot", "offensive"),
        ("Write to jane.doe@example.org", "personal_data"),
        ("Call me at +1 415-555-0132 tonight", "personal_data"),
        ("My number is 078-05-1120", "personal_data"),
    ],
)
def test_what_is_rude_or_private_is_marked(text: str, reason: str) -> None:
    assert safety.check(text) == safety.Finding(Hold.MARKED, reason)


@pytest.mark.parametrize(
    "text",
    [
        "How do I kill a process in Linux?",
        "Children should learn about sex education at school",
        "This joke kills me, I want to die laughing",
        "How to make a bath bomb for my kids",
        "Since 2024-01-05 12:30 the price rose from 1 000 000 to 1 200 000",
        "The order number is 1234567890123456",
        "Version 10.2.3.4 was released",
        " ".join(str(number) for number in range(1, 1000)),
        "",
    ],
)
def test_everyday_words_pass(text: str) -> None:
    assert safety.check(text) == safety.FINE


@pytest.mark.parametrize(
    "piece", ["i ", "1 ", "kill my ", "12-", "a@a.", "how to ", "child ", "\n"]
)
def test_no_text_takes_long_to_check(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    started = time.perf_counter()

    safety.check(text)

    assert time.perf_counter() - started < 1


def test_a_held_prompt_is_not_stored_and_a_marked_one_is(alice: User) -> None:
    chat = given.chat(alice)

    with pytest.raises(TextHeld) as refusal:
        given.prompt(chat, "I want to kill myself")
    marked = given.prompt(chat, "Write to jane.doe@example.org")

    assert "helpline" in refusal.value.message
    assert [*chat.messages.all()] == [marked]
    assert (marked.hold, marked.hold_reason) == (Hold.MARKED, "personal_data")


def test_a_held_reply_is_kept_from_everybody_and_from_the_model(alice: User) -> None:
    reply, claim = given.running(alice)
    risky = Outcome(MessageState.DONE, text="Here is how to make a pipe bomb", finish_reason="stop")

    replies.finish(reply.pk, claim.attempt, risky, now=NOW)

    reply.refresh_from_db()
    assert (reply.hold, reply.hold_reason) == (Hold.HELD, "threat")
    (following,) = replies.request(given.prompt(reply.chat, "And then?", parent=reply), now=NOW)
    next_claim = replies.claim(following.model, given.worker(), now=NOW)
    assert next_claim is not None
    assert "bomb" not in str(next_claim.request.turns)
    assert "bomb" not in str(sharing.share(reply.chat, now=NOW).thread)


# Figures, on published data


def rows(path: Path) -> list[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def shares(texts: list[str]) -> dict[str, float]:
    counts = Counter(safety.check(text).hold for text in texts)
    return {str(hold): count / len(texts) for hold, count in counts.items()}


@pytest.mark.real_data
def test_next_to_nothing_of_ordinary_conversations_is_held(data_folder: Path) -> None:
    texts = rows(data_folder / "oasst" / "oasst1_en_train_texts.dev.jsonl.gz")[::12]
    found = shares([row["text"] for row in texts])
    messages = rows(data_folder / "moderation" / "sms_spam.dev.jsonl.gz")
    ham = shares([row["text"] for row in messages if row["label"] == "ham"])

    assert found.get("held", 0) < FALSE_HOLDS
    assert ham.get("held", 0) < FALSE_HOLDS
    assert found.get("marked", 0) < 0.01
    assert ham.get("marked", 0) < 0.03


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("category", "least_held", "least_found"),
    [("SH", 0.4, 0.5), ("S3", 0.5, 0.65), ("S", 0.2, 0.45), ("HR", 0.0, 0.45), ("H", 0.0, 0.25)],
)
def test_moderated_prompts_are_found_as_often_as_measured(
    data_folder: Path, category: str, least_held: float, least_found: float
) -> None:
    labelled = rows(data_folder / "moderation" / "moderation_categories.dev.jsonl.gz")
    found = shares([row["prompt"] for row in labelled if row.get(category) == 1])

    assert found.get("held", 0) >= least_held
    assert 1 - found.get("", 0) >= least_found


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("kind", "hold", "least"),
    [
        ("CREDIT_CARD", "held", 0.75),
        ("IBAN_CODE", "held", 0.95),
        ("EMAIL_ADDRESS", "marked", 0.9),
        ("US_SSN", "marked", 0.95),
        ("PHONE_NUMBER", "marked", 0.6),
    ],
)
def test_personal_data_is_found_as_often_as_measured(
    data_folder: Path, kind: str, hold: str, least: float
) -> None:
    sentences = rows(data_folder / "moderation" / "pii_spans.dev.jsonl.gz")
    with_kind = [
        row["text"] for row in sentences if any(s["entity_type"] == kind for s in row["spans"])
    ]

    assert shares(with_kind).get(hold, 0) >= least
