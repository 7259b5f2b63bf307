"""The benchmark `search` runs and prints what others read."""

import pytest

from tests.benchmarks.printed import figures_of


@pytest.mark.full
@pytest.mark.slow
def test_benchmark_of_searches_prints_its_figures_as_json() -> None:
    figures = figures_of("search", "--messages", "300", "--requests", "2")

    assert {"messages", "rare_words", "common_words", "phrases", "all"} <= set(figures)
    assert {"p50_ms", "p95_ms", "p99_ms", "work_p95_ms"} <= set(figures["all"])
