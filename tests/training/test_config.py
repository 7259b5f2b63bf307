"""What a run is told: YAML, overrides, and errors that help."""

from pathlib import Path
from typing import Any

import pytest

from training import config

SFT = {"stage": "sft", "name": "first", "model": {"path": "smollm2-135m"}}


def test_a_config_survives_yaml() -> None:
    wanted = config.build(SFT | {"data": {"sources": [{"path": "a.jsonl", "weight": 2}]}})

    assert config.from_yaml(config.to_yaml(wanted)) == wanted


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"modle": {}}, "modle: unknown key. Did you mean model?"),
        ({"model": {"path": "x", "lora": {"rank": 8, "alpah": 1}}}, "model.lora.rank: unknown key"),
        ({"data": {"sources": [{"paht": "x"}]}}, "data.sources.paht: unknown key. Did you mean"),
        ({"optim": {"lr": "fast"}}, "optim.lr: Input should be a valid number"),
        ({"model": {}}, "path: Field required"),
        ({"stage": "sfft"}, "stage: 'sfft', expected one of sft, rm"),
    ],
)
def test_a_wrong_config_says_which_key(values: dict[str, Any], said: str) -> None:
    with pytest.raises(config.ConfigError) as error:
        config.build(SFT | values)

    assert said in str(error.value)


def test_overrides_reach_inner_keys(tmp_path: Path) -> None:
    path = tmp_path / "sft.yaml"
    path.write_text(config.to_yaml(config.build(SFT)))

    changed = config.load(path, ["optim.lr=3e-4", "model.lora.r=4", "data.languages=[de,en]"])

    assert changed.optim.lr == 3e-4
    assert changed.model.lora == config.LoraConfig(r=4)
    assert changed.data.languages == ("de", "en")


def test_a_config_for_another_stage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sft.yaml"
    path.write_text(config.to_yaml(config.build(SFT)))

    with pytest.raises(config.ConfigError, match="this is a config for sft, expected one for rm"):
        config.load(path, stage="rm")


def test_a_file_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(config.ConfigError, match="no such file, nor one in training/configs"):
        config.load("no-such-config")


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(config.CONFIGS.glob("*.yaml")) if not path.stem.endswith("-round")],
    ids=lambda path: path.stem,
)
def test_every_config_of_a_stage_can_be_read(path: Path) -> None:
    assert config.load(path).name == path.stem
