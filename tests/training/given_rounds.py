"""Rounds for tests: with steps that are done, and answers that were really ranked."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from tasks_app import export_format
from tasks_app.enums import TreeState
from tasks_app.importing import import_trees
from tasks_app.simulation import crowd, rankers
from training import round_config, rounds, synthetic
from training.enums import RoundState, StepState
from training.models import Round
from training.prompt_files import Prompt
from training.synthetic import Case, Reply

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
