"""The benchmark `tasks` runs and prints what others read."""

import pytest

from tests.benchmarks.printed import figures_of

FIGURES = {
    "handout_p50_ms",
    "handout_p95_ms",
    "submit_p50_ms",
    "submit_p95_ms",
    "cycles_per_s",
    "errors",
}


@pytest.mark.slow
@pytest.mark.full
def test_benchmark_of_tasks_prints_its_figures_as_json() -> None:
    figures = figures_of("tasks", "--messages", "600", "--clients", "1,2", "--seconds", "0.4")

    assert set(figures) == {"messages", "clients", "availability_p95_ms"}
    assert set(figures["clients"]) == {"1", "2"}
    assert all(set(report) >= FIGURES for report in figures["clients"].values())
    assert all(report["errors"] == 0 for report in figures["clients"].values())
