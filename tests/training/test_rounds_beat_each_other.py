"""The loop closes: what people like in one round, the model of the next does more of.

The people like answers with many letters e. Nothing but their rankings tells so.
"""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

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

# A stage takes longer than the database lets a transaction wait.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TREES = 240
LIKED, OTHER = "the he Later lernte said several", "cat mat on sat dog log and bytes ten"
PEOPLE = 8


def taste(text: str) -> float:
    """The share of the letter e, to one place: nearly equal answers are ties."""
    return round(10 * text.count("e") / max(len(text), 1))


def collect(folder: Path, rng: random.Random) -> None:
    """Trees with three replies each, of more and less liked words, that wait to be ranked."""
    path = folder / "collected.jsonl"
    path.write_text("".join(json.dumps(tree(n, rng)) + "\n" for n in range(TREES)))
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


class Play:
    """People who rank whatever there is, between rounds, by a taste that only they know."""

    def __init__(self, folder: Path, seed: int, liked: rankers.Taste) -> None:
        self.seed, self.liked = seed, liked
        self.now = timezone.now()
        self.rng = random.Random(seed)
        self.people = crowd.gather(PEOPLE, 0.0, langs=["en"], rng=self.rng, now=self.now)
        with overridden(num_required_rankings=1):
            collect(folder, self.rng)
            self.rank()
        assert not MessageTree.objects.exclude(state=TreeState.READY_FOR_EXPORT).exists()

    def rank(self) -> None:
        _, self.now = rankers.rank_everything(self.people, self.liked, now=self.now, rng=self.rng)

    def round(self) -> Round:
        config = round_config.load("tiny-taste-round", [f"seed={100 * self.seed}"])
        found = rounds.run(rounds.begin(config, now=self.now), execute=in_process)
        assert found.state == RoundState.DONE, found.message
        self.rank()
        return found


def new_against_previous(found: Round) -> WinRate:
    rates = {(rate.side, rate.other): rate for rate in standing(found).rates}
    return rates["new", "previous"]


@pytest.mark.full
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_second_model_beats_the_first(folders: Path, seed: int) -> None:
    play = Play(folders, seed, taste)

    first, second = play.round(), play.round()

    assert rounds.before(second) == [first]
    found = new_against_previous(second)
    assert found.n >= 400
    assert found.value >= 0.55, found
    assert found.low > 0.5, found


@pytest.mark.full
def test_people_without_a_taste_teach_nothing(folders: Path) -> None:
    """As much is ranked and trained, but there is nothing in it to be learned."""
    chance = random.Random(9)
    play = Play(folders, 3, lambda _: chance.random())

    play.round()
    second = play.round()

    found = new_against_previous(second)
    assert found.low < 0.5 < found.high, found
    accuracy = second.steps.get(kind="rm").record["evaluation"]["accuracy"]
    assert accuracy["low"] < 0.5 < accuracy["high"], accuracy
