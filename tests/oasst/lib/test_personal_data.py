"""Personal data in texts: what is found, what is left alone, what is put in its place, how well."""

import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from oasst.lib import personal_data
from oasst.lib.personal_data import Scrubber, Span

TEXT = (
    "Ask ann@mail.org or bob@mail.org, call +49 30 9018 2033 or pay with 4111 1111 1111 1111 "
    "or to DE89 3704 0044 0532 0130 00 from 8.8.8.8, version 1.2.3.4.5 of 192.168.0.1."
)
# Made up, or set apart for films and examples.
PHONES = {
    "US": ["+1-555-1234567", "+1 (212) 555-0123", "(212) 555-0123", "212-555-0123", "+12125550123"],
    "GB": [
        "+44 7911 123456", "07911 123456", "07911123456", "+44 (0)20 7946 0958", "(01632) 960 001",
    ],
    "IE": ["085 012 3456", "+353 85 0123456"],
    "AU": ["0491 570 156", "+61 491 570 156"],
    "IN": ["+91 98765 43210", "098765 43210"],
    "DE": [
        "+49 171 1234567", "0171 1234567", "0171/1234567", "01711234567", "0049 171 1234567",
        "00491711234567", "+49 (0)171 1234567", "(030) 1234567", "030/12345678", "030 12 34 56 78",
    ],
    "AT": ["0664 1234567", "+43 664 1234567", "01 2345678"],
    "CH": ["079 123 45 67", "+41 79 123 45 67", "0791234567"],
    "ES": ["612 34 56 78", "612 345 678", "+34 612345678", "0034 612 345 678"],
    "MX": ["55 1234 5678", "+52 55 1234 5678"],
    "FR": [
        "06 12 34 56 78", "06.12.34.56.78", "0612345678", "+33 6 12 34 56 78", "+33 (0)6 12345678",
    ],
    "RU": [
        "8 (912) 345-67-89", "8-912-345-67-89", "8 912 345 67 89", "89123456789",
        "8 800 555-35-35", "+7 912 3456789", "+7(912)345-67-89", "8(495)123-45-67",
    ],
    "UA": ["+380 50 123 45 67", "050 123 45 67"],
    "CN": [
        "13812345678", "138 1234 5678", "138-1234-5678", "+86 13812345678", "+8613812345678",
        "008613812345678", "010-12345678", "(021) 61234567", "１３８１２３４５６７８",
    ],
    "TW": ["0912-345-678", "+886 912 345 678"],
    "HK": ["+852 2152 0004"],
    "SA": ["٠٥٠ ١٢٣ ٤٥٦٧", "+966 50 123 4567", "0501234567", "٠٥٠١٢٣٤٥٦٧", "00966501234567"],
    "EG": ["01012345678", "+20 10 12345678", "٠١٠ ١٢٣٤ ٥٦٧٨"],
    "IR": ["۰۹۱۲ ۳۴۵ ۶۷۸۹"],
    "JO": ["062001234", "06 200 1234"],
    "AE": ["050-1234567", "+971 50 123 4567"],
}  # fmt: skip
LOOK_ALIKES = {
    "years": ["1939-1945", "1939 1945", "1914-1918, 1939-1945", "٢٠١٩-٢٠٢٣"],
    "dates": [
        "2019-04-01", "01.02.2023", "2023-10-15 12:30:45", "20231015", "01022023", "01.02.23 12:30",
        "2023.10.15-2023.10.17", "12/05/2023", "1612681600", "1612681600123",
    ],
    "books": ["ISBN 0306406152", "ISBN-10: 0596007973", "978-3-16-148410-0", "979-10-90636-07-1"],
    "money": [
        "$1234567890", "$ 123 456 789", "€123.456.789", "123 456 789 €", "1 234 567 890",
        "1.234.567.890,00 EUR", "1,234,567,890", "13812345678元", "12 345 678 901 ₽",
    ],
    "measures": [
        "149 597 870 700 m", "384 400 000 m", "1920x1080", "3.14159265358979", "0.0612345678",
    ],
    "code": [
        "0x0020 0010 0000", "id_13812345678", "0612345678f", "a1b2c3d4-0612-4567-8901-0a1b2c3d4e5f",
        "0123456789", "0110100101", "/questions/0612345678/how", "max=2147483647",
    ],
    "versions": [
        "10.15.7.19", "v12.34.56.789", "192.168.100.200", "255.255.255.240", "198.51.100.0/24",
    ],
    "orders": ["order 1234567890", "no. 4001234567", "AB-0612345678", "ticket 20231234", "87-65"],
    "maths": [
        "8582484937, 13886752336", "51159 + 82777 = 133936", "2 * 13812345678", "x = 13812345678",
        "1 2 3 4 5 6 7 8 9", "10 20 30", "12 + 34 = 46",
    ],
}  # fmt: skip
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


def cases(by_sort: Mapping[str, Iterable[str]]) -> list[Any]:
    return [
        pytest.param(text, id=f"{sort} {text}") for sort, texts in by_sort.items() for text in texts
    ]


@pytest.mark.parametrize("number", cases(PHONES))
def test_a_phone_number_is_found_whole(number: str) -> None:
    for text in (number, f"Call {number}, please.", f"请打{number}。", f"({number})"):
        start = text.index(number)

        assert Span(start, start + len(number), "phone") in personal_data.find(text), text


@pytest.mark.parametrize("text", cases(LOOK_ALIKES))
def test_a_look_alike_is_no_phone_number(text: str) -> None:
    assert personal_data.count(text) == {}
    assert personal_data.count(f"It says {text}, see there.") == {}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("My phone number is 2125550123.", "2125550123"),
        ('{"phone": "612345678"}', "612345678"),
        ("Mi móvil es 612345678", "612345678"),
        ("Tel. 668 5702", "668 5702"),
        ("Tél : 2152 0004", "2152 0004"),
        ("Телефон: 2345678", "2345678"),
        ("电话号码是21520004", "21520004"),
        ("هاتفي: ٥٠١٢٣٤٥٦", "٥٠١٢٣٤٥٦"),
    ],
)
def test_a_word_before_it_makes_any_number_a_phone_number(text: str, number: str) -> None:
    start = text.index(number)

    assert personal_data.find(text) == [Span(start, start + len(number), "phone")]
    assert personal_data.find(f"It is {number}") == []


def test_one_phone_number_after_another_is_found() -> None:
    assert personal_data.count("13812345678, 13912345678 and 0171 1234567/0172 1234567") == {
        "phone": 3
    }


@pytest.mark.parametrize(
    "code",
    [
        "DE89370400440532013000",
        "de89 3704 0044 0532 0130 00",
        "pl61109010140000071219812874",
        "gb29 nwbk 6016 1331 9268 19",
        "Fr14 2004 1010 0505 0001 3M02 606",
        "SA٠٣٨٠٠٠٠٠٠٠٦٠٨٠١٠١٦٧٥١٩",
    ],
)
def test_an_account_is_found_in_any_case_and_digits(code: str) -> None:
    assert personal_data.find(f"to {code} from here") == [Span(3, 3 + len(code), "IBAN")]


@pytest.mark.parametrize(
    "text",
    [
        "DE89 3704 0044 0532 0130 01",  # check digits
        "AA30 3704 0044 0532 0130 00",  # no such country
        "DE56 3704 0044 0532 0130",  # too short for its country
        "de89370400440532013000ff",  # a hash
    ],
)
def test_a_look_alike_is_no_account(text: str) -> None:
    assert "IBAN" not in personal_data.count(text)


def test_a_phone_number_with_the_check_digit_of_a_card_is_none() -> None:
    assert personal_data.is_card_number("573206970713")
    assert personal_data.count("+573206970713") == {"phone": 1}
    assert personal_data.count("573206970713") == {"card": 1}


def test_a_scrubber_replaces_and_counts() -> None:
    scrub = Scrubber()

    assert scrub(TEXT) == (
        "Ask [e-mail] or [e-mail], call [phone] or pay with [card] or to [IBAN] from [IP], "
        "version 1.2.3.4.5 of 192.168.0.1."
    )
    assert scrub("Nothing here") == "Nothing here"
    assert scrub.counts == {"e-mail": 2, "IBAN": 1, "card": 1, "IP": 1, "phone": 1}


@pytest.mark.parametrize(
    "piece",
    ["1 ", "12-", "a@a.", "+1 ", "1:", "AB12", "(1) ", "4", "DE89 ", "00 1", "tel 1234567 ", "٣-"],
)
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
def test_most_phone_numbers_in_one_piece_are_found_in_text_messages(data_folder: Path) -> None:
    found = there = 0
    with gzip.open(data_folder / "moderation" / "sms_spam.dev.jsonl.gz", "rt") as file:
        for text in (json.loads(line)["text"] for line in file):
            spans = personal_data.find(text)
            for number in re.finditer(r"(?<!\d)\d{10,12}(?!\d)", text):
                there += 1
                found += Span(*number.span(), "phone") in spans

    assert found / there > 0.85, (found, there)


@pytest.mark.real_data
def test_next_to_no_conversation_seems_to_hold_any(data_folder: Path) -> None:
    path = data_folder / "oasst" / "oasst1_en_train_texts.dev.jsonl.gz"
    with gzip.open(path, "rt") as file:
        texts = [json.loads(line)["text"] for line in file][::7]

    hits = sum(bool(personal_data.find(text)) for text in texts)

    assert hits / len(texts) < 0.005
