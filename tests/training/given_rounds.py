"""Rounds for tests: with steps that are done, and answers that were really ranked."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import django_rq
from django.utils import timezone

from tasks_app import export_format
from tasks_app.enums import TreeState
from tasks_app.importing import import_trees
from tasks_app.simulation import crowd, rankers
from tests.training.working import in_process
from training import round_config, rounds, runs, synthetic
from training.enums import RoundState, StepState
from training.models import Round, TrainingRun
from training.prompt_files import Prompt
from training.round_config import RoundConfig
from training.synthetic import Case, Reply

Execute = Callable[[TrainingRun], TrainingRun]
SIDES = {"new": "model-2", "previous": "model-1"}
# What the people of these tests prefer: of equal length all three would tie.
LENGTHS = {"model-2": 30, "": 20, "model-1": 10}


def begun(*overrides: str) -> Round:
    """A round that waits, of the tiny config."""
    return rounds.begin(round_config.load("tiny-round", overrides), now=timezone.now())


def in_ranking(folder: Path, *, prompts: int = 12) -> Round:
    """A round whose answers, of three sides to each prompt, wait to be ranked."""
    found = begun()
    trees = list(synthetic.trees([_case(number) for number in range(prompts)], origin=found.name))
    path = folder / "ranking.jsonl"
    with export_format.open_output(path) as stream:
        export_format.write_objects(stream, map(export_format.tree_to_json, trees))
    import_trees(path, now=timezone.now(), on_bad=_refused, state=TreeState.RANKING)
    record = {"trees": [t.message_tree_id for t in trees], "replies": 3 * prompts, "sides": SIDES}
    found.steps.update(state=StepState.DONE, started_at=timezone.now(), ended_at=timezone.now())
    write(found, "rank", record)
    Round.objects.filter(pk=found.pk).update(state=RoundState.DONE)
    found.refresh_from_db()
    return found


def _refused(line: export_format.BadLine) -> None:
    raise AssertionError(line)


def _case(number: int) -> Case:
    prompt = Prompt(str(number), ({"role": "user", "content": f"Question {number}?"},), "en")
    replies = [
        Reply(f"Answer {number} {'x' * length}", model, None if model else "someone")
        for model, length in LENGTHS.items()
    ]
    return Case(prompt, replies)


def write(found: Round, kind: str, record: dict[str, Any]) -> None:
    """What a step left behind."""
    found.steps.filter(kind=kind).update(record=record)


def ranked_by(taste: rankers.Taste, *, people: int = 4, seed: int = 1) -> int:
    """Let people rank everything there is; how many rankings that were."""
    now: datetime = timezone.now()
    rng = random.Random(seed)
    some = crowd.gather(people, 0.0, langs=["en"], rng=rng, now=now)
    return rankers.rank_everything(some, taste, now=now, rng=rng)[0]


def tree(number: int, rng: random.Random) -> dict[str, Any]:
    key = f"tree-{number}"
    words = "cat mat dog log ten one two".split()
    replies = [
        message(f"{key}-{rank}", " ".join(rng.choices(words, k=4)), rank=rank, parent_id=key)
        for rank in range(3)
    ]
    root = message(key, f"Where is cat number {number}?", role="prompter", replies=replies)
    return {"message_tree_id": key, "tree_state": "ready_for_export", "prompt": root}


def message(key: str, text: str, **more: Any) -> dict[str, Any]:
    known = {"message_id": key, "text": text, "lang": "en", "review_result": True}
    return known | {"role": "assistant", "review_count": 3, "user_id": "somebody"} | more


def config(trees: Path | None, *overrides: str) -> RoundConfig:
    data = [f"data={trees}"] if trees else []
    return round_config.load("tiny-round", [*data, *overrides])


def begin(found: RoundConfig) -> Round:
    return rounds.begin(found, now=timezone.now())


def states(found: Round) -> dict[str, str]:
    return dict(found.steps.order_by("position").values_list("kind", "state"))


class PowerCut(BaseException):
    """Whatever ends a process at once."""


def breaking_at(stage: str) -> Execute:
    """Works until a run of `stage`, which begins and breaks off."""

    def execute(run: TrainingRun) -> TrainingRun:
        if run.stage != stage:
            return in_process(run)
        runs.claim(run.pk, now=timezone.now())
        raise PowerCut

    return execute


def jobs() -> list[int]:
    """The rounds that a worker was called for."""
    queue = django_rq.get_queue("training")
    return [job.args[0] for job in queue.jobs if job.func_name == "training.jobs.run_round"]
