"""The README.md of a result, in the hub's format, from its lineage. Pure.

It is for everybody: what lies where on the machine stands in `training.json` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import yaml

from chat_app.inference import fetching

TITLES = {
    "sft": "supervised fine-tuning",
    "rm": "reward model",
    "dpo": "direct preference optimisation",
    "ppo": "reinforcement learning from human feedback",
}
REWARD_USE = """```python
from training import modeling, scoring

model, tokenizer = modeling.load_reward("{name}")
turns = [{{"role": "user", "content": "Why is the sky blue?"}}]
ids = scoring.encode(tokenizer, turns, "Because air scatters blue light most.", max_length=512)
print(scoring.scores(model, [ids], batch_size=1))
```"""
CHAT_USE = "`manage.py promote_model {name} --name NAME` puts it into the chat."


def render(record: Mapping[str, Any], *, is_adapter: bool = False) -> str:
    """`record` is what `training.json` holds; `is_adapter` if the weights are an adapter alone."""
    parts = [_front_matter(record, is_adapter), f"# {record['name']}\n", _introduction(record)]
    if record["evaluation"]:
        parts += ["## Evaluation\n", *_evaluation(record["evaluation"])]
    parts += ["## Data\n", *_data(record), "## Lineage\n", *_lineage(record)]
    use = REWARD_USE if record["stage"] == "rm" else CHAT_USE
    parts += ["\n## Use\n", use.format(name=record["name"])]
    parts += ["\n## How it was trained\n", "```yaml\n" + _yaml(_named(record["config"])) + "```"]
    parts += ["\nVersions: " + ", ".join(f"{k} {v}" for k, v in record["versions"].items()) + "."]
    return "\n".join(parts) + "\n"


def name_of(path: str) -> str:
    """What people call a file or a model, without where it lies: what is relative stays as it is.

    In the hub's cache it is owner/name, of a run's result the name of the run's folder.
    """
    whole = PurePath(path)
    if not whole.is_absolute():
        return path
    is_result = whole.name == "final" and whole.parent.name
    return fetching.cached_id(whole) or (whole.parent.name if is_result else whole.name)


def _front_matter(record: Mapping[str, Any], is_adapter: bool) -> str:
    """What the hub reads. It knows models and data by its own names alone: base and data that have
    none stand in the text."""
    base = record["base_model"].get("hub_id")
    languages = record["config"].get("data", {}).get("languages", [])
    relation = "adapter" if is_adapter else "finetune"
    values: dict[str, Any] = {
        "license": record.get("licence"),
        "library_name": "peft" if is_adapter else "transformers",
        "base_model": base,
        "base_model_relation": relation if base else None,
        "pipeline_tag": "text-classification" if record["stage"] == "rm" else "text-generation",
        "tags": ["open-assistant", record["stage"], "trl"],
        "language": list(dict.fromkeys(lang.split("-")[0] for lang in languages)),
    }
    return "---\n" + _yaml({key: value for key, value in values.items() if value}) + "---\n"


def _introduction(record: Mapping[str, Any]) -> str:
    config, base = record["config"]["model"], name_of(record["base_model"]["path"])
    how = f"LoRA of rank {config['lora']['r']}" if config["lora"] else "all weights"
    if config["quantization"] != "none":
        how += f" over {config['quantization']} weights"
    return (
        f"{TITLES[record['stage']].capitalize()} of {base} ({how}), {record['created_at'][:10]}.\n"
    )


def _evaluation(evaluation: Mapping[str, Any]) -> Iterator[str]:
    yield "| measure | value | interval | n |\n|---|---|---|---|"
    for name, figure in evaluation.items():
        if isinstance(figure, Mapping) and "value" in figure:
            if figure["value"] is None or figure["low"] is None:
                yield f"| {name} | not enough data | – | {figure['n']} |"
                continue
            low, high = figure["low"], figure["high"]
            yield f"| {name} | {figure['value']:.4g} | {low:.4g} to {high:.4g} | {figure['n']} |"
    for warning in evaluation.get("warnings", []):
        yield f"\n**{warning}**"
    yield ""


def _data(record: Mapping[str, Any]) -> Iterator[str]:
    for row in record["data"]:
        name = f"snapshot {row['snapshot']}, " if row["snapshot"] else ""
        yield f"- {name}`{name_of(row['path'])}`, SHA-256 `{row['sha256']}`"
    yield ""


def _lineage(record: Mapping[str, Any]) -> Iterator[str]:
    base = record["base_model"]
    yield f"- base: {name_of(base['path'])}, SHA-256 `{base['sha256']}`"
    for parent in record["parents"]:
        yield f"- {parent['stage']}: {parent['name']}, SHA-256 `{parent['weights_sha256']}`"
    yield f"- these weights: SHA-256 `{record['weights_sha256']}`"


def _named(value: Any) -> Any:
    """A config, with names in place of absolute paths."""
    if isinstance(value, Mapping):
        return {key: _named(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_named(inner) for inner in value]
    return name_of(value) if isinstance(value, str) else value


def _yaml(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
