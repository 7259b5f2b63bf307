"""What is learned of spam: how texts are split, what is refused, how good it is on real ones."""

import gzip
import json
import random
from pathlib import Path
from statistics import fmean

import pytest

from tasks_app import spam_scores
from tests.training.made_up_texts import made_up
from training import spam
from training.spam import CannotTrain, Example


def test_made_up_spam_is_told_from_the_rest() -> None:
    trained = spam.train(made_up(), wanted=0.01, rng=random.Random(0))

    def holds(text: str) -> bool:
        found = spam_scores.features(text)
        return spam_scores.score(trained.weights, found) >= trained.threshold

    assert holds("FREE prize! Claim your cash now, call 09061234567!")
    assert not holds("How should one explain to people why leaves fall?")
    assert trained.figures["recall"] > 0.9 > 0.05 > trained.figures["false_positives"]
    parts = trained.figures["parts"].values()
    assert sum(part["spam"] for part in parts) == 120
    assert list(trained.figures["false_positives_in"]) == ["made up"]


def test_near_repeats_and_texts_of_one_person_stay_in_one_part() -> None:
    texts = made_up()
    copies = [
        Example(f"Win £{n}00 by calling 0906{n:06} before the week is over", True, "copies")
        for n in range(30)
    ]
    of_one = [Example(each.text, each.is_spam, "one", "ann") for each in texts[:40]]

    parts = spam.split(
        spam.groups_of(spam.prepare([*texts, *copies, *of_one])), rng=random.Random(1)
    )

    for source in ("copies", "one"):
        assert sum(any(k.example.source == source for k in part) for part in parts) <= 1
    held_by = [{known.example.text for known in part} for part in parts]
    assert held_by[0] & held_by[1] == held_by[0] & held_by[2] == set()
    assert len(held_by[0]) > len(held_by[1]) > 0 < len(held_by[2])


def test_too_little_and_too_poor_are_refused() -> None:
    few = [each for each in made_up() if not each.is_spam] + made_up()[:99]
    with pytest.raises(CannotTrain, match="99 different spam texts"):
        spam.train(few, wanted=0.01, rng=random.Random(0))

    guessed = [
        Example(each.text, number % 5 == 0, each.source)
        for number, each in enumerate(made_up(spam=0, other=600))
    ]
    with pytest.raises(CannotTrain, match="too few to help"):
        spam.train(guessed, wanted=0.01, rng=random.Random(0))


@pytest.mark.parametrize("text", ["", "!", "\ud800 \x00", "字", "0" * 10_000])
def test_any_text_has_features_each_once(text: str) -> None:
    found = spam_scores.features(text)

    assert len(set(found.places.tolist())) == len(found.places) == len(found.values)
    assert found.places.max() == spam_scores.SIZE - 1


@pytest.mark.real_data
@pytest.mark.slow
def test_real_spam_is_found_and_real_conversations_are_left_alone(data_folder: Path) -> None:
    """Issue: recall 0.9 at 1 % false positives, on SMS spam and texts of conversations."""
    groups = spam.groups_of(spam.prepare([*_sms(data_folder), *_conversations(data_folder)]))
    found = []
    for seed in range(6):
        rng = random.Random(seed)
        learn, choose, measure = spam.split(groups, rng=rng)
        weights = spam.fit(learn, rng=rng)
        threshold = spam.choose_threshold(weights, choose, 0.005)
        found.append(spam.measure_on(weights, threshold, measure))

    assert fmean(each["recall"] for each in found) >= 0.9
    assert fmean(each["false_positives"] for each in found) <= 0.01


def _sms(folder: Path) -> list[Example]:
    with gzip.open(folder / "moderation" / "sms_spam.dev.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [Example(row["text"], row["label"] == "spam", "sms") for row in rows]


def _conversations(folder: Path) -> list[Example]:
    names = ("oasst1_en_validation", "oasst2_multilingual", "oasst_early_en_100")
    texts: list[str] = []
    for name in names:
        with gzip.open(folder / "oasst" / f"{name}.dev.trees.jsonl.gz", "rt") as lines:
            nodes = [json.loads(line)["prompt"] for line in lines]
        while nodes:
            node = nodes.pop()
            texts.append(node["text"])
            nodes += node.get("replies", [])
    return [Example(text, False, "oasst") for text in texts]
