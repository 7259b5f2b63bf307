"""Fixtures of the tests of training."""

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.training import given


@pytest.fixture
def runs_dir(tmp_path: Path, settings: Settings) -> Path:
    """An empty RUNS_DIR, and a program that obeys the contract instead of the pipelines."""
    settings.RUNS_DIR = tmp_path / "runs"
    settings.TRAINING_COMMAND = given.FAKE
    return settings.RUNS_DIR
