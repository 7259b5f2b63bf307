"""Agreement, against a published worked example and numbers worked out by hand."""

import pytest

from tasks_app.agreement import Level, krippendorff_alpha

# Four observers, twelve units, some values missing: Krippendorff 2011, part C.
EXAMPLE = [
    [1, 1, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [5, 5, 5],
    [1, 1],
    [3],
]


@pytest.mark.parametrize(
    ("level", "alpha"), [(Level.NOMINAL, 0.743), (Level.ORDINAL, 0.815), (Level.INTERVAL, 0.849)]
)
def test_alpha_of_the_published_example(level: Level, alpha: float) -> None:
    assert krippendorff_alpha(EXAMPLE, level) == pytest.approx(alpha, abs=5e-4)


def test_alpha_of_two_raters_who_never_agree_is_below_chance() -> None:
    # Two units, values 0 and 1 each: D_o = 1, D_e = 2·2·2 / (4·3).
    assert krippendorff_alpha([[0, 1], [0, 1]], Level.NOMINAL) == pytest.approx(1 - 1 / (8 / 12))


@pytest.mark.parametrize("level", Level)
def test_alpha_of_full_agreement_is_one(level: Level) -> None:
    assert krippendorff_alpha([[0, 0], [0.5, 0.5, 0.5], [1, 1]], level) == 1


@pytest.mark.parametrize("units", [[], [[1], [0]], [[1, 1], [1, 1, 1]]])
def test_alpha_of_values_that_say_nothing_is_undefined(units: list[list[float]]) -> None:
    assert krippendorff_alpha(units, Level.NOMINAL) is None
