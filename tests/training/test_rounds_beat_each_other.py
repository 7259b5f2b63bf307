"""The loop closes: what people like in one round, the model of the next does more of.

The people like answers with many letters e. Nothing but their rankings tells so.
"""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from tasks_app.config import overridden
from tasks_app.enums import TreeState
from tasks_app.export_format import BadLine
from tasks_app.importing import import_trees
from tasks_app.models import MessageTree
from tasks_app.simulation import crowd, rankers
from tests.training.working import in_process
from training import round_config, rounds
from training.enums import RoundState
from training.models import Round
from training.standings import standing
from training.win_rate import WinRate

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

TREES = 150
LIKED, OTHER = "the he Later lernte said several", "cat mat on sat dog log and bytes ten"
PEOPLE = 8


def taste(text: str) -> float:
    """The share of the letter e, to one place: nearly equal answers are ties."""
    return round(10 * text.count("e") / max(len(text), 1))


@pytest.fixture
def folders(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.RUNS_DIR = tmp_path / "runs"
    settings.MODELS_DIR = tmp_path / "models"
    monkeypatch.setenv("RUNS_DIR", str(settings.RUNS_DIR))
    monkeypatch.setenv("MODELS_DIR", str(settings.MODELS_DIR))
    return tmp_path


@pytest.fixture
def people() -> crowd.Crowd:
    return crowd.gather(PEOPLE, 0.0, langs=["en"], rng=random.Random(5), now=timezone.now())


def collect(folder: Path, rng: random.Random) -> None:
    """Trees with three replies each, of more and less liked words, that wait to be ranked."""
    path = folder / "collected.jsonl"
    path.write_text("".join(json.dumps(tree(n, rng)) + "\n" for n in range(TREES)))
    with overridden(num_required_rankings=1):
        import_trees(path, now=timezone.now(), on_bad=refused, state=TreeState.RANKING)


def refused(line: BadLine) -> None:
    raise AssertionError(line)


def tree(number: int, rng: random.Random) -> dict[str, Any]:
    def message(key: str, text: str, **more: Any) -> dict[str, Any]:
        return {"message_id": key, "text": text, "lang": "en", "review_result": True} | more

    key = f"tree-{number}"
    replies = [
        message(f"{key}-{place}", words(rng), parent_id=key, role="assistant") for place in range(3)
    ]
    root = message(key, f"Where is cat number {number}?", role="prompter", replies=replies)
    return {"message_tree_id": key, "tree_state": "ranking", "prompt": root}


def words(rng: random.Random) -> str:
    share = rng.random()
    pick = [LIKED if rng.random() < share else OTHER for _ in range(rng.randint(3, 5))]
    return " ".join(rng.choice(some.split()) for some in pick)


def rank(people: crowd.Crowd, now: datetime, seed: int) -> datetime:
    _, then = rankers.rank_everything(people, taste, now=now, rng=random.Random(seed))
    return then


def play_round(people: crowd.Crowd, now: datetime, number: int) -> tuple[Round, datetime]:
    """One round, and the blind rankings of what its model says."""
    config = round_config.load("tiny-taste-round")
    found = rounds.run(rounds.begin(config, now=now), execute=in_process)
    assert found.state == RoundState.DONE, found.message
    return found, rank(people, now, number)


def rate(found: Round, side: str, other: str) -> WinRate:
    rates = {(r.side, r.other): r for r in standing(found).rates}
    return rates[side, other]


def test_second_model_beats_the_first(folders: Path, people: crowd.Crowd) -> None:
    collect(folders, random.Random(3))
    now = timezone.now() + timedelta(seconds=1)
    with overridden(num_required_rankings=1):
        now = rank(people, now, 0)
    assert not MessageTree.objects.exclude(state=TreeState.READY_FOR_EXPORT).exists()

    first, now = play_round(people, now, 1)
    second, now = play_round(people, now, 2)

    assert second.name != first.name

    new = rate(second, "new", "previous")
    assert new.n >= 400
    assert new.value >= 0.55
    assert new.low > 0.5
