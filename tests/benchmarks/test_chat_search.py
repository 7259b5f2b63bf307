"""The benchmark `chat_search` runs and prints what others read."""

import pytest

from tests.benchmarks.printed import figures_of


@pytest.mark.full
@pytest.mark.slow
def test_benchmark_of_searching_chats_prints_its_figures_as_json() -> None:
    figures = figures_of("chat_search", "--chats", "20", "--messages", "300", "--requests", "2")

    assert {"chats", "filling", "rare_words", "common_words", "phrases", "all"} <= set(figures)
    assert {"p50_ms", "p95_ms", "work_p95_ms"} <= set(figures["all"])
