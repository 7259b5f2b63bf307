"""Only whole characters are shown, and of a stop string not even a half."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chat_app.inference.stopping import Detokenizer, StopText, first_stop
from tests import tiny_model

letters = st.text("ab\n", max_size=12)
QUICK = settings(max_examples=30)  # decoding is dear; a character has few ways to be cut
stops = st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3)


def expected(text: str, stop: Sequence[str]) -> str:
    """The text up to the first place where a stop string is complete, worked out the slow way."""
    for end in range(len(text) + 1):
        ended = [len(word) for word in stop if text[:end].endswith(word)]
        if ended:
            return text[: end - max(ended)]
    return text


@given(pieces=st.lists(letters, max_size=6), stop=stops)
@example(pieces=["a", "b", "a"], stop=["aba", "b"])
def test_text_is_cut_at_the_first_stop_string_however_it_arrives(
    pieces: list[str], stop: list[str]
) -> None:
    reader = StopText(stop)

    shown = [reader.push(piece) for piece in pieces]
    is_stopped = reader.is_stopped
    shown.append(reader.flush())

    assert "".join(shown) == expected("".join(pieces), stop)
    assert is_stopped == (first_stop("".join(pieces), stop) is not None)


@given(pieces=st.lists(letters, max_size=6), stop=stops, rest=letters)
@example(pieces=["one EN"], stop=["END"], rest="D")
def test_what_is_shown_stays_right_whatever_follows(
    pieces: list[str], stop: list[str], rest: str
) -> None:
    reader = StopText(stop)

    shown = "".join(reader.push(piece) for piece in pieces)

    assert expected("".join(pieces) + rest, stop).startswith(shown)


def test_nothing_is_shown_after_the_stop() -> None:
    reader = StopText(["END"])

    assert [reader.push("one EN"), reader.push("D two"), reader.push("three"), reader.flush()] == [
        "one ",
        "",
        "",
        "",
    ]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(
        tiny_model.build(tmp_path_factory.mktemp("tokenizer") / "tiny")
    )


def pieces_of(tokenizer: Any, tokens: list[int], before: Sequence[int] = ()) -> list[str]:
    detokenizer = Detokenizer(tokenizer.decode, before)
    return [detokenizer.push(token) for token in tokens]


@QUICK
@given(text=st.text(max_size=30))
@example(text="👍🏽 naïve €\u0301 日本語")
def test_text_comes_back_whole_and_never_with_half_characters(tokenizer: Any, text: str) -> None:
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]

    pieces = pieces_of(tokenizer, tokens)

    assert "".join(pieces) == tokenizer.decode(tokens)
    assert "".join(pieces).count("\ufffd") == text.count("\ufffd")


@QUICK
@given(tokens=st.lists(st.integers(3, 399), max_size=40))
@example(tokens=[200] * 40)
def test_any_tokens_give_the_same_as_decoding_them_at_once(
    tokenizer: Any, tokens: list[int]
) -> None:
    shown = "".join(pieces_of(tokenizer, tokens))

    whole = tokenizer.decode(tokens)
    assert whole.startswith(shown)
    assert not whole[len(shown) :].strip("\ufffd")


@QUICK
@given(text=st.text("aä👍 ", max_size=12))
def test_text_that_carries_on_another_one_joins_it(tokenizer: Any, text: str) -> None:
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    before = tokenizer("Before: ", add_special_tokens=False)["input_ids"]

    assert "".join(pieces_of(tokenizer, tokens, before)) == text


def test_words_of_a_tokenizer_that_marks_their_beginning_keep_their_spaces() -> None:
    """Decoders of that kind drop the space of the first token they are given."""
    words = {1: "▁Hello", 2: "▁world", 3: "!", 4: "▁Bye"}

    def decode(tokens: list[int]) -> str:
        return "".join(words[token] for token in tokens).replace("▁", " ").removeprefix(" ")

    detokenizer = Detokenizer(decode)

    assert [detokenizer.push(t) for t in (1, 2, 3, 4)] == ["Hello", " world", "!", " Bye"]
    assert Detokenizer(decode, before=[1]).push(2) == " world"


def test_character_of_byte_tokens_appears_when_its_last_byte_is_there() -> None:
    def decode(tokens: list[int]) -> str:
        try:
            return bytes(tokens).decode()
        except UnicodeDecodeError:
            return "\ufffd" * len(tokens)

    detokenizer = Detokenizer(decode)

    pieces = [detokenizer.push(byte) for byte in "é👍é".encode()]

    assert pieces == ["", "é", "", "", "", "👍", "", "é"]
