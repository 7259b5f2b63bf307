"""What blind rankings say of a round, read from the rows that people's rankings leave."""

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks_app.models import Message
from tests.training import given, given_rounds
from training import registry
from training.models import Checkpoint
from training.standings import record, standing
from training.win_rate import WinRate

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def rates(path: Path, taste: object = len) -> dict[tuple[str, str], WinRate]:
    found = given_rounds.in_ranking(path)
    given_rounds.ranked_by(taste)
    return {(rate.side, rate.other): rate for rate in standing(found).rates}


def test_preferred_side_wins(tmp_path: Path) -> None:
    found = rates(tmp_path)

    new = found["new", "previous"]
    assert (new.n, new.prompts, new.rankings) == (36, 12, 36)
    assert new.low > 0.5
    assert found["new", "human"].low > 0.5
    assert found["previous", "human"].high < 0.5


@pytest.mark.full
def test_indifferent_people_give_one_half(tmp_path: Path) -> None:
    found = rates(tmp_path, lambda text: 0.0)

    assert {rate.value for rate in found.values()} == {0.5}
    assert {rate.ties for rate in found.values()} == {36}


@pytest.mark.full
def test_place_on_the_page_does_not_matter_to_people_with_a_taste(tmp_path: Path) -> None:
    found = given_rounds.in_ranking(tmp_path)
    given_rounds.ranked_by(len)

    position = standing(found).position
    assert position.n == 3 * 36
    assert abs(position.value - 0.5) < 3 * 0.5 / position.n**0.5  # three deviations of a coin


def test_no_rankings_are_no_number(tmp_path: Path) -> None:
    known = standing(given_rounds.in_ranking(tmp_path))

    assert (known.trees, known.rankings) == (12, 0)
    assert [rate.value for rate in known.rates] == [None, None, None]


def test_round_without_answers_has_no_standing(db: None) -> None:
    assert standing(given_rounds.begun()) is None


@pytest.mark.full
def test_removed_replies_are_not_compared(tmp_path: Path) -> None:
    found = given_rounds.in_ranking(tmp_path)
    given_rounds.ranked_by(len)
    Message.objects.filter(model_name="model-1").update(deleted=True)

    known = standing(found)
    assert [(rate.side, rate.other) for rate in known.rates] == [("new", "human")]


def test_reading_takes_the_same_queries_however_much_was_ranked(tmp_path: Path) -> None:
    found = given_rounds.in_ranking(tmp_path)
    with CaptureQueriesContext(connection) as none:
        standing(found)
    given_rounds.ranked_by(len)
    with CaptureQueriesContext(connection) as many:
        standing(found)

    assert len(many) == len(none) == 3


def test_model_carries_its_win_rate(tmp_path: Path) -> None:
    found = given_rounds.in_ranking(tmp_path)
    run = given.queued()
    found.steps.filter(kind="ppo").update(run=run)
    model = Checkpoint.objects.create(
        name="m", stage="ppo", run=run, path="m", weights_sha256="0" * 64, evaluation={"kl": 1}
    )
    assert record(found) is None
    assert "win_rate" not in model.evaluation
    given_rounds.ranked_by(lambda text: -len(text))

    # The gate looks for itself: nobody else has to have looked since people ranked.
    assert any("People prefer the other model" in line for line in registry.objections(model))

    rate = record(found)
    model.refresh_from_db()
    assert model.evaluation["kl"] == 1
    assert model.evaluation["win_rate"]["n"] == rate.n == 36
