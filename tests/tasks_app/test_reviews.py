"""Acceptance scores, against numbers worked out by hand."""

import pytest

from tasks_app.reviews import acceptance, is_accepted

Labels = dict[str, float]

FINE = {"spam": 0.0, "lang_mismatch": 0.0}
SPAM = {"spam": 1.0, "lang_mismatch": 0.0}
WRONG_LANG = {"spam": 0.0, "lang_mismatch": 1.0}


@pytest.mark.parametrize(
    ("label_sets", "score", "verdict"),
    [
        ([FINE, FINE, FINE], 1.0, True),
        ([SPAM, FINE, FINE], 2 / 3, True),
        ([SPAM, SPAM, FINE], 1 / 3, False),
        ([SPAM, WRONG_LANG, FINE], 1 / 3, False),
        ([{"spam": 1.0, "lang_mismatch": 1.0}], -1.0, False),
        ([SPAM, SPAM, FINE, FINE, FINE], 0.6, False),
    ],
)
def test_acceptance_of_reviews(label_sets: list[Labels], score: float, verdict: bool) -> None:
    assert acceptance(label_sets) == pytest.approx(score)
    assert is_accepted(acceptance(label_sets), 0.6) is verdict


def test_acceptance_of_a_missing_lang_mismatch_counts_zero() -> None:
    assert acceptance([{"spam": 0.0}, {"spam": 1.0}]) == acceptance([FINE, SPAM])


def test_acceptance_looks_at_no_other_label() -> None:
    assert acceptance([FINE | {"quality": 0.0, "toxicity": 1.0}]) == 1.0


def test_acceptance_of_weighted_reviewers_leans_to_the_heavier() -> None:
    assert acceptance([SPAM, FINE], weights=[3, 1]) == pytest.approx(0.25)
    assert acceptance([SPAM, FINE], weights=[0, 1]) == 1.0


def test_acceptance_with_equal_weights_is_the_plain_mean() -> None:
    sets = [SPAM, FINE, WRONG_LANG]

    assert acceptance(sets, weights=[0.7] * 3) == pytest.approx(acceptance(sets))


@pytest.mark.parametrize(
    ("label_sets", "weights"),
    [
        ([], None),
        ([{"quality": 1.0}], None),
        ([FINE], []),
        ([FINE], [0.0]),
        ([FINE], [-1.0]),
        ([FINE], [float("nan")]),
    ],
)
def test_acceptance_of_unusable_input_is_refused(
    label_sets: list[Labels], weights: list[float] | None
) -> None:
    with pytest.raises(ValueError, match=r"weight|spam"):
        acceptance(label_sets, weights)


@pytest.mark.parametrize("spams", range(11))
def test_is_accepted_at_the_threshold_is_false_whatever_the_rounding(spams: int) -> None:
    score = acceptance([SPAM] * spams + [FINE] * (10 - spams))

    assert not is_accepted(score, (10 - spams) / 10)
    assert is_accepted(score, (10 - spams) / 10 - 0.01)
