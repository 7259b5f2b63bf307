"""The benchmark `exports` runs and prints what others read."""

import pytest

from tests.benchmarks.printed import figures_of


@pytest.mark.full
@pytest.mark.slow
def test_benchmark_of_exports_prints_its_figures_as_json() -> None:
    figures = figures_of("exports", "--messages", "300", "--kinds", "trees_with_votes,parquet")

    assert {"messages", "idle_mib", "trees_with_votes", "parquet", "snapshot"} <= set(figures)
    assert "trees" not in figures
    for kind in ("trees_with_votes", "parquet", "snapshot"):
        assert figures["idle_mib"] < figures[kind]["peak_mib"] < 300
        assert figures[kind]["bytes"] > 0
    assert figures["download"]["web_peak_mib"] < figures["download"]["web_idle_mib"] + 30
