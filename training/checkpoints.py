"""Writes and reads the result of a run: the folder that chat serves and later stages begin with.

*.safetensors  config.json  tokenizer…  README.md (model card)  training.json (lineage)
adapter/       where LoRA was used: what was learned alone, for the base it names
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from chat_app.inference import fetching
from training import model_card, rundir
from training.config import ConfigError, StageConfig, build, to_dict
from training.rundir import RunDir

LINEAGE = "training.json"
CARD = "README.md"
SCHEMA = 1
PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "bitsandbytes", "datasets")
CHUNK_BYTES = 2**20


def write_final(
    run: RunDir,
    model: Any,
    tokenizer: Any,
    config: StageConfig,
    *,
    parents: Sequence[Mapping[str, Any]] = (),
    data: Sequence[Mapping[str, Any]] = (),
    metrics: Mapping[str, float] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    adapter: str = "default",
    state_dict: Mapping[str, Any] | None = None,
) -> Path:
    """Save what was learned, with its lineage and card, and give the folder.

    `model` is a peft model, of which `adapter` is saved and merged into its base read anew, or a
    model whose weights all learned; `state_dict` has the weights of one that is sharded. All of
    the folder appears at once.
    """
    from training import modeling

    folder = rundir.half(run.final)
    folder.mkdir(parents=True)
    base = modeling.base_of(modeling.resolve(config.model.path))
    if config.model.lora is None:
        model.save_pretrained(folder, state_dict=state_dict)
        base = modeling.resolve(config.model.path)
    else:
        place = folder / modeling.ADAPTER
        _save_adapter(model, place, adapter, base=modeling.short(base), state_dict=state_dict)
        if config.output.weights != "adapter":
            _merged(place, config).save_pretrained(folder)
        elif config.stage != "rm":  # what ends an answer, which the base may not know of
            model.get_base_model().generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    record = _record(config, base, parents, data, metrics or {}, evaluation)
    record["weights_sha256"] = weights_sha256(folder)
    write_json(folder / LINEAGE, record)
    _write_card(folder, record)
    rundir.publish(folder, run.final)
    return run.final


def is_adapter_alone(folder: Path) -> bool:
    """Whether the result was saved without merged weights (`output.weights: adapter`)."""
    return has_adapter(folder) and not any(folder.glob("*.safetensors"))


def has_adapter(folder: Path) -> bool:
    return any(folder.glob(f"{fetching.ADAPTER}/*.safetensors"))


def base_of_adapter(folder: Path, models_dir: Path) -> str:
    """The model that its adapter can be put on: a name below `models_dir`, or a path.

    Raises ConfigError without an adapter, and if its base is not here or has other weights.
    """
    if not has_adapter(folder):
        raise ConfigError(f"{folder}: holds no adapter; all weights were trained")
    record = read_lineage(folder)
    path = str(record["base_model"]["path"])
    base = models_dir / path
    if not (base / "config.json").is_file():
        raise ConfigError(f"{folder}: its base {path} is not here; see manage.py fetch_model")
    _check_base(folder, record, base)
    return path


def merge(folder: Path) -> None:
    """Give the result of a run that has its adapter alone the merged weights as well, as the run
    would have written them. The folder is replaced whole; lineage and adapter stay what they are.

    Raises ConfigError if the base is not here, or is another one than the adapter was trained on.
    """
    from training import modeling

    record = read_lineage(folder)
    config = build(record["config"])
    base = modeling.resolve(record["base_model"]["path"])
    _check_base(folder, record, base)
    model = replace(config.model, path=str(base))
    whole = rundir.half(folder)
    shutil.copytree(folder, whole)
    _merged(folder / modeling.ADAPTER, replace(config, model=model)).save_pretrained(whole)
    _write_card(whole, record)
    rundir.publish(whole, folder)


def _check_base(folder: Path, record: Mapping[str, Any], base: Path) -> None:
    if weights_sha256(base) != record["base_model"]["sha256"]:
        raise ConfigError(
            f"{folder}: its adapter was trained on {record['base_model']['path']} with other "
            f"weights than {base} has"
        )


def read_lineage(folder: Path) -> dict[str, Any]:
    """What `training.json` says. Raises FileNotFoundError for a model of somebody else."""
    record: dict[str, Any] = json.loads((folder / LINEAGE).read_text(encoding="utf-8"))
    return record


def parents(*paths: str) -> list[dict[str, Any]]:
    """One line for each model that a run begins with or uses, of those that runs of ours made."""
    from training import modeling

    found = []
    for folder in (modeling.resolve(path) for path in paths):
        if (folder / LINEAGE).is_file():
            record = read_lineage(folder)
            line = {key: record[key] for key in ("stage", "name", "weights_sha256")}
            found.append(line | {"path": modeling.short(folder)})
    return found


def weights_sha256(folder: Path) -> str:
    """Over the weights of a folder: its safetensors, or those of its adapter if it has no others.

    One file's own hash; of several, the hash over `name hash` lines in order of names.
    """
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("adapter/*.safetensors"))
    hashes = [sha256(file) for file in files]
    if len(files) == 1:
        return hashes[0]
    lines = "".join(f"{f.name} {h}\n" for f, h in zip(files, hashes, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@functools.cache  # it reads all that a package says of itself
def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    return {name: metadata.version(name) for name in packages}


def write_json(path: Path, value: Any) -> None:
    rundir.write_whole(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _record(
    config: StageConfig,
    base: Path,
    parents: Sequence[Mapping[str, Any]],
    data: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, float],
    evaluation: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "stage": config.stage,
        "name": config.name,
        "licence": _licence(data, base),
        "base_model": _base(base),
        "parents": list(parents),
        "data": list(data),
        "config": to_dict(config),
        "metrics": dict(metrics),
        "evaluation": evaluation,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }


def _write_card(folder: Path, record: Mapping[str, Any]) -> None:
    card = model_card.render(record, is_adapter=is_adapter_alone(folder))
    (folder / CARD).write_text(card, encoding="utf-8")


def _base(folder: Path) -> dict[str, Any]:
    """Where it lies, its hash, and its name on the hub: of a result of ours, that of its base."""
    from training import modeling

    ours = (folder / LINEAGE).is_file()
    known = read_lineage(folder)["base_model"].get("hub_id") if ours else fetching.hub_id(folder)
    return {
        "path": modeling.short(folder),
        "sha256": weights_sha256(folder),
        "hub_id": known,
    }


def _licence(data: Sequence[Mapping[str, Any]], base: Path) -> str | None:
    """That of the snapshots it learned from; where there are none that of the base. None if it is
    not known, or if there are several."""
    from huggingface_hub.repocard import metadata_load

    folders = {Path(row["path"]).parent for row in data if row["snapshot"]}
    cards = [folder / CARD for folder in folders] or [base / CARD]
    found = {(metadata_load(card) or {}).get("license") for card in cards if card.is_file()}
    return str(found.pop()) if len(found) == 1 and None not in found else None


def _save_adapter(
    model: Any, folder: Path, adapter: str, *, base: str, state_dict: Mapping[str, Any] | None
) -> None:
    """One adapter, alone, in a folder of its own, naming the base it belongs to."""
    model.save_pretrained(
        folder,
        selected_adapters=[adapter],
        state_dict=state_dict,
        save_embedding_layers=False,  # rows of new tokens are in the adapter by themselves
    )
    if adapter != "default":  # peft puts it one folder deeper
        for file in (folder / adapter).iterdir():
            file.rename(folder / file.name)
        (folder / adapter).rmdir()
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base
    write_json(folder / "adapter_config.json", config)


def _merged(adapter: Path, config: StageConfig) -> Any:
    """The base read anew in full precision, for 4 bits cannot take an adapter in, and merged."""
    import peft

    from training import modeling

    precision: Any = str(modeling.dtype_of(config.model)).removeprefix("torch.")
    plain = replace(config.model, quantization="none", device="cpu", dtype=precision)
    load = modeling.load_scorer if config.stage == "rm" else modeling.load_causal
    base, _ = load(plain)
    return peft.PeftModel.from_pretrained(base, adapter).merge_and_unload()
