"""Chooses the engine of a worker, and where the model's weights lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from django.conf import settings

from chat_app import workers
from chat_app.inference.fake import FakeEngine
from chat_app.inference.requests import Engine, EngineError
from chat_app.models import ServedModel

KINDS = ("transformers", "openai", "fake")


@dataclass(frozen=True)
class Wish:
    """What the operator wants of an engine; None: the engine's own default."""

    # One of KINDS; "": whatever the model's source asks for.
    kind: str = ""
    quantization: Literal["none", "8bit", "4bit"] = "none"
    max_batch: int = 8
    max_context: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    base_url: str = ""
    api_key: str = ""
    tokens_per_s: float = 50.0


def sharing(model: ServedModel, wish: Wish) -> list[ServedModel]:
    """The model, then those that write with the same weights in memory: adapters over one base,
    and the base by itself if it is on offer. What was taken off the offer is among them, for
    what waits for it is written."""
    if kind_of(model, wish) != "transformers":
        return [model]
    home = _base_of(model)
    others = ServedModel.objects.exclude(pk=model.pk).order_by("name")
    return [model] + [
        other
        for other in others
        if (model.base or other.base) and not split_address(other.source)[0]
        if _base_of(other) == home
    ]


def have_changed(models: Sequence[ServedModel], wish: Wish) -> bool:
    """Whether one of the models that share an engine was replaced, or others belong to them."""
    if any(workers.is_replaced(model) for model in models):
        return True
    return {m.pk for m in sharing(models[0], wish)} != {m.pk for m in models}


def _base_of(model: ServedModel) -> Path:
    return _folder(model.base or model.source).resolve()


def build(models: Sequence[ServedModel], wish: Wish) -> Engine:
    """Make the engine that writes for `models`, which are one, or share a base; it loads nothing
    yet. Raises EngineError."""
    model = models[0]
    kind = kind_of(model, wish)
    if kind == "fake":
        return FakeEngine(
            tokens_per_s=wish.tokens_per_s,
            max_batch=wish.max_batch,
            max_context=wish.max_context or model.max_context,
        )
    if kind == "openai":
        address, remote_name = split_address(wish.base_url or model.source)
        if not address:
            raise EngineError("--base-url: expected the address of a server, https://…/v1")
        from chat_app.inference.openai import OpenAIEngine

        return OpenAIEngine(
            address,
            remote_name or model.name,
            wish.api_key,
            max_batch=wish.max_batch,
            max_context=wish.max_context or model.max_context,
        )
    # Brings torch, which takes seconds: only who needs it waits.
    from chat_app.inference.engine import TransformersEngine

    return TransformersEngine(
        folder_of(model),
        adapters={each.name: _folder(each.source) for each in models if each.base},
        quantization=wish.quantization,
        device=wish.device,
        dtype=wish.dtype,
        max_batch=wish.max_batch,
        max_context=wish.max_context,
        threads=wish.threads,
    )


def kind_of(model: ServedModel, wish: Wish) -> str:
    """Which engine writes for `model`."""
    return wish.kind or ("openai" if split_address(model.source)[0] else "transformers")


def split_address(source: str) -> tuple[str, str]:
    """Split `https://host/v1#name` into address and what the server calls the model."""
    address, _hash, name = source.partition("#")
    return (address, name) if address.startswith(("http://", "https://")) else ("", "")


def folder_of(model: ServedModel) -> Path:
    """Where the weights lie, of an adapter those of its base: below MODELS_DIR, or a folder
    anywhere. Raises EngineError."""
    source = model.base or model.source
    folder = _folder(source)
    if not (folder / "config.json").is_file():
        raise EngineError(
            f"{model.name}: its weights ({source}) are not below {settings.MODELS_DIR}."
            f" Run: manage.py fetch_model {model.base or model.name}"
        )
    return folder


def _folder(source: str) -> Path:
    below = Path(settings.MODELS_DIR) / source
    return below if below.is_dir() else Path(source)
