"""Personal data in texts: what is found, what is left alone, what is put in its place, how well."""

import gzip
import json
import time
from collections import Counter
from pathlib import Path

import pytest

from oasst.lib import personal_data
from oasst.lib.personal_data import Scrubber

TEXT = (
    "Ask ann@mail.org or bob@mail.org, call +49 30 9018 2033 or pay with 4111 1111 1111 1111 "
    "or to DE89 3704 0044 0532 0130 00 from 8.8.8.8, version 1.2.3.4.5 of 192.168.0.1."
)
# The data's words for our kinds.
KINDS = {
    "EMAIL_ADDRESS": "e-mail",
    "PHONE_NUMBER": "phone",
    "IBAN_CODE": "IBAN",
    "CREDIT_CARD": "card",
    "IP_ADDRESS": "IP",
}


def test_each_kind_is_found_once_and_where_it_stands() -> None:
    spans = personal_data.find(TEXT)

    assert personal_data.count(TEXT) == {"e-mail": 2, "IBAN": 1, "card": 1, "IP": 1, "phone": 1}
    assert TEXT[spans[0].start : spans[0].end] == "ann@mail.org"
    assert spans == sorted(spans)
    assert {span.kind for span in personal_data.find(TEXT, personal_data.PAYMENT)} == {
        "IBAN", "card",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "In 2019-04-01 there were 12 of 34 000.",
        "From 1939-1945 to 2 000 000",
        "Card 4111 1111 1111 1112, account DE89 3704 0044 0532 0130 01, order 1234567890123456",
        " ".join(str(number) for number in range(1, 1000)),
        "At 12:30:45 std::vector::size of ::1 and fe80::1",
        "",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert personal_data.count(text) == {}


def test_a_scrubber_replaces_and_counts() -> None:
    scrub = Scrubber()

    assert scrub(TEXT) == (
        "Ask [e-mail] or [e-mail], call [phone] or pay with [card] or to [IBAN] from [IP], "
        "version 1.2.3.4.5 of 192.168.0.1."
    )
    assert scrub("Nothing here") == "Nothing here"
    assert scrub.counts == {"e-mail": 2, "IBAN": 1, "card": 1, "IP": 1, "phone": 1}


@pytest.mark.parametrize("piece", ["1 ", "12-", "a@a.", "+1 ", "1:", "AB12", "(1) ", "4"])
def test_no_text_takes_long(piece: str) -> None:
    started = time.process_time()

    personal_data.find(piece * (20_000 // len(piece)))

    assert time.process_time() - started < 1


@pytest.mark.real_data
def test_at_least_85_of_100_are_found_in_published_samples(data_folder: Path) -> None:
    found, there = Counter[str](), Counter[str]()
    with gzip.open(data_folder / "moderation" / "pii_spans.dev.jsonl.gz", "rt") as file:
        for row in map(json.loads, file):
            spans = personal_data.find(row["text"])
            for span in row["spans"]:
                if kind := KINDS.get(span["entity_type"]):
                    there[kind] += 1
                    found[kind] += any(
                        each.kind == kind
                        and each.start <= span["start_position"]
                        and each.end >= span["end_position"]
                        for each in spans
                    )
    shares = {kind: found[kind] / there[kind] for kind in personal_data.KINDS}

    assert min(shares.values()) >= 0.85, (found, there)


@pytest.mark.real_data
def test_next_to_no_conversation_seems_to_hold_any(data_folder: Path) -> None:
    path = data_folder / "oasst" / "oasst1_en_train_texts.dev.jsonl.gz"
    with gzip.open(path, "rt") as file:
        texts = [json.loads(line)["text"] for line in file][::7]

    hits = sum(bool(personal_data.find(text)) for text in texts)

    assert hits / len(texts) < 0.005
