"""What a round is told: the configs of its stages, and what becomes of the model it makes. Pure.

A stage is the name of its config with what differs, such as
`sft: {config: smollm2-sft, optim: {lr: 1e-4}}`. Models, data and names are filled in by the round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from training import config as configs
from training import presets
from training.config import STRICT, ConfigError, checked

NAME = "config"  # of a stage's section: the file it begins with


@checked(config=STRICT, kw_only=True, frozen=True)
class RankingConfig:
    """What is ranked blind beside the new model's answers to fresh prompts."""

    human: int = 1  # replies of people to each prompt, where there are some
    previous: bool = True  # the answers of the model before


@checked(config=STRICT, kw_only=True, frozen=True)
class PromoteConfig:
    """The model's name in the chat; without one it is not put there. `as_adapter`: over its base,
    not merged.

    Where the gate objects, the chat keeps the model it has, unless `force` says why not.
    """

    name: str = ""
    title: str = ""
    default: bool = False
    as_adapter: bool = False
    force: str = ""


@checked(config=STRICT, kw_only=True, frozen=True)
class RoundConfig:
    """`base` is what the first SFT begins with. `start` says with what that of a later round does.

    `data` is a file or folder; without one a snapshot of the site is taken, with the replies of
    models that people ranked. `eval_share` of the trees teaches nothing: on them the models are
    judged, and of them are the prompts that are answered for ranking. Once ranked, they teach.
    Later rounds of the same name can lower the share, not raise it.
    """

    stage: Literal["round"] = "round"
    name: str
    base: str
    start: Literal["base", "previous"] = "base"
    data: str = ""
    languages: tuple[str, ...] = ()
    eval_share: float = 0.1
    sft: dict[str, Any]
    rm: dict[str, Any]
    ppo: dict[str, Any]
    evaluate: dict[str, Any] = field(default_factory=dict)
    sample: dict[str, Any]
    ranking: RankingConfig = RankingConfig()
    promote: PromoteConfig = PromoteConfig()
    seed: int = 0


def load(source: str, overrides: tuple[str, ...] | list[str] = ()) -> RoundConfig:
    """Read a config and look whether its stages can be built. Raises ConfigError."""
    config: RoundConfig = configs.load(source, overrides, stage="round", of=RoundConfig)
    check(config)
    return config


def check(config: RoundConfig) -> None:
    """Tell of a wrong key before hours are spent on what comes before it. Raises ConfigError."""
    model = {"path": config.base}
    for stage in ("sft", "rm"):
        stage_config(config, stage, name=stage, model=model)
    ppo = stage_config(config, "ppo", name="ppo", model=model, reward="rule:short")
    if ppo.output.weights == "adapter":
        raise ConfigError(
            "ppo: output.weights: an adapter alone can be neither sampled nor promoted, expected "
            "both or merged"
        )
    stage_config(config, "evaluate", name="evaluate", model=config.base)
    sample = stage_config(config, "sample", name="sample", models=[config.base], prompts="prompts")
    try:
        presets.named(sample.presets, max_new_tokens=sample.max_new_tokens)
    except ConfigError as error:
        raise ConfigError(f"sample: {error}") from None


def stage_config(config: RoundConfig, stage: str, **filled_in: Any) -> Any:
    """The config of one stage. Raises ConfigError, naming the section."""
    section = dict(getattr(config, stage))
    try:
        values = configs.read(section.pop(NAME)) if NAME in section else {}
        return configs.build(merged(values, section, filled_in), stage=stage)
    except ConfigError as error:
        raise ConfigError(f"{stage}: {error}") from None


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers win, key by key, at any depth."""
    whole: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            before = whole.get(key)
            if isinstance(value, Mapping):
                whole[key] = merged(before if isinstance(before, Mapping) else {}, value)
            else:
                whole[key] = value
    return whole
