"""The benchmark `chat` runs, loses nothing and prints what others read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
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
def test_benchmark_of_the_chat_loses_nothing_and_prints_its_figures() -> None:
    words = ["chat", "--sockets", "5", "--streams", "3", "--seconds", "1", "--json"]
    result = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *words],
        cwd=REPOSITORY,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr[-3000:]
    figures = json.loads(result.stdout)
    assert set(figures) >= FIGURES
    assert (figures["sockets"], figures["streams"], figures["lost_events"]) == (5, 3, 0)
