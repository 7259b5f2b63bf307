"""The benchmark `chat` runs, loses nothing and prints what others read."""

import pytest

from tests.benchmarks.printed import figures_of

FIGURES = {
    "added_latency_p50_ms",
    "added_latency_p95_ms",
    "ttft_p50_ms",
    "sockets",
    "streams",
    "kib_per_socket",
    "lost_events",
}


@pytest.mark.slow
@pytest.mark.full
def test_benchmark_of_the_chat_loses_nothing_and_prints_its_figures() -> None:
    load = ["--sockets", "5", "--streams", "3", "--seconds", "1", "--settle-s", "0"]
    figures = figures_of("chat", *load)

    assert set(figures) >= FIGURES
    assert (figures["sockets"], figures["streams"], figures["lost_events"]) == (5, 3, 0)
