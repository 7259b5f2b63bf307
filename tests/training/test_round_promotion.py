"""What a round puts live in the chat, and what it keeps back."""

import json
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from chat_app.models import ServedModel
from tests.training import given
from tests.training.given_rounds import begin, config, states
from training import (
    registry,
    round_reading,
    rounds,
    runs,
    tiny,
)
from training.enums import RoundState, StepState
from training.models import Checkpoint, Promotion, Round

pytestmark = pytest.mark.django_db


# Going live

GAIN = {"value": 1.0, "low": 0.5, "high": 1.5, "n": 20}


@pytest.fixture
def trained(folders: Path, settings: Settings) -> Round:
    """A round that has a model, of which nothing is known yet."""
    found = begin(config(None, "promote.name=tiny-chat"))
    run = runs.queue("ppo", given.config("ppo-model"), now=timezone.now(), wake=False)
    tiny.build(run.folder.final)
    lineage = {"stage": "ppo", "name": "x", "weights_sha256": "0" * 64, "config": {"kl": {}}}
    (run.folder.final / "training.json").write_text(json.dumps(lineage))
    registry.register(run)
    found.steps.exclude(kind="promote").update(state=StepState.DONE)
    found.steps.filter(kind="ppo").update(run=run)
    return found


@pytest.mark.slow
def test_a_model_without_evaluation_is_kept_back(trained: Round) -> None:
    found = rounds.run(trained)

    step = found.steps.get(kind="promote")
    assert (found.state, step.state) == (RoundState.DONE, StepState.SKIPPED)
    assert "never evaluated" in step.record["objections"][0]
    assert not ServedModel.objects.exists()


@pytest.mark.slow
def test_a_model_that_cannot_be_served_does_not_keep_its_answers_from_being_ranked(
    trained: Round,
) -> None:
    Checkpoint.objects.update(evaluation={"gain": GAIN})
    for weights in Checkpoint.objects.get().folder.glob("*.safetensors"):
        weights.unlink()
    trained.steps.filter(kind="rank").update(state=StepState.WAITING)

    found = rounds.run(trained)

    skipped = dict(found.steps.filter(state=StepState.SKIPPED).values_list("kind", "message"))
    assert found.state == RoundState.DONE
    assert "safetensors" in skipped["promote"]
    assert "rank" in skipped  # nothing was answered here, but its turn came


@pytest.mark.slow
def test_a_model_that_gained_nothing_stays_out_and_the_round_goes_on(trained: Round) -> None:
    Checkpoint.objects.update(evaluation={"gain": GAIN | {"low": -0.2}})
    trained.steps.filter(kind="rank").update(state=StepState.WAITING)

    found = rounds.run(trained)

    step = found.steps.get(kind="promote")
    assert (found.state, step.state) == (RoundState.DONE, StepState.SKIPPED)
    assert step.message.startswith("The chat keeps the model it has. Its reward is not shown")
    assert states(found)["rank"] == StepState.SKIPPED  # its turn came
    assert not ServedModel.objects.exists()


@pytest.mark.slow
def test_where_ppo_gained_nothing_the_chat_gets_what_sft_made(trained: Round) -> None:
    Checkpoint.objects.update(evaluation={"gain": GAIN | {"low": -0.2}})
    run = runs.queue("sft", given.config("sft-model"), now=timezone.now(), wake=False)
    tiny.build(run.folder.final)
    lost = {"value": -0.1, "low": -0.2, "high": -0.05, "n": 20}
    lineage = {"stage": "sft", "name": "y", "weights_sha256": "1" * 64, "config": {}}
    lineage |= {"evaluation": {"loss_change": lost}}
    (run.folder.final / "training.json").write_text(json.dumps(lineage))
    made = registry.register(run)
    trained.steps.filter(kind="sft").update(run=run)

    found = rounds.run(trained)

    assert ServedModel.objects.get().checkpoints.get() == made
    assert Promotion.objects.get().force_reason == ""
    (card,) = (card for card in round_reading.cards(found) if card.step.kind == "promote")
    assert card.facts[0] == "The chat answers with it under the name tiny-chat."
    assert card.facts[1].startswith("Its reward is not shown to have risen")
    assert card.facts[2:] == ["So the result of SFT goes live in place of that of PPO."]


@pytest.mark.slow
def test_the_config_of_a_round_may_overrule_the_gate(trained: Round) -> None:
    Checkpoint.objects.update(evaluation={"gain": GAIN | {"low": -0.2}})
    trained.config["promote"]["force"] = "To see it in the chat."
    trained.save()

    found = rounds.run(trained)

    kept = Promotion.objects.get()
    assert (kept.force_reason, len(kept.objections)) == ("To see it in the chat.", 1)
    (card,) = (card for card in round_reading.cards(found) if card.step.kind == "promote")
    assert card.facts == [
        "The chat answers with it under the name tiny-chat.",
        *kept.objections,
        "The gate was overruled: To see it in the chat.",
    ]


@pytest.mark.slow
def test_a_model_that_may_goes_live(trained: Round) -> None:
    Checkpoint.objects.update(evaluation={"gain": GAIN})

    found = rounds.run(trained)

    assert found.steps.get(kind="promote").record["served"] == "tiny-chat"
    assert ServedModel.objects.get().name == "tiny-chat"

    _set_back(found, "promote")
    rounds.run(found)
    assert Promotion.objects.count() == 1  # what is live already stays, and the way back with it


def _set_back(found: Round, kind: str) -> None:
    """As if the process had died before it wrote that the step is done."""
    found.steps.filter(kind=kind).update(state=StepState.RUNNING)
    Round.objects.filter(pk=found.pk).update(state=RoundState.RUNNING)
