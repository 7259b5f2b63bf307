"""The registry of trained models: what each came from, which is live, and the way there and back.

A model goes live by its name in the chat's catalogue; every change of that is a Promotion.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chat_app import catalogue
from chat_app.checkpoints import BadCheckpoint
from chat_app.models import ServedModel
from training import checkpoints, gate, standings, usage
from training.config import ConfigError
from training.errors import GateClosed, NothingToRollBack, NotServable
from training.models import Checkpoint, Promotion, Round, Snapshot, TrainingRun, below_runs
from training.rundir import RunDir

if TYPE_CHECKING:
    from oasst.accounts.models import User

logger = logging.getLogger(__name__)

OBJECTIONS = {
    "superseded": gettext_noop(
        "It learned from the snapshot %(name)s, of which something was erased since: train anew."
    ),
    "does_not_talk": gettext_noop("It is a result of the stage %(stage)s, which answers nobody."),
    "no_evaluation": gettext_noop("It was never evaluated: run the stage evaluate on it first."),
    "too_few": gettext_noop(
        "It was judged on %(n)d held-out examples only: at least %(fewest)d are needed."
    ),
    "no_number": gettext_noop("Its %(name)s is no number: look at the run's curves."),
    "loss_rose": gettext_noop(
        "Its loss on held-out trees rose by %(change).3f nats a token while it learned."
    ),
    "prefers_worse": gettext_noop(
        "It prefers the better answer in %(right).0f %% of %(n)d held-out pairs: worse than chance."
    ),
    "kl_over_budget": gettext_noop("Its KL is %(kl).1f nats, beyond its budget of %(budget).1f."),
    "reward_fell": gettext_noop("Its reward on held-out prompts changed by %(gain).2f."),
    "no_gain": gettext_noop(
        "Its reward is not shown to have risen: %(gain).2f on %(n)d held-out prompts, which may be "
        "chance."
    ),
    "gain_unknown": gettext_noop("Nobody knows whether its reward on held-out prompts rose."),
    "ends_less": gettext_noop(
        "Of %(n)d answers %(now).0f %% come to an end by themselves, before %(before).0f %%."
    ),
    "length_drifted": gettext_noop(
        "Its answers are %(times).1f times as long as before, counted over %(n)d."
    ),
    "loses": gettext_noop(
        "People prefer the other model: it won %(win_rate).0f %% of %(n)d blind comparisons."
    ),
}
LINEAGE = "training.json"
# What an entry cannot be made without.
NEEDED = ("stage", "name", "weights_sha256")
# What a promotion replaces, and a roll-back brings back.
KEPT = ("source", "base", "title", "description", "licence", "parameter_count", "max_context",
        "max_new_tokens", "system_prompt", "lineage", "enabled")  # fmt: skip


# Registering


def register(run: TrainingRun) -> Checkpoint | None:
    """Enter the result of a run that is done; the evaluation of a model is added to that model.

    None if there is neither. May run twice.
    """
    folder = run.folder
    if run.stage == "evaluate":
        return _add_evaluation(Path(run.config["model"]), folder)
    lineage = _read(folder.final / LINEAGE)
    return _enter(folder.final, lineage, run) if lineage else None


def is_trained_by_us(folder: Path) -> bool:
    """Whether its lineage is of our writing; other programs may call a file like that, too."""
    try:
        return "schema" in _read(folder / LINEAGE)
    except ValueError:
        return False


def register_folder(folder: Path) -> Checkpoint:
    """Enter a checkpoint folder that was trained elsewhere, or without the site.

    Raises NotServable without lineage, and for other weights where a model was entered already.
    """
    lineage = _read(folder / LINEAGE)
    missing = [name for name in NEEDED if not lineage.get(name)]
    if missing:
        raise NotServable(
            _("%(folder)s: expected a training.json with %(names)s in the folder")
            % {"folder": folder, "names": ", ".join(missing)}
        )
    known = Checkpoint.objects.filter(path=below_runs(folder)).first()
    if known is not None and known.weights_sha256 != lineage["weights_sha256"]:
        raise NotServable(
            _("%(folder)s was entered as %(name)s with other weights: give it a folder of its own")
            % {"folder": folder, "name": known.name}
        )
    return known or _enter(folder, lineage, None)


@transaction.atomic
def _enter(folder: Path, lineage: dict[str, Any], run: TrainingRun | None) -> Checkpoint:
    path = below_runs(folder)
    checkpoint, _created = Checkpoint.objects.update_or_create(
        path=path,
        defaults={
            "name": run.run_dir if run else _free_name(lineage["name"]),
            "stage": lineage["stage"],
            "run": run,
            "weights_sha256": lineage["weights_sha256"],
            "size_bytes": sum(f.stat().st_size for f in folder.rglob("*.safetensors")),
            "lineage": lineage,
            "evaluation": lineage.get("evaluation"),
        },
    )
    parents = {parent["weights_sha256"] for parent in lineage.get("parents", [])}
    # The same weights may have been made twice: the younger entry is the parent.
    newest = {
        known.weights_sha256: known
        for known in Checkpoint.objects.filter(weights_sha256__in=parents).order_by("created_at")
    }
    checkpoint.parents.set(newest.values())
    hashes = {row["snapshot"] for row in lineage.get("data", []) if row.get("snapshot")}
    checkpoint.snapshots.set(Snapshot.objects.filter(sha256__in=hashes))
    tell_usage(checkpoint)
    logger.info("checkpoint %s entered", checkpoint.name)
    return checkpoint


def _add_evaluation(model: Path, folder: RunDir) -> Checkpoint | None:
    checkpoint = Checkpoint.objects.filter(path=below_runs(model)).first()
    evaluation = _read(folder.evaluation)
    if checkpoint is None or not evaluation:
        return None
    checkpoint.evaluation = (checkpoint.evaluation or {}) | evaluation
    checkpoint.save(update_fields=["evaluation"])
    return checkpoint


def _free_name(wished: str) -> str:
    name = slugify(wished)[:100] or "model"
    number = Checkpoint.objects.filter(name__startswith=name).count()
    return f"{name}-{number + 1}" if number else name


def _read(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return value


# Lineage


def ancestry(checkpoint: Checkpoint) -> list[Checkpoint]:
    """The model and all it was made from, itself first; one query a generation."""
    found, generation = [checkpoint], [checkpoint]
    while generation:
        parents = Checkpoint.objects.filter(children__in=generation).distinct()
        generation = list(parents.exclude(pk__in=[known.pk for known in found]))
        found += generation
    return found


def snapshots_of(lineage: Iterable[Checkpoint]) -> list[Snapshot]:
    """Every snapshot that one of them learned from."""
    return list(Snapshot.objects.filter(checkpoints__in=list(lineage)).distinct())


def tell_usage(checkpoint: Checkpoint) -> None:
    """Tell the data collection from which snapshots a model learned and where it is served."""
    usage.tell_of_model(checkpoint, snapshots_of(ancestry(checkpoint)))


def trained_on(snapshots: Iterable[Snapshot]) -> list[Checkpoint]:
    """Every model that learned from one of the snapshots, or from such a model."""
    generation = list(Checkpoint.objects.filter(snapshots__in=list(snapshots)).distinct())
    found = {checkpoint.pk: checkpoint for checkpoint in generation}
    while generation:
        children = Checkpoint.objects.filter(parents__in=generation).exclude(pk__in=found)
        generation = list(children.distinct())
        found |= {checkpoint.pk: checkpoint for checkpoint in generation}
    return list(found.values())


def checkpoint_of(served: ServedModel) -> Checkpoint | None:
    """What the chat serves under a name; None for what was not trained here."""
    if "://" in served.source:
        return None
    path = below_runs(Path(settings.MODELS_DIR) / served.source)
    return Checkpoint.objects.filter(path=path).first()


def checkpoint_at(served: ServedModel, moment: datetime) -> Checkpoint | None:
    """What the chat served under a name at a moment: what wrote the messages of then."""
    if moment >= served.promoted_at:
        return checkpoint_of(served)
    known = Promotion.objects.filter(served_name=served.name)
    known = known.select_related("checkpoint", "replaced")
    stood = known.filter(promoted_at__lte=moment).exclude(rolled_back_at__lte=moment)
    if last := stood.order_by("-promoted_at", "-pk").first():
        return last.checkpoint
    following = known.filter(promoted_at__gt=moment).order_by("promoted_at", "pk").first()
    return following.replaced if following else checkpoint_of(served)


# Going live


def objections(checkpoint: Checkpoint) -> list[str]:
    """What speaks against putting a model live, in sentences; nothing if it may.

    Writes down first what blind rankings say of it by now.
    """
    _learn_win_rate(checkpoint)
    lineage = ancestry(checkpoint)
    old = tuple(s.name for s in snapshots_of(lineage) if s.superseded_at is not None)
    config = checkpoint.lineage.get("config", {})
    found = gate.objections(checkpoint.stage, config, checkpoint.evaluation, superseded=old)
    return [_(OBJECTIONS[objection.code]) % objection.values for objection in found]


def _learn_win_rate(checkpoint: Checkpoint) -> None:
    judged = Round.objects.filter(steps__kind="ppo", steps__run__checkpoint=checkpoint)
    for round in judged:
        standings.record(round)
    checkpoint.refresh_from_db(fields=["evaluation"])


@transaction.atomic
def promote(
    checkpoint: Checkpoint,
    *,
    name: str,
    now: datetime,
    by: User | None = None,
    force: bool = False,
    reason: str = "",
    as_adapter: bool = False,
    **texts_and_default: Any,
) -> ServedModel:
    """Serve a model under `name` in the chat; whatever was served there can be brought back.
    `as_adapter`: unmerged, over its base, which workers hold once for all that share it.
    Title, description, licence and `make_default` as in chat_app.catalogue.promote.

    Raises GateClosed with what speaks against it, unless `force`d with a reason, and NotServable
    for a folder that cannot be served at all.
    """
    against = objections(checkpoint)
    if against and not (force and reason):
        raise GateClosed(against)
    base = _base_of(checkpoint) if as_adapter else ""
    if not as_adapter and checkpoints.is_adapter_alone(checkpoint.folder):
        raise NotServable(
            _(
                "It holds an adapter alone. Serve it as an adapter, or merge it with its base: "
                "manage.py promote_model %(folder)s --name %(name)s"
            )
            % {"folder": checkpoint.folder, "name": name}
        )
    before = ServedModel.objects.filter(name=name).select_for_update().first()
    replaced = checkpoint_of(before) if before else None
    kept = _kept(before) if before else {}
    try:
        served = catalogue.promote(
            checkpoint.folder, name=name, now=now, base=base, **texts_and_default
        )
    except BadCheckpoint as error:
        raise NotServable(str(error)) from error
    Promotion.objects.create(
        served_name=name,
        checkpoint=checkpoint,
        before=kept,
        replaced=replaced,
        objections=against,
        force_reason=reason[:500] if against else "",
        promoted_by=by,
        promoted_at=now,
    )
    _serve(checkpoint, served)
    logger.info("checkpoint %s is served as %s", checkpoint.name, name)
    return served


def _base_of(checkpoint: Checkpoint) -> str:
    try:
        return checkpoints.base_of_adapter(checkpoint.folder, Path(settings.MODELS_DIR))
    except ConfigError as error:
        raise NotServable(str(error)) from error


@transaction.atomic
def roll_back(name: str, *, now: datetime) -> ServedModel:
    """Serve again what `name` stood for before its last promotion. Raises NothingToRollBack."""
    last = promotions(name).select_for_update(of=("self",)).first()
    if last is None or not last.before:
        raise NothingToRollBack
    served = catalogue.bring_back(name, last.before, now=now)
    Promotion.objects.filter(pk=last.pk).update(rolled_back_at=now)
    _serve(last.replaced, served)
    logger.info("%s is rolled back to what stood there before checkpoint %s", name, last.checkpoint)
    return served


def promotions(name: str) -> Any:
    """What was served under a name and not rolled back, the newest first."""
    return Promotion.objects.filter(served_name=name, rolled_back_at=None).order_by(
        "-promoted_at", "-pk"
    )


def note_other(served: ServedModel) -> None:
    """A name stands for something that was not trained here: no checkpoint is served as it."""
    _serve(None, served)


def _kept(model: ServedModel) -> dict[str, Any]:
    return {field: getattr(model, field) for field in KEPT}


def _serve(checkpoint: Checkpoint | None, served: ServedModel) -> None:
    before = list(Checkpoint.objects.filter(served=served))
    Checkpoint.objects.filter(served=served).update(served=None)
    if checkpoint is not None:
        Checkpoint.objects.filter(pk=checkpoint.pk).update(served=served)
        checkpoint.served = served
        tell_usage(checkpoint)
    for other in before:
        if other != checkpoint:
            other.served = None
            tell_usage(other)
