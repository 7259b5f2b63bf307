"""A folder holds one run: what would mix two is refused, also once the run is done."""

from pathlib import Path
from typing import Any

import pytest

from training import claims
from training import config as configs
from training.config import ConfigError
from training.rundir import RunDir

DATA = [{"path": "a.jsonl", "sha256": "1" * 64, "snapshot": None}]
PLAIN = {"name": "x", "model": {"path": "tiny"}, "optim": {"batch_size": 4}}


def sft(**values: Any) -> Any:
    return configs.build(PLAIN | values, stage="sft")


@pytest.fixture
def done(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "run").make()
    claims.claim(run, sft(), DATA, has_begun=False)
    run.final.mkdir()
    return run


def test_a_finished_run_is_done(done: RunDir) -> None:
    assert claims.is_done(done, sft(), DATA)


def test_a_folder_without_a_result_is_not_done(tmp_path: Path) -> None:
    assert not claims.is_done(RunDir(tmp_path), sft(), DATA)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"optim": {"batch_size": 4, "lr": 0.5}}, r"\(optim.lr\)"),
        ({"seed": 3, "name": "y"}, r"\(name, seed\)"),
        ({"output": {"weights": "merged"}}, r"\(output.weights\)"),
    ],
)
def test_a_result_is_not_given_out_as_that_of_another_config(
    done: RunDir, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        claims.is_done(done, sft(**values), DATA)


def test_a_result_is_not_given_out_as_learned_from_other_data(done: RunDir) -> None:
    with pytest.raises(ConfigError, match="the data itself"):
        claims.is_done(done, sft(), [DATA[0] | {"sha256": "2" * 64}])


@pytest.mark.parametrize(
    "values",
    [
        {"threads": 3},
        {"output": {"log_every": 7}},
        {"optim": {"batch_size": 2, "grad_accum": 2}},
        {"model": {"path": "tiny", "device": "cpu"}},
    ],
)
def test_how_a_run_is_computed_may_change(done: RunDir, values: dict[str, Any]) -> None:
    assert claims.is_done(done, sft(**values), DATA)


def test_a_run_that_has_begun_keeps_its_folder(done: RunDir) -> None:
    with pytest.raises(ConfigError, match="Give this one a folder of its own"):
        claims.claim(done, sft(seed=3), DATA, has_begun=True)

    assert configs.from_yaml(done.config.read_text()) == sft()


def test_a_run_that_left_nothing_gives_its_folder_away(tmp_path: Path) -> None:
    run = RunDir(tmp_path).make()
    claims.claim(run, sft(), DATA, has_begun=False)
    claims.claim(run, sft(seed=3), DATA, has_begun=False)

    assert configs.from_yaml(run.config.read_text()) == sft(seed=3)
