"""Which models are on offer, which one is the default, and the presets of their parameters.

Only this module changes ServedModel.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chat_app.checkpoints import CheckpointFacts, inspect
from chat_app.errors import InvalidSettings, ModelNotOnOffer
from chat_app.inference.sampling import (
    DEFAULT_PRESET,
    PRESETS,
    InvalidParameters,
    SamplingParameters,
)
from chat_app.models import Preset, ServedModel
from chat_app.querysets import ServedModelQuerySet

if TYPE_CHECKING:
    from oasst.accounts.models import User

DEFAULT_MODEL = "smollm2-135m"
# What is said of the models that the site can fetch, until an admin says otherwise.
OWN_MODELS: dict[str, dict[str, Any]] = {
    DEFAULT_MODEL: {
        "title": "SmolLM2 135M Instruct",
        "description": gettext_noop(
            "A small model that runs on any computer. It is quick and often wrong."
        ),
        "licence": "Apache-2.0",
        # So small a model goes astray where larger ones get creative.
        "default_preset": "k50-Precise",
    }
}
MAX_PRESETS = 30


def on_offer() -> ServedModelQuerySet:
    """The models that people may choose, the default first."""
    return ServedModel.objects.on_offer()


def default() -> ServedModel | None:
    """The model of a new chat; None while nothing is on offer."""
    return on_offer().first()


def named(name: str) -> ServedModel:
    """The model on offer under `name`. Raises ModelNotOnOffer."""
    model = on_offer().filter(name=name).first()
    if model is None:
        raise ModelNotOnOffer
    return model


# Changing the offer


def ensure_default(models_dir: Path, *, now: datetime) -> ServedModel | None:
    """Register the small model that the site brings, if its folder is there; safe to repeat."""
    folder = models_dir / DEFAULT_MODEL
    if not (folder / "config.json").is_file():
        return None
    known = ServedModel.objects.filter(name=DEFAULT_MODEL).first()
    if known is not None:
        return known
    return promote(folder, name=DEFAULT_MODEL, source=DEFAULT_MODEL, now=now)


@transaction.atomic
def promote(
    folder: Path,
    *,
    name: str,
    now: datetime,
    title: str = "",
    description: str = "",
    licence: str = "",
    source: str = "",
    base: str = "",
    make_default: bool = False,
) -> ServedModel:
    """Put a checkpoint folder on offer, or a newer one under a known name. With `base`, the name
    of a folder below MODELS_DIR or its path, its adapter is put on that and not merged.

    The first model is the default. Raises BadCheckpoint for a folder that cannot be served, or
    that holds weights which could run code.
    """
    facts = inspect(folder, base=Path(settings.MODELS_DIR) / base if base else None)
    fields = _fields(facts, source or str(folder.resolve()), now) | {"base": base}
    texts = {"title": title, "description": description, "licence": licence or facts.licence}
    return _offer(name, fields, texts, make_default)


@transaction.atomic
def promote_remote(
    address: str,
    *,
    name: str,
    now: datetime,
    title: str = "",
    description: str = "",
    licence: str = "",
    make_default: bool = False,
) -> ServedModel:
    """Put a model on offer that an OpenAI-compatible server runs: `https://host/v1#its-name`."""
    fields = {"source": address, "base": "", "enabled": True, "promoted_at": now}
    texts = {"title": title, "description": description, "licence": licence}
    return _offer(name, fields, texts, make_default)


def _offer(
    name: str, fields: dict[str, Any], texts: dict[str, str], make_default: bool
) -> ServedModel:
    fields |= {key: text for key, text in texts.items() if text}
    known = OWN_MODELS.get(name, {"title": name})
    model, created = ServedModel.objects.update_or_create(
        name=name, defaults=fields, create_defaults={**known, **fields}
    )
    if make_default or (created and not ServedModel.objects.filter(is_default=True).exists()):
        set_default(model)
    return model


def _fields(facts: CheckpointFacts, source: str, now: datetime) -> dict[str, Any]:
    return {
        "source": source,
        "max_context": facts.max_context,
        "max_new_tokens": min(1024, facts.max_context // 2),
        "parameter_count": facts.parameter_count,
        "lineage": facts.lineage,
        "enabled": True,
        "promoted_at": now,
    }


@transaction.atomic
def bring_back(name: str, fields: dict[str, Any], *, now: datetime) -> ServedModel:
    """Let a name stand again for what it stood for, with the fields it had then."""
    # What was noted before models could share a base says nothing of one.
    ServedModel.objects.filter(name=name).update(**{"base": ""} | fields, promoted_at=now)
    return ServedModel.objects.get(name=name)


@transaction.atomic
def set_default(model: ServedModel) -> None:
    """Make `model` the one of new chats."""
    ServedModel.objects.filter(is_default=True).update(is_default=False)
    ServedModel.objects.filter(pk=model.pk).update(is_default=True, enabled=True)
    model.refresh_from_db()


def take_off_offer(model: ServedModel) -> None:
    """Stop offering a model: what waits for it is written, nothing new is asked of it.

    Raises InvalidSettings for the default model.
    """
    if model.is_default:
        raise InvalidSettings(_("This is the default model. Make another one the default first."))
    ServedModel.objects.filter(pk=model.pk).update(enabled=False)


def put_on_offer(model: ServedModel) -> None:
    ServedModel.objects.filter(pk=model.pk).update(enabled=True)


# Presets


def presets_for(user: User) -> dict[str, SamplingParameters]:
    """Every preset by name: the built-in ones, then the person's own."""
    own = Preset.objects.filter(user=user)
    return PRESETS | {kept.name: SamplingParameters.from_dict(kept.parameters) for kept in own}


@transaction.atomic
def keep_preset(user: User, name: str, values: dict[str, Any], *, now: datetime) -> Preset:
    """Keep parameters under a name of the person's own; the same name again replaces them."""
    name = name.strip()[:60]
    if not name or name in PRESETS:
        raise InvalidSettings(_("Choose another name: this one is empty or built in."))
    parameters = read_parameters({**values, "seed": None})
    own = Preset.objects.filter(user=user)
    if own.count() >= MAX_PRESETS and not own.filter(name=name).exists():
        raise InvalidSettings(_("You have as many presets as can be kept. Delete one first."))
    kept, _created = Preset.objects.update_or_create(
        user=user,
        name=name,
        defaults={"parameters": parameters.to_dict()},
        create_defaults={"parameters": parameters.to_dict(), "created_at": now},
    )
    return kept


def drop_preset(user: User, name: str) -> None:
    Preset.objects.filter(user=user, name=name).delete()


def read_parameters(values: dict[str, Any]) -> SamplingParameters:
    """Read posted or stored values. Raises InvalidSettings with the name and what is allowed."""
    try:
        return SamplingParameters.from_dict(values)
    except InvalidParameters as error:
        raise InvalidSettings(str(error)) from error


def preset_of(model: ServedModel | None) -> str:
    """The preset that a new chat with `model` begins with."""
    return model.default_preset if model else DEFAULT_PRESET
