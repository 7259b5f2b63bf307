"""A round takes every step once, tells what each did, and goes on where it broke off."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from tasks_app.enums import TreeState
from tasks_app.models import Message, MessageTree
from tests.training.working import in_process
from training import round_config, rounds
from training.enums import RoundState, StepState
from training.models import Round
from training.round_config import RoundConfig
from training.standings import standing

pytestmark = pytest.mark.django_db


@pytest.fixture
def folders(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders for runs and models."""
    settings.RUNS_DIR = tmp_path / "runs"
    settings.MODELS_DIR = tmp_path / "models"
    monkeypatch.setenv("RUNS_DIR", str(settings.RUNS_DIR))
    monkeypatch.setenv("MODELS_DIR", str(settings.MODELS_DIR))
    return tmp_path


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """A file of 24 trees with three ranked replies each."""
    rng = random.Random(1)
    path = tmp_path / "trees.jsonl"
    path.write_text("".join(json.dumps(tree(number, rng)) + "\n" for number in range(24)))
    return path


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


@pytest.mark.slow
def test_a_round_goes_from_data_to_ranking(folders: Path, trees: Path) -> None:
    found = rounds.run(begin(config(trees)), execute=in_process)

    assert found.state == RoundState.DONE, found.message
    assert set(states(found).values()) == {StepState.DONE, StepState.SKIPPED}
    assert states(found)["promote"] == StepState.SKIPPED  # the config names no model of the chat
    records = {step.kind: step.record for step in found.steps.all()}
    assert records["sft"]["evaluation"]["loss"]["n"] > 0
    assert records["ppo"]["weights_sha256"]
    tree_ids = records["rank"]["trees"]
    assert set(MessageTree.objects.values_list("state", flat=True)) == {TreeState.RANKING}
    assert MessageTree.objects.filter(pk__in=tree_ids).count() == len(tree_ids) > 0
    models = set(Message.objects.filter(synthetic=True).values_list("model_name", flat=True))
    assert models == set(records["rank"]["sides"].values())
    assert standing(found).rankings == 0
