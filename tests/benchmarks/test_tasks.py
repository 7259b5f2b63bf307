"""The benchmark `tasks` runs and prints what others read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FIGURES = {
    "handout_p50_ms",
    "handout_p95_ms",
    "submit_p50_ms",
    "submit_p95_ms",
    "cycles_per_s",
    "errors",
}


@pytest.mark.slow
def test_benchmark_of_tasks_prints_its_figures_as_json() -> None:
    words = ["tasks", "--messages", "600", "--clients", "1,2", "--seconds", "1", "--json"]
    result = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *words],
        cwd=REPOSITORY,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    assert set(figures) == {"messages", "clients", "availability_p95_ms"}
    assert set(figures["clients"]) == {"1", "2"}
    assert all(set(report) >= FIGURES for report in figures["clients"].values())
    assert all(report["errors"] == 0 for report in figures["clients"].values())
