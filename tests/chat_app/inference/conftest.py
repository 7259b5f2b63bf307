"""Models that the tests of engines run."""

import gc
import os
from pathlib import Path

import pytest

from tests import tiny_model


@pytest.fixture(scope="module", autouse=True)
def _quick_collection() -> None:
    """Each stop of an engine collects garbage several times, through all that torch brings. To
    unfreeze it at the end would give later tests all that was frozen before the first one."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """Threads of torch wait for each other where other tests run beside these."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def real_path() -> Path:
    """The small real model; tests that need it carry the marker `real_model`."""
    default = Path(__file__).resolve().parents[3] / "var" / "models"
    path = Path(os.environ.get("MODELS_DIR") or default) / "smollm2-135m"
    if not path.is_dir():
        pytest.skip(f"{path} is not there: manage.py fetch_model smollm2-135m")
    return path
