"""Opinions of the cast differ, yet never change what the content says the outcome is."""

import random
import uuid

import pytest

from tasks_app import labels, ranking
from tasks_app.demo import opinions
from tasks_app.demo.content import Line
from tasks_app.enums import FormMode, TaskType
from tasks_app.reviews import acceptance, is_accepted

FORM = labels.form_for(TaskType.LABEL_ASSISTANT_REPLY, FormMode.FULL)
GOOD = Line("Thank you.", labels={"quality": 0.75})
SPAM = Line("BUY!", labels={"spam": 1, "quality": 0})
SEEDS = range(200)


def three_reviews(line: Line, seed: int) -> list[dict[str, float]]:
    rng = random.Random(seed)
    return [opinions.review(line, FORM.valid, rng, is_last=number == 2) for number in range(3)]


@pytest.mark.parametrize(("line", "accepted"), [(GOOD, True), (SPAM, False)])
def test_three_reviews_decide_as_the_content_says(line: Line, accepted: bool) -> None:
    scores = [acceptance(three_reviews(line, seed), [1.0, 1.0, 1.0]) for seed in SEEDS]

    assert {is_accepted(score, 0.6) for score in scores} == {accepted}
    assert len(set(scores)) == 2


@pytest.mark.parametrize(("line", "accepted"), [(GOOD, True), (SPAM, False)])
def test_two_reviews_outvote_a_careless_one(line: Line, accepted: bool) -> None:
    for seed in SEEDS:
        rng = random.Random(seed)
        votes = three_reviews(line, seed)[:2]
        votes.append(opinions.careless_review(line, FORM.valid, rng))
        assert is_accepted(acceptance(votes, [1.0, 1.0, 1.0]), 0.6) == accepted


def test_careless_reviews_see_spam_half_of_the_time() -> None:
    rng = random.Random(1)
    votes = [opinions.careless_review(GOOD, FORM.valid, rng) for _ in SEEDS]

    assert 0.4 < sum(values["spam"] for values in votes) / len(votes) < 0.6


def test_divided_reviews_see_spam_by_turns() -> None:
    rng = random.Random(1)
    votes = [opinions.divided_review(GOOD, FORM.valid, rng, number=n) for n in range(5)]

    assert [values["spam"] for values in votes] == [0, 1, 0, 1, 0]


def test_nobody_takes_offence_at_what_is_polite_and_harmless() -> None:
    rude = Line("Shut up.", labels={"toxicity": 0.75})
    seen: list[set[float]] = []
    for line in (GOOD, rude):
        reviews = [values for seed in SEEDS for values in three_reviews(line, seed)]
        seen.append({values["toxicity"] for values in reviews if "toxicity" in values})

    assert seen == [{0.0}, {0.5, 0.75, 1.0}]


def test_reviews_fit_the_form() -> None:
    rng = random.Random(1)
    for seed in SEEDS:
        careless = opinions.careless_review(GOOD, FORM.valid, rng)
        divided = opinions.divided_review(GOOD, FORM.valid, rng, number=seed)
        for values in (*three_reviews(GOOD, seed), careless, divided):
            labels.validate(values, valid=FORM.valid, mandatory=FORM.mandatory)


def test_three_rankings_agree_on_the_order_of_the_content() -> None:
    best_first = sorted(uuid.UUID(int=number) for number in (9, 4, 7))[::-1]

    for seed in SEEDS:
        rng = random.Random(seed)
        votes = [opinions.order(best_first, rng, is_last=number == 2) for number in range(3)]
        assert ranking.ranked_pairs(votes, [1.0] * 3).order == best_first


def test_last_ranker_sometimes_swaps_and_sometimes_ties() -> None:
    best_first = [uuid.UUID(int=number) for number in range(3)]

    votes = [opinions.order(best_first, random.Random(s), is_last=True) for s in SEEDS]

    assert any(len(groups) == 2 for groups in votes)
    assert any([pk for g in groups for pk in g] != best_first for groups in votes)
    assert all(sorted(pk for g in groups for pk in g) == best_first for groups in votes)
