"""The benchmark `skills` prints what others read, and few votes are fitted as all would be."""

import pytest

from tests.benchmarks.printed import figures_of


@pytest.mark.full
@pytest.mark.slow
def test_benchmark_of_skills_prints_its_figures_as_json() -> None:
    figures = figures_of("skills", "--labels", "3000")

    assert 2000 < figures["labels"] < 4000
    assert set(figures["first"]) == {"seconds", "processor_s"}
    assert set(figures["new_votes"]) == {"1", "10", "100"}
    assert figures["new_votes"]["1"]["apart_most"] < 0.01
