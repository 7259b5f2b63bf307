"""Looks into a checkpoint folder without loading it: may it be served, and what is it? Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from chat_app.inference.fetching import ADAPTER

# Files that run code when they are read. A folder that holds one beside safetensors is refused
# too: another program could pick it up.
UNSAFE_SUFFIXES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".py", ".npy", ".joblib"}
MAX_HEADER_BYTES = 100 * 1024 * 1024
DEFAULT_CONTEXT = 2048
# What an adapter may bring besides: rows of new tokens, whole modules, other arithmetic.
_BEYOND_LAYERS = ("trainable_token_indices", "modules_to_save", "use_dora")
# Keys under which the architectures say how long their context is.
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length")


class BadCheckpoint(ValueError):
    """This folder cannot be served; the text says which file is wrong and what was expected."""


@dataclass(frozen=True)
class CheckpointFacts:
    max_context: int
    parameter_count: int
    licence: str = ""
    lineage: dict[str, Any] = field(default_factory=dict)


def inspect(folder: Path, *, base: Path | None = None) -> CheckpointFacts:
    """Read what a checkpoint says of itself; of one whose adapter shall be put on `base`, that it
    can be. Raises BadCheckpoint."""
    home = base or folder
    for place in {folder, home}:
        if not place.is_dir():
            raise BadCheckpoint(f"{place}: expected a folder")
        _refuse_unsafe(place)
    parameters = count_parameters(home)
    if base:
        parameters += _inspect_adapter(folder / ADAPTER)
    config = _json(home / "config.json")
    if "auto_map" in config:
        raise BadCheckpoint(f"{home / 'config.json'}: asks for code of its own (auto_map)")
    _require_chat_template(folder)
    card = folder / "README.md"
    training = folder / "training.json"
    model_card = card.read_text(encoding="utf-8")[:20_000] if card.is_file() else ""
    lineage: dict[str, Any] = {}
    if training.is_file():
        lineage["training"] = _json(training)
    if model_card:
        lineage["model_card"] = model_card
    return CheckpointFacts(
        max_context=_context(config),
        parameter_count=parameters,
        licence=_licence(model_card),
        lineage=lineage,
    )


def _inspect_adapter(folder: Path) -> int:
    """How many parameters it adds. What changes more than the layers within cannot share a base."""
    config = _json(folder / "adapter_config.json")
    if config.get("peft_type") != "LORA":
        raise BadCheckpoint(f"{folder}: expected an adapter of low rank (LORA)")
    changed = [name for name in _BEYOND_LAYERS if config.get(name)]
    if changed:
        raise BadCheckpoint(
            f"{folder}: it changes more than the layers of its base ({', '.join(changed)}):"
            " promote it merged"
        )
    return count_parameters(folder)


def count_parameters(folder: Path) -> int:
    """Add up the tensors that the headers of the safetensors files list."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise BadCheckpoint(f"{folder}: expected weights as *.safetensors")
    return sum(_parameters(path) for path in files)


def _parameters(path: Path) -> int:
    """Read the header: eight bytes of length, then JSON (format of safetensors)."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER_BYTES, path.stat().st_size - 8):
            raise BadCheckpoint(f"{path}: not a safetensors file")
        try:
            header = json.loads(file.read(length))
            return sum(
                prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__"
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadCheckpoint(f"{path}: its header cannot be read") from None


def _refuse_unsafe(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.suffix in UNSAFE_SUFFIXES:
            raise BadCheckpoint(
                f"{path}: such files can run code when they are read. Only safetensors are served;"
                " convert the weights and remove this file."
            )


def _require_chat_template(folder: Path) -> None:
    if (folder / "chat_template.jinja").is_file():
        return
    config = _json(folder / "tokenizer_config.json")
    if not config.get("chat_template"):
        raise BadCheckpoint(
            f"{folder}: its tokenizer has no chat template (chat_template.jinja, or chat_template"
            " in tokenizer_config.json)"
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadCheckpoint(f"{path}: is missing") from None
    except (OSError, ValueError):
        raise BadCheckpoint(f"{path}: expected JSON") from None
    if not isinstance(value, dict):
        raise BadCheckpoint(f"{path}: expected a JSON object")
    return value


def _context(config: dict[str, Any]) -> int:
    for key in _CONTEXT_KEYS:
        value = config.get(key)
        if isinstance(value, int) and value > 0:
            return value
    return DEFAULT_CONTEXT


def _licence(model_card: str) -> str:
    """Read the `license:` line of the card's front matter."""
    if not model_card.startswith("---"):
        return ""
    for line in model_card.split("---")[1].splitlines():
        key, _colon, value = line.partition(":")
        if key.strip() == "license":
            return value.strip().strip("\"'")[:100]
    return ""
