"""The benchmark `migrations` runs and prints what others read."""

import pytest

from tests.benchmarks.printed import figures_of


@pytest.mark.full
@pytest.mark.slow
def test_benchmark_of_migrations_prints_its_figures_as_json() -> None:
    figures = figures_of("migrations", "--messages", "300", patience_s=900)

    assert figures["messages"] >= 200
    assert figures["migrations"] > 60
    assert 0 < figures["closed_ms"] <= figures["no_writing_ms"]
    assert {"seconds", "job_s", "slow"} <= set(figures)
    for row in figures["slow"]:
        assert set(row) == {"name", "seconds", "closed_ms", "no_writing_ms", "tables"}
