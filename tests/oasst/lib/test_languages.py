"""Which contribution language a browser's or a detector's tag stands for."""

import pytest

from oasst.lib import languages


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("PT_br", "pt-BR"),
        ("pt", "pt-BR"),
        ("uk", "uk-UA"),
        ("nn", "nb-NO"),
        ("zh-Hant-TW", "zh"),
        ("xx", None),
        ("", None),
    ],
)
def test_match_finds_the_code_of_a_tag(tag: str, code: str | None) -> None:
    assert languages.match(tag) == code


def test_guess_orders_by_weight_and_drops_refused_and_repeated_languages() -> None:
    header = "en;q=0.5, de-AT, de;q=0.9, fr;q=0, tlh"

    assert languages.guess(header) == ["de", "en"]


def test_guess_takes_at_most_three_languages() -> None:
    assert languages.guess("sv,da,fi,is,et") == ["sv", "da", "fi"]


@pytest.mark.parametrize("header", ["", "*", ";;;,,", "en;q=nan", "x" * 100_000, "tlh;q=1"])
def test_guess_falls_back_to_english_when_the_header_says_nothing(header: str) -> None:
    assert languages.guess(header) == ["en"]


def test_name_is_the_languages_own_word_and_an_unknown_code_stays() -> None:
    assert languages.name("de") == "Deutsch"
    assert languages.name("de-CH") == "Deutsch"
    assert languages.name("tlh") == "tlh"
