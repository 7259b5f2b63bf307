"""What a run is told: a dataclass per stage, read from YAML and `key=value` overrides. Pure.

A key nobody knows is an error that names the nearest one.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

CONFIGS = Path(__file__).parent / "configs"
STRICT = ConfigDict(extra="forbid", strict=False)


class ConfigError(ValueError):
    """The configuration cannot be run; the text names the key, its value and what was expected."""


@checked(config=STRICT, kw_only=True, frozen=True)
class SourceConfig:
    """One file, or all files of a folder.

    `weight` is how often each example is read per epoch: 0.5 takes a random half, 2 takes each
    twice.
    """

    path: str
    kind: Literal["auto", "trees", "messages", "pairs", "hh"] = "auto"
    weight: float = 1.0


@checked(config=STRICT, kw_only=True, frozen=True)
class SystemTagsConfig:
    """Lines such as `quality: 0.9` before an answer, each left out with probability `dropout`."""

    keys: tuple[str, ...] = ("lang", "quality", "humor", "creativity")
    length: bool = True
    dropout: float = 0.5


@checked(config=STRICT, kw_only=True, frozen=True)
class DataConfig:
    """Which examples are read, and which of them are held out.

    Trees are split whole: `eval_share` of them is never trained on. `release_ranked` trains on
    those whose prompts models have answered and people ranked. Lengths are in tokens.
    """

    sources: tuple[SourceConfig, ...] = ()
    languages: tuple[str, ...] = ()  # of the prompt; none named means all
    min_reviews: int = 0
    top_k: int | None = None  # of ranked siblings, only the best k
    synthetic: bool = False  # answers that models wrote may be learned from
    max_length: int = 512
    eval_share: float = 0.1
    split_seed: int = 0
    release_ranked: bool = False
    max_train: int | None = None
    max_eval: int | None = 200
    min_examples: int = 8  # fewer than that are not trained on
    system_tags: SystemTagsConfig | None = None


@checked(config=STRICT, kw_only=True, frozen=True)
class LoraConfig:
    """Low-rank adapters (Hu et al. 2021)."""

    r: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: str | tuple[str, ...] = "all-linear"


@checked(config=STRICT, kw_only=True, frozen=True)
class ModelConfig:
    """What is trained. `path` is a folder, a name below MODELS_DIR, or an id of the hub.

    `dtype` is what the base is kept in, `compute` what it multiplies in: auto takes bfloat16 where
    the processor has units for it, which is twice as fast. On CPUs PPO does so only if told.
    """

    path: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    compute: Literal["auto", "float32", "bfloat16"] = "auto"
    quantization: Literal["none", "8bit", "4bit"] = "none"
    device: str = "auto"
    gradient_checkpointing: bool = False
    lora: LoraConfig | None = None  # none: all weights are trained


@checked(config=STRICT, kw_only=True, frozen=True)
class OptimConfig:
    """AdamW. `max_steps` above 0 wins over `epochs`. A step reads batch_size × grad_accum."""

    lr: float = 1e-5
    epochs: float = 1.0
    max_steps: int = -1
    batch_size: int = 4
    grad_accum: int = 1
    warmup_steps: int = 10
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.95)
    max_grad_norm: float = 1.0
    eight_bit: bool = False  # the states of AdamW in 8 bits (bitsandbytes)


@checked(config=STRICT, kw_only=True, frozen=True)
class OutputConfig:
    """What a run writes and when, in steps."""

    log_every: int = 1
    eval_every: int = 50
    save_every: int = 50
    keep: int = 2  # checkpoints
    samples: int = 4  # prompts that are answered at every evaluation; 0 for none
    sample_tokens: int = 64
    weights: Literal["merged", "adapter", "both"] = "both"  # of the final folder


@checked(config=STRICT, kw_only=True, frozen=True)
class StageConfig:
    """What all stages share. `threads` 0 takes TORCH_THREADS, or all cores but one."""

    stage: Literal["sft", "rm", "dpo", "ppo"]
    name: str
    model: ModelConfig
    data: DataConfig = DataConfig()
    optim: OptimConfig = OptimConfig()
    output: OutputConfig = OutputConfig()
    seed: int = 0
    threads: int = 0


@checked(config=STRICT, kw_only=True, frozen=True)
class SftConfig(StageConfig):
    stage: Literal["sft"] = "sft"
    packing: bool = False


@checked(config=STRICT, kw_only=True, frozen=True)
class RewardConfig(StageConfig):
    """`score_l2` is β of ½β(s_chosen² + s_rejected²), which keeps scores near 0."""

    stage: Literal["rm"] = "rm"
    score_l2: float = 0.001


@checked(config=STRICT, kw_only=True, frozen=True)
class DpoConfig(StageConfig):
    stage: Literal["dpo"] = "dpo"
    beta: float = 0.1


@checked(config=STRICT, kw_only=True, frozen=True)
class RolloutConfig:
    """How answers are drawn. Lengths in tokens."""

    prompts: int = 32  # per rollout
    per_prompt: int = 1  # answers to each; rloo and grpo need at least 2
    max_prompt_tokens: int = 256
    max_new_tokens: int = 64
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    batch_size: int = 16  # generated at once


@checked(config=STRICT, kw_only=True, frozen=True)
class KlConfig:
    """The price of leaving the SFT model (Ziegler et al. 2019, 2.2), in nats per answer.

    `budget` is where the page draws its band and the alarm begins.
    """

    control: Literal["adaptive", "fixed"] = "adaptive"
    coefficient: float = 0.05
    target: float = 6.0
    horizon: int = 10_000  # answers
    estimator: Literal["k1", "k3"] = "k1"
    budget: float = 20.0


@checked(config=STRICT, kw_only=True, frozen=True)
class LossConfig:
    """The clipped losses of PPO (Schulman et al. 2017) and GAE (Schulman et al. 2016)."""

    epochs: int = 4  # over each rollout
    minibatch: int = 16  # answers per optimizer step
    micro_batch: int = 8  # answers per forward
    clip: float = 0.2
    value_clip: float = 0.2
    value_coefficient: float = 0.1
    value_lr: float | None = None  # none: optim.lr
    gamma: float = 1.0
    lam: float = 0.95
    max_kl: float | None = None  # an epoch over a rollout ends early beyond this


@checked(config=STRICT, kw_only=True, frozen=True)
class ScoreConfig:
    """How the reward model's score becomes a reward.

    `baseline: others` first takes off the mean score of the other answers to the same prompt, so
    that the critic need not foresee which prompts score well; it needs `rollout.per_prompt` ≥ 2.
    """

    baseline: Literal["none", "others"] = "none"
    clip: float = 4.0  # after whitening, in standard deviations
    whiten: bool = True  # by running statistics
    missing_eos_penalty: float = 1.0  # taken off where an answer was cut off


@checked(config=STRICT, kw_only=True, frozen=True)
class PpoConfig(StageConfig):
    """`model.path` is the folder of an SFT run; `reward` that of an RM run, or `rule:NAME`.

    Steps are of the optimizer; what is written falls between rollouts, so `output.save_every` and
    `output.eval_every` are multiples of loss.epochs × answers / loss.minibatch.
    """

    stage: Literal["ppo"] = "ppo"
    output: OutputConfig = OutputConfig(eval_every=40, save_every=40)
    reward: str
    algorithm: Literal["ppo", "rloo", "grpo"] = "ppo"
    rollout: RolloutConfig = RolloutConfig()
    kl: KlConfig = KlConfig()
    loss: LossConfig = LossConfig()
    score: ScoreConfig = ScoreConfig()


@checked(config=STRICT, kw_only=True, frozen=True)
class SampleConfig:
    """`models` are folders; `prompts` a file of prompts or trees. `presets` as in the chat."""

    stage: Literal["sample"] = "sample"
    name: str
    models: tuple[str, ...]
    prompts: str
    count: int = 100  # prompts
    per_prompt: int = 1
    presets: tuple[str, ...] = ("k50",)
    max_new_tokens: int = 256
    reward: str | None = None  # scores the answers; `keep` best of each prompt are marked
    keep: int = 1
    quantization: Literal["none", "8bit", "4bit"] = "none"
    max_batch: int = 8
    languages: tuple[str, ...] = ()
    seed: int = 0
    threads: int = 0


@checked(config=STRICT, kw_only=True, frozen=True)
class EvaluateConfig:
    """`model` is the folder of a run's result; what is measured follows from its stage."""

    stage: Literal["evaluate"] = "evaluate"
    name: str
    model: str
    data: DataConfig = DataConfig()
    batch_size: int = 8
    confidence: float = 0.95
    bootstrap: int = 1000
    seed: int = 0
    threads: int = 0


STAGES: dict[str, type[Any]] = {
    "sft": SftConfig,
    "rm": RewardConfig,
    "dpo": DpoConfig,
    "ppo": PpoConfig,
    "sample": SampleConfig,
    "evaluate": EvaluateConfig,
}


def load(
    source: str | Path,
    overrides: Sequence[str] = (),
    *,
    stage: str = "",
    of: type[Any] | None = None,
) -> Any:
    """Read a YAML file (or the name of one in `training/configs`), then `a.b=value` overrides.

    Raises ConfigError.
    """
    return build(_override(read(source), overrides), stage=stage, of=of)


def read(source: str | Path) -> dict[str, Any]:
    """The plain values of a YAML file, or of one in `training/configs`. Raises ConfigError."""
    path = _find(source)
    return _mapping(path.read_text(encoding="utf-8"), str(path))


def build(values: dict[str, Any], *, stage: str = "", of: type[Any] | None = None) -> Any:
    """The config of plain values; `stage`, if given, is what they must be for.

    Raises ConfigError.
    """
    named = values.get("stage", stage)
    if stage and named != stage:
        raise ConfigError(f"stage: this is a config for {named}, expected one for {stage}")
    kind = of or STAGES.get(named)
    if kind is None:
        raise ConfigError(f"stage: {named!r}, expected one of {', '.join(STAGES)}")
    _check_keys(values, kind, "")
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise ConfigError(_say(error)) from None


def to_dict(config: Any) -> dict[str, Any]:
    """Plain values, as YAML and JSON can hold them."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")


def to_yaml(config: Any) -> str:
    return yaml.safe_dump(to_dict(config), sort_keys=False, allow_unicode=True)


def from_yaml(text: str, *, stage: str = "") -> Any:
    """Read what a person typed. Raises ConfigError."""
    return build(_mapping(text, "the text"), stage=stage)


def _find(source: str | Path) -> Path:
    path = Path(source)
    for candidate in (path, CONFIGS / path, CONFIGS / f"{path}.yaml"):
        if candidate.is_file():
            return candidate
    names = sorted(found.stem for found in CONFIGS.glob("*.yaml"))
    near = difflib.get_close_matches(path.stem, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigError(f"{source}: no such file, nor one in training/configs.{hint}")


def _mapping(text: str, where: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{where}: not YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected `key: value` lines")
    return values


def _override(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"{override}: expected key=value, such as optim.lr=1e-5")
        *parents, last = key.split(".")
        place = values
        for parent in parents:
            inner = place.get(parent)
            place[parent] = place = dict(inner) if isinstance(inner, dict) else {}
        try:
            place[last] = _scalar(text)
        except yaml.YAMLError:
            raise ConfigError(f"{override}: the value is not YAML") from None
    return values


def _scalar(text: str) -> Any:
    value = yaml.safe_load(text)
    if isinstance(value, str):  # YAML 1.1 reads 1e-5 as a word
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _check_keys(values: dict[str, Any], kind: type[Any], prefix: str) -> None:
    types = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    for key, value in values.items():
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1)
            hint = f"Did you mean {prefix}{near[0]}?" if near else f"Known: {', '.join(names)}."
            raise ConfigError(f"{prefix}{key}: unknown key. {hint}")
        for inner in _dataclasses(types[key]):
            for row in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(row, dict):
                    _check_keys(row, inner, f"{prefix}{key}.")


def _dataclasses(annotation: Any) -> list[type[Any]]:
    if isinstance(annotation, type) and is_dataclass(annotation):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _dataclasses(inner)]


def _say(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in row['loc'])}: {row['msg']}"
        + ("" if row["type"] == "missing" else f" (it is {reprlib.repr(row['input'])})")
        for row in error.errors()
    )
