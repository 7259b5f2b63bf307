"""Fixtures of the tests of training."""

import gc
import json
import random
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.training import given
from tests.training.given_rounds import tree


@pytest.fixture(scope="module", autouse=True)
def _quick_collection() -> None:
    """Each end of a trainer collects garbage: spare it what the modules before this one loaded."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def runs_dir(tmp_path: Path, settings: Settings) -> Path:
    """An empty RUNS_DIR, and a program that obeys the contract instead of the pipelines."""
    settings.RUNS_DIR = tmp_path / "runs"
    settings.TRAINING_COMMAND = given.FAKE
    return settings.RUNS_DIR


@pytest.fixture
def folders(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders for runs and models."""
    settings.RUNS_DIR = tmp_path / "runs"
    settings.MODELS_DIR = tmp_path / "models"
    monkeypatch.setenv("RUNS_DIR", str(settings.RUNS_DIR))
    monkeypatch.setenv("MODELS_DIR", str(settings.MODELS_DIR))
    return tmp_path


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """A file of 24 trees with three ranked replies each."""
    rng = random.Random(1)
    path = tmp_path / "trees.jsonl"
    path.write_text("".join(json.dumps(tree(number, rng)) + "\n" for number in range(24)))
    return path
