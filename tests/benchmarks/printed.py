"""What a benchmark prints, run as people run it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 300


def figures_of(*words: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """The figures of `python -m tests.benchmarks … --json`; it must end well."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *words, "--json"],
        cwd=REPOSITORY,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    sys.stderr.write(result.stderr[-3000:])  # pytest shows it where a figure is not as asked
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures
