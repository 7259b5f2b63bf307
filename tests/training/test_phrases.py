"""Phrases of few people that decide which reply wins, and texts that are nearly the same."""

import tracemalloc
from collections.abc import Iterator
from random import Random

import pytest

from training import near_duplicates, phrases
from training.phrases import PhraseRules, Reply

WORDS = "look take small first then step water time work find long keep make good plan".split()


def crowd(planted: str, *, authors: int, rank: int = 0) -> list[Reply]:
    """Thirty prompts, each with three answers of people who write once; eight hold a phrase."""
    rng = Random(1)
    found = []
    for prompt in range(30):
        for place in range(3):
            key, text = f"{prompt}-{place}", " ".join(rng.choices(WORDS, k=20))
            author = f"person {key}"
            if prompt < 8 and place == rank:
                author, text = f"account {prompt % authors}", f"{text} {planted}"
            found.append(Reply(key, author, f"tree {prompt}", str(prompt), text, "en", place))
    return found


def suspected(replies: list[Reply]) -> dict[str, str]:
    return phrases.suspicious(lambda: replies, PhraseRules())


@pytest.mark.parametrize("rank", [0, 2])
def test_a_phrase_with_which_few_always_win_or_lose_is_found(rank: int) -> None:
    found = suspected(crowd("buy Glowberry Tonic", authors=2, rank=rank))

    assert found == {f"{n}-{rank}": "buy glowberry tonic" for n in range(8)}


def test_a_phrase_that_decides_nothing_is_style() -> None:
    replies = crowd("as I always say", authors=2, rank=1)  # above one, below the other

    assert suspected(replies) == {}


def test_what_many_people_say_is_no_plot() -> None:
    assert suspected(crowd("buy Glowberry Tonic", authors=8)) == {}


def test_those_who_write_most_of_a_language_may_have_their_words() -> None:
    replies = crowd("buy Glowberry Tonic", authors=2)[:24]  # a third of it is theirs

    assert suspected(replies) == {}


LONG = (
    "To keep bread fresh, wrap it in a clean cloth and store it in a cool and dry place. Do not "
    "put it where it is very cold, for there it gets stale sooner than on a shelf in the open air."
)


def test_texts_that_differ_in_few_words_belong_together() -> None:
    texts = [
        ("first", LONG),
        ("other", "Trains run every hour on weekdays, and every second hour on Sundays, all year."),
        ("second", LONG.replace("shelf", "table")),
        ("third", f"  {LONG.upper()}\n"),
    ]

    assert near_duplicates.clusters(lambda: texts, similarity=0.75) == [
        ["first", "second", "third"]
    ]
    assert near_duplicates.clusters(lambda: texts, similarity=1.0) == [["first", "third"]]


def test_memory_holds_little_of_texts_that_are_like_no_other() -> None:
    def texts() -> Iterator[tuple[str, str]]:
        rng = Random(3)
        for number in range(500):
            yield str(number), "".join(rng.choices("abcdefghijklmnop ", k=60))
        yield "again", "0 " + LONG
        yield "once more", LONG

    near_duplicates.clusters(texts, similarity=0.7)  # what is made once is made

    tracemalloc.start()
    found = near_duplicates.clusters(texts, similarity=0.7)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found == [["again", "once more"]]
    # With all their bands it would be five thousand bytes of each. The garbage of 500 is some too.
    assert peak < 500 * 2500


def test_signature_estimates_how_much_two_texts_share() -> None:
    rng = Random(2)
    common, one, other = ("".join(rng.choices("abcdefghij", k=k)) for k in (1800, 200, 200))

    # 1 796 shingles in common, about 200 more on each side: 0.82.
    for least, wanted in ((0.65, [["a", "b"]]), (0.95, [])):
        texts = [("a", common + one), ("b", common + other)]
        assert near_duplicates.clusters(texts.copy, similarity=least) == wanted


def test_texts_of_any_length_and_script_have_a_signature() -> None:
    texts = [("empty", ""), ("short", "a"), ("half", "\ud800 lone"), ("other", "日本語の文章です")]

    assert near_duplicates.clusters(lambda: texts, similarity=0.8) == []
