"""What each step of a round does. A step that is taken again goes on with what is there.

Every step gives a record of plain values, which the page of the round shows and later steps read.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from chat_app.models import ServedModel
from tasks_app import export_format, exporting
from tasks_app.enums import TreeState
from tasks_app.export_format import BadLine, MessageNode, MessageTree
from tasks_app.importing import import_trees
from tasks_app.models import Message
from training import data, examples, gate, registry, report, snapshots, sources, synthetic
from training.config import DataConfig, SourceConfig
from training.errors import GateClosed, NotServable
from training.figures import Bootstrap, endings
from training.models import Checkpoint, RoundStep, Snapshot
from training.prompt_files import Prompt
from training.round_config import PromoteConfig, stage_config
from training.round_prompts import PROMPTS, fresh_prompts, read_rows
from training.round_work import Failed, Record, Skipped, Work, about, read_json, run_of
from training.synthetic import Case, Reply

# Steps whose results answer people, the preferred first.
TALKING_STEPS = ("ppo", "sft")

# Training


def _sft(work: Work, step: RoundStep) -> Record:
    start = work.previous() if work.config.start == "previous" else work.config.base
    return _train(work, step, model={"path": start}, data=work.data())


def _rm(work: Work, step: RoundStep) -> Record:
    return _train(work, step, model={"path": work.config.base}, data=work.data())


def _ppo(work: Work, step: RoundStep) -> Record:
    return _train(
        work,
        step,
        model={"path": work.record("sft")["folder"]},
        reward=work.record("rm")["folder"],
        data=work.data(),
    )


def _evaluate(work: Work, step: RoundStep) -> Record:
    run = run_of(work, step, model=work.record("ppo")["folder"], data=work.data())
    return about(run) | {"evaluation": read_json(run.folder.evaluation)}


def _train(work: Work, step: RoundStep, **filled_in: Any) -> Record:
    run = run_of(work, step, **filled_in)
    lineage = read_json(run.folder.final / "training.json")
    return about(run) | {
        "folder": str(run.folder.final),
        "weights_sha256": lineage["weights_sha256"],
        "evaluation": lineage.get("evaluation"),
    }


# Sampling


def _sample(work: Work, step: RoundStep) -> Record:
    """The new model's answers to prompts that taught nothing, beside those of the one before."""
    path = work.folder / PROMPTS
    count = stage_config(work.config, "sample", name="x", models=["x"], prompts="x").count
    chosen = fresh_prompts(work, count)
    rows = [
        {"prompt": list(prompt.messages), "lang": prompt.lang, "tree": prompt.tree}
        for prompt in chosen
    ]
    with export_format.open_output(path) as stream:
        export_format.write_objects(stream, rows)
    models = [work.record("ppo")["folder"]]
    if work.config.ranking.previous:
        models.append(work.previous())
    reward = work.record("rm")["folder"]
    run = run_of(work, step, models=models, prompts=str(path), reward=reward)
    return about(run) | {
        "prompts": len(chosen),
        "folder": str(run.folder.final),
        "summary": read_json(run.folder.final / "summary.json"),
        "endings": _compare_endings(work, run.folder.final),
    }


def _compare_endings(work: Work, folder: Path) -> Record:
    """How the new model's answers end beside those of the one before, as the gate reads it."""
    names = list(dict.fromkeys(row["model"] for row in read_json(folder / "summary.json")))
    if len(names) < 2:
        return {}
    new, before = (report.endings_of(read_json(folder / f"{name}.json")) for name in names)
    how = Bootstrap(seed=work.config.seed)
    found = {f"{gate.SAMPLES}{k}": v for k, v in endings(before, new, new["prompts"], how).items()}
    for model in Checkpoint.objects.filter(run=work.round.steps.get(kind="ppo").run):
        model.evaluation = (model.evaluation or {}) | found
        model.save(update_fields=["evaluation"])
    return found


# Going live


def _promote(work: Work, step: RoundStep) -> Record:
    """Serve the result of PPO, or that of SFT where only the former is objected to."""
    wish = work.config.promote
    if not wish.name:
        raise Skipped(_("The config names no model of the chat to be replaced."))
    made = {kind: _made_in(work, kind) for kind in TALKING_STEPS}
    if made["ppo"] is None:
        raise Failed(_("The result of PPO is not in the registry."))
    objections: list[str] = []
    for kind, checkpoint in made.items():
        if checkpoint is None:
            continue
        try:
            served = _serve(work, checkpoint, wish)
        except GateClosed as closed:
            objections = objections or closed.objections
        except NotServable as error:  # it can be looked at and ranked all the same
            raise Skipped(str(error)) from error
        else:
            return served | {"objections": objections, "instead": kind != "ppo"}
    told = _("The chat keeps the model it has. %s") % " ".join(objections)
    raise Skipped(told, {"objections": objections})


def _made_in(work: Work, kind: str) -> Checkpoint | None:
    run = work.round.steps.get(kind=kind).run
    return Checkpoint.objects.filter(run=run).first() if run else None


def _serve(work: Work, checkpoint: Checkpoint, wish: PromoteConfig) -> Record:
    """Raises GateClosed, NotServable."""
    if not _is_live(checkpoint.served, wish):
        registry.promote(
            checkpoint,
            name=wish.name,
            title=wish.title,
            make_default=wish.default,
            as_adapter=wish.as_adapter,
            force=bool(wish.force),
            reason=wish.force,
            by=work.round.queued_by,
            now=timezone.now(),
        )
    record = {"served": wish.name, "checkpoint": checkpoint.name}
    last = checkpoint.promotions.first()
    if last is None or not last.force_reason:
        return record
    return record | {"overruled": last.objections, "force": last.force_reason}


def _is_live(served: ServedModel | None, wish: PromoteConfig) -> bool:
    """Whether all is as wished already: promoting once more would bury the way back."""
    if served is None or served.name != wish.name:
        return False
    return wish.title in ("", served.title) and (served.is_default or not wish.default)


# Ranking


def _rank(work: Work, step: RoundStep) -> Record:
    """Put the answers into trees, beside people's replies, where contributors rank them blind."""
    sample = work.record("sample")
    if "summary" not in sample:
        raise Skipped(_("There are no answers to be ranked."))
    models = list(dict.fromkeys(row["model"] for row in sample["summary"]))
    answers = _answers_of(Path(sample["folder"]), models)
    prompts = read_rows(work.folder / PROMPTS)
    people = _replies_of_people(work, {row["tree"] for row in prompts})
    rng = random.Random(work.config.seed + work.number)
    cases = []
    for row in prompts:
        prompt = Prompt(examples.key_of(row["prompt"]), tuple(row["prompt"]), row["lang"])
        human = people.get(row["tree"], [])
        chosen = rng.sample(human, min(work.config.ranking.human, len(human)))
        cases.append(Case(prompt, [*chosen, *answers[prompt.id]], row["tree"]))
    trees = list(
        synthetic.trees(
            cases,
            origin=f"round {work.round.name}",
            seed=work.config.seed,
            now=work.round.created_at,
        )
    )
    if not trees:
        raise Skipped(_("There is nothing to compare: every prompt has one answer only."))
    sides = dict(zip(("new", "previous"), models, strict=False))
    originals = synthetic.originals(cases, origin=f"round {work.round.name}")
    return _import(work, trees, originals) | {"sides": sides}


def _answers_of(folder: Path, models: Sequence[str]) -> dict[str, list[Reply]]:
    """The answers to each prompt: of every model those that were kept."""
    found: dict[str, list[Reply]] = defaultdict(list)
    for model in models:
        for row in read_json(folder / f"{model}.json")["prompts"]:
            for result in row["results"]:
                kept = result.get("kept", range(len(result["outputs"])))
                found[row["id"]] += [Reply(result["outputs"][place], model) for place in kept]
    return found


def _replies_of_people(work: Work, wanted: set[str]) -> dict[str, list[Reply]]:
    """Accepted replies of people to the initial prompts, by tree, with their authors."""
    found: dict[str, list[MessageNode]] = {}
    for item in sources.read(SourceConfig(path=work.record("snapshot")["path"])):
        if isinstance(item, MessageTree) and item.message_tree_id in wanted:
            found[item.message_tree_id] = [
                node
                for node in item.prompt.replies
                if not (node.synthetic or node.deleted or node.review_result is False)
            ]
    authors = _authors(work, [node.message_id for nodes in found.values() for node in nodes])
    return {
        tree: [Reply(n.text, author=authors.get(n.message_id, n.user_id)) for n in nodes]
        for tree, nodes in found.items()
    }


def _authors(work: Work, replies: Sequence[str]) -> dict[str, str]:
    """Who of this site wrote the replies of a snapshot, which has other names for them: a copy
    belongs to its author like the reply itself."""
    if work.config.data:
        return {}
    rows = Message.objects.filter(pk__in=replies).exclude(user=None)
    return {str(pk): str(user) for pk, user in rows.values_list("pk", "user")}


def _import(work: Work, trees: Sequence[MessageTree], originals: Mapping[str, str]) -> Record:
    path = work.folder / "ranking.jsonl"
    with export_format.open_output(path) as stream:
        export_format.write_objects(stream, map(export_format.tree_to_json, trees))
    bad: list[BadLine] = []
    import_trees(
        path,
        now=timezone.now(),
        on_bad=bad.append,
        state=TreeState.RANKING,
        link_authors=True,
        copy_of=originals,
    )
    if bad:
        raise Failed(f"{path}, line {bad[0].number}: {bad[0].reason}")
    return {
        "trees": [tree.message_tree_id for tree in trees],
        "replies": sum(len(tree.prompt.replies) for tree in trees),
    }


# The snapshot


def _snapshot(work: Work, step: RoundStep) -> Record:
    """Freeze what the round learns from, and say what it holds."""
    if not work.config.data:
        return _snapshot_of_site(work)
    path = Path(work.config.data).expanduser().resolve()
    config = DataConfig(sources=(SourceConfig(path=str(path)),))
    return {"path": str(path), "files": data.sources_record(config)}


def _snapshot_of_site(work: Work) -> Record:
    """All finished trees, those with models' replies that people ranked too, prompts that wait to
    be drawn, and chats whose owners agree."""
    trees = exporting.Selection(
        states=(TreeState.READY_FOR_EXPORT, TreeState.PROMPT_LOTTERY_WAITING),
        langs=work.config.languages,
        synthetic=None,
    )
    wanted = snapshots.Filter(trees=trees, chats=True)
    made = snapshots.create(
        _free_name(work.round.name), wanted, now=timezone.now(), by=work.round.queued_by
    )
    return {
        "path": str(made.folder),
        "snapshot": made.pk,
        "sha256": made.sha256,
        "counts": made.counts,
    }


def _free_name(name: str) -> str:
    """The round's, unless an attempt that was killed has left a snapshot of that name."""
    number = 1
    folder = Path(settings.RUNS_DIR) / snapshots.FOLDER
    while (folder / name).exists() or Snapshot.objects.filter(name=name).exists():
        number += 1
        name = f"{name.removesuffix(f'-again-{number - 1}')}-again-{number}"
    return name


STEPS: dict[str, Callable[[Work, RoundStep], Record]] = {
    "snapshot": _snapshot,
    "sft": _sft,
    "rm": _rm,
    "ppo": _ppo,
    "evaluate": _evaluate,
    "sample": _sample,
    "promote": _promote,
    "rank": _rank,
}
