"""The benchmarks `pages` and `soak` run, meet no error and print what others read."""

import pytest

from tests.benchmarks.printed import figures_of

pytestmark = [pytest.mark.slow, pytest.mark.full]

LOAD = ["--messages", "500", "--people", "8", "--rate", "4", "--minutes", "0.3"]


def test_benchmark_of_pages_prints_how_fast_they_are() -> None:
    figures = figures_of("pages", *LOAD, "--burst-s", "0")

    (steady,) = figures["phases"]
    assert set(steady) >= {"requests_per_s", "p50_ms", "p95_ms", "p99_ms", "shed"}
    assert steady["errors"] == {}
    assert figures["queries"]["slowest_ms"] > 0
    assert figures["by_page"]["/dashboard/"]["requests"] > 0


def test_benchmark_of_long_running_prints_what_grows() -> None:
    figures = figures_of("soak", *LOAD)

    assert figures["answers"]["errors"] == {}
    assert set(figures["programs"]) >= {"web", "worker", "cron"}
    assert set(figures["programs"]["web"]) >= {"rss_growth_percent", "files", "connections"}
