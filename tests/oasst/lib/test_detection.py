"""Detection of languages, with the real detector."""

import gzip
import json
from pathlib import Path

import pytest

from oasst.lib import detection
from oasst.lib.detection import SURE, Detected, detect, matches, normalise


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("How do bees find their way back home in the evening?", "en"),
        ("Wie finden Bienen am Abend wieder nach Hause?", "de"),
        ("Como as abelhas encontram o caminho de volta para casa à noite?", "pt-BR"),
        ("Як бджоли ввечері знаходять дорогу додому?", "uk-UA"),
        ("蜜蜂晚上是怎么找到回家的路的？请详细说明。", "zh"),
    ],
)
def test_detect_a_sentence(text: str, lang: str) -> None:
    detected = detect(text)

    assert detected is not None
    assert detected.lang == lang
    assert SURE < detected.score <= 1


@pytest.mark.parametrize(
    "text", ["", "ok", "42 + 17 = 59", "👍👍👍👍👍👍👍👍👍👍👍👍", " \n\t" * 50]
)
def test_detect_a_text_with_few_letters_says_nothing(text: str) -> None:
    assert detect(text) is None


@pytest.mark.parametrize(
    ("lang", "detected", "fits"),
    [
        ("en", None, True),
        ("en", Detected("de", 0.99), False),
        ("en", Detected("de", 0.5), True),
        ("pt-BR", Detected("pt", 0.99), True),
        ("pt-PT", Detected("pt-BR", 0.99), True),
        ("zh-Hant", Detected("yue", 0.99), True),
        ("nb-NO", Detected("no", 0.99), True),
        ("nb-NO", Detected("da", 0.99), False),
        ("bar", Detected("de", 0.99), True),
        ("bar", Detected("en", 0.99), False),
        ("tlh", Detected("en", 0.99), True),
    ],
)
def test_matches_of_languages(lang: str, detected: Detected | None, fits: bool) -> None:
    assert matches(lang, detected) is fits


@pytest.mark.parametrize(
    ("tag", "code"),
    [("EN_us", "en"), ("pt", "pt-BR"), ("nn", "nb-NO"), ("tlh_latn_de", "tlh-Latn-DE")],
)
def test_normalise_a_tag(tag: str, code: str) -> None:
    assert normalise(tag) == code


@pytest.mark.real_data
def test_matches_on_published_messages_is_rarely_wrong(data_folder: Path) -> None:
    path = data_folder / "oasst" / "oasst2_multilingual.dev.trees.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        prompts = [json.loads(line)["prompt"] for line in lines]

    doubted = [p for p in prompts if not matches(p["lang"], detect(p["text"]))]

    # The few are prompts that were filed under the wrong language.
    assert len(doubted) / len(prompts) < 0.03


def test_what_is_warmed_up_is_not_loaded_again() -> None:
    detection._identifier.cache_clear()

    detection.warm_up()
    detect("How do I bake bread without an oven?")

    assert detection._identifier.cache_info().misses == 1
