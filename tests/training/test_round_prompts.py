"""What a round asks its models: prompts that none of them learned from, each once."""

import json
import random
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tasks_app.enums import TreeState
from tasks_app.importing import NAMESPACE, import_trees
from tasks_app.models import MessageTree
from tests.training import given_rounds
from tests.training.given_rounds import begin, config, tree
from tests.training.working import in_process
from training import (
    data,
    examples,
    rounds,
)
from training.enums import RoundState, StepState
from training.models import Round
from training.round_config import RoundConfig, stage_config
from training.round_prompts import fresh_prompts
from training.round_steps import STEPS
from training.round_work import Work

pytestmark = pytest.mark.django_db


def test_fresh_prompts_are_new_to_models_before_too(folders: Path, trees: Path) -> None:
    """What was asked and ranked in one round is learned from in the next; other configs of later
    rounds do not change what is held out."""
    first, learned = taken(config(trees))
    ranked = sorted(first)[: len(first) // 2]
    with trees.open("a") as file:
        file.writelines(json.dumps(ranked_copy(prompt)) + "\n" for prompt in ranked)

    second, learned_then = taken(config(trees, "seed=5", "eval_share=0.9"))

    assert first
    assert second == first - set(ranked)
    assert not first & learned
    assert not second & learned_then
    assert {*ranked} <= learned_then


def taken(wanted: RoundConfig) -> tuple[set[str], set[str]]:
    """A round that comes to its end: its fresh prompts, and those that it learned from."""
    found = begin(wanted)
    work = Work(found, wanted, rounds.before(found), in_process)
    given_rounds.write(found, "snapshot", STEPS["snapshot"](work, found.steps.first()))
    fresh = {prompt.text for prompt in fresh_prompts(work, 100)}
    settings = stage_config(wanted, "rm", name="x", model={"path": "tiny"}, data=work.data())
    learned = {row["prompt"][0]["content"] for row in data.preferences(settings.data).train}
    Round.objects.filter(pk=found.pk).update(state=RoundState.DONE)
    return fresh, learned


def ranked_copy(prompt: str) -> dict[str, Any]:
    """The tree of a prompt that models answered, after people ranked the answers."""
    made = tree(1000, random.Random(prompt))
    made["message_tree_id"] = made["prompt"]["message_id"] = f"copy of {prompt}"
    made["prompt"]["text"] = prompt
    for reply in made["prompt"]["replies"]:
        reply |= {"synthetic": True, "model_name": "x", "parent_id": f"copy of {prompt}",
                  "message_id": f"{reply['message_id']} {prompt}"}  # fmt: skip
    return made


def test_prompts_of_the_site_are_asked_once(folders: Path, trees: Path) -> None:
    """Those of a file, which no ranking adds to, may be asked in every round."""
    first = begin(config(trees))
    work = Work(first, config(trees), [], in_process)
    given_rounds.write(first, "snapshot", {"path": str(trees)})
    asked = fresh_prompts(work, 2)
    rows = [{"prompt": list(prompt.messages)} for prompt in asked]
    (work.folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    for_site = Work(first, config(None), [first], in_process)
    for_file = Work(first, config(trees), [first], in_process)

    keys = {prompt.id for prompt in asked}
    assert keys.isdisjoint(prompt.id for prompt in fresh_prompts(for_site, 100))
    assert keys < {prompt.id for prompt in fresh_prompts(for_file, 100)}


def test_the_tree_of_a_prompt_is_known_while_its_copy_is_ranked(folders: Path, trees: Path) -> None:
    """So that nobody who ranks looks up there which reply is a person's."""
    import_trees(trees, now=timezone.now(), on_bad=lambda line: pytest.fail(str(line)))
    original = MessageTree.objects.get(pk=uuid.uuid5(NAMESPACE, "tree-1"))
    work = Work(begin(config(trees)), config(trees), [], in_process)
    asked = [{"role": "user", "content": "Where is cat number 1?"}]
    row = {"prompt": asked, "lang": "en", "tree": "tree-1"}
    (work.folder / "prompts.jsonl").write_text(json.dumps(row) + "\n")
    answered = {"id": examples.key_of(asked), "results": [{"outputs": ["a log"]}]}
    (work.folder / "new.json").write_text(json.dumps({"prompts": [answered]}))
    given_rounds.write(work.round, "snapshot", {"path": str(trees)})
    sampled = {"summary": [{"model": "new"}], "folder": str(work.folder)}
    given_rounds.write(work.round, "sample", sampled)

    STEPS["rank"](work, work.round.steps.get(kind="rank"))

    copy = MessageTree.objects.get(state=TreeState.RANKING)
    assert copy.copy_of == original
    assert set(copy.messages.values_list("depth", "synthetic")) == {
        (0, False),
        (1, False),
        (1, True),
    }


def test_without_fresh_prompts_a_round_comes_to_its_end(folders: Path, trees: Path) -> None:
    """All but the one tree that a split needs taught the model before: it may not be asked of."""
    wanted = config(trees, "eval_share=0.0001")
    begin(wanted).steps.filter(kind="ppo").update(record={"folder": "tiny"})
    Round.objects.update(state=RoundState.DONE)
    found = begin(wanted)
    found.steps.exclude(kind__in=["snapshot", "sample", "rank"]).update(state=StepState.DONE)

    rounds.run(found)

    assert found.state == RoundState.DONE
    said = dict(found.steps.filter(state=StepState.SKIPPED).values_list("kind", "message"))
    assert said["sample"].startswith("No prompt is left from which none of the models learned")
    assert said["rank"] == "There are no answers to be ranked."
