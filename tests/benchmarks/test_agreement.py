"""The benchmark `agreement` runs, prints what others read, and leaves sums that are right."""

import pytest

from tests.benchmarks.printed import figures_of


@pytest.mark.full
@pytest.mark.slow
def test_benchmark_of_agreement_prints_its_figures_as_json() -> None:
    figures = figures_of("agreement", "--labels", "3000")

    assert 2000 < figures["labels"] < 4000
    assert figures["invariants_broken"] == 0
    assert set(figures["page"]) == {"p50_ms", "p95_ms", "most_ms", "requests"}
    assert figures["backlog"]["labels_per_s"] > 0
