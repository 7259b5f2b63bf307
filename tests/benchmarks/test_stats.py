"""The benchmark `stats` runs and prints what others read."""

import pytest

from tests.benchmarks.printed import figures_of


@pytest.mark.full
@pytest.mark.slow
def test_benchmark_of_statistics_prints_its_figures_as_json() -> None:
    figures = figures_of("stats", "--messages", "300", "--requests", "5")

    assert {"messages", "recount_s", "refresh_s", "uncached", "cached"} <= set(figures)
    assert set(figures["uncached"]) == {"p50_ms", "p95_ms", "p99_ms"}
    assert figures["boards"]["entries"] > figures["messages"]
    assert {"board_of_all_time_s", "skills_s", "trollboard"} <= set(figures["boards"])
