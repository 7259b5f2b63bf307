"""A round's config is looked through before hours are spent on it."""

from pathlib import Path

import pytest

from training import round_config
from training.config import CONFIGS, ConfigError


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*-ppo.yaml")), ids=lambda path: path.stem)
def test_the_ppo_configs_that_come_along_can_be_part_of_a_round(path: Path) -> None:
    round_config.load("tiny-round", [f"ppo.config={path.stem}"])


def test_a_round_refuses_a_result_that_it_could_not_sample() -> None:
    with pytest.raises(ConfigError, match=r"ppo: output\.weights: an adapter alone"):
        round_config.load("tiny-round", ["ppo.output.weights=adapter"])
