"""Trained models: what they came from, whether they may go live, and the way back."""

import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from chat_app.models import ServedModel
from oasst.accounts.models import User
from tests.chat_app import given as chats
from tests.factories import NOW
from tests.training import given
from tests.training.given import GOOD, figure
from training import gate, registry, runs
from training.errors import GateClosed, NothingToRollBack, NotServable
from training.models import Checkpoint, Promotion

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


# Registering


def test_a_finished_run_is_registered_with_its_lineage(runs_dir: Path) -> None:
    snapshot = given.snapshot()
    sft = given.checkpoint("sft", stage="sft", snapshots=[snapshot])
    run = runs.claim(given.queued().pk, now=NOW)
    other = given.checkpoint("made", parents=[sft], evaluation=GOOD)
    other.folder.rename(run.folder.make().final)
    other.delete()

    found = registry.register(run)

    assert found is not None
    assert (found.name, found.run, found.evaluation) == (run.run_dir, run, GOOD)
    assert registry.ancestry(found) == [found, sft]
    assert registry.snapshots_of(registry.ancestry(found)) == [snapshot]
    assert registry.register(run) == found


def test_a_run_that_made_no_model_is_not_registered() -> None:
    run = runs.claim(given.queued().pk, now=NOW)

    assert registry.register(run) is None
    assert not Checkpoint.objects.exists()


def test_an_evaluation_is_added_to_the_model_it_judged() -> None:
    model = given.checkpoint(evaluation={"kl": figure(1.0)})
    config = {"name": "judge", "model": str(model.folder)}
    from training import config as configs

    run = runs.queue("evaluate", configs.build(config, stage="evaluate"), now=NOW, wake=False)
    run.folder.make().evaluation.write_text(json.dumps({"loss": figure(1.5)}))

    registry.register(run)

    model.refresh_from_db()
    assert set(model.evaluation or {}) == {"kl", "loss"}


def test_models_of_a_snapshot_are_found_through_generations() -> None:
    snapshot = given.snapshot()
    sft = given.checkpoint("sft", stage="sft", snapshots=[snapshot])
    ppo = given.checkpoint("ppo", parents=[sft])
    given.checkpoint("stranger")

    assert {model.name for model in registry.trained_on([snapshot])} == {sft.name, ppo.name}


# The gate


# As of a figure that had too little for an interval, or for a value.
NOTHING = {"value": None, "low": None, "high": None, "n": 100}
UNSURE = figure(0.1, low=-0.3, high=0.5)


def ends_less(place: str = "", *, high: float = -0.1) -> dict[str, Any]:
    """As of a model of whose answers fewer come to an end than of the one before."""
    return {f"{place}ended_before": figure(0.46), f"{place}ended": figure(0.15),
            f"{place}ended_change": figure(-0.31, high=high)}  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "evaluation", "codes"),
    [
        ("ppo", GOOD, []),
        ("sft", {"loss": figure(1.2), "loss_change": figure(-0.3)}, []),
        ("sft", {"loss_change": figure(0.1, low=-0.1, high=0.3)}, []),
        ("sft", {"loss_change": figure(0.3)}, ["loss_rose"]),
        ("dpo", {"accuracy": figure(0.2, high=0.3)}, ["prefers_worse"]),
        ("dpo", {"accuracy": figure(0.45, high=0.55)}, []),
        ("rm", {"accuracy": figure(0.9)}, ["does_not_talk"]),
        ("ppo", None, ["no_evaluation"]),
        ("ppo", {"stage": "ppo", "n": 0}, ["no_evaluation"]),
        ("ppo", GOOD | {"kl": figure(12.0)}, ["kl_over_budget"]),
        ("ppo", GOOD | {"gain": figure(-0.2)}, ["reward_fell"]),
        ("ppo", GOOD | {"win_rate": figure(0.3, high=0.4)}, ["loses"]),
        ("ppo", GOOD | {"win_rate": figure(0.45, high=0.55)}, []),
        ("ppo", GOOD | {"win_rate": figure(0.0, high=0.3, n=3)}, []),
        ("ppo", {"win_rate": figure(0.7)}, ["no_evaluation"]),
        ("sft", {"loss": figure(1.2, n=1)}, ["too_few"]),
        ("sft", {"loss": {"value": 1.2}}, ["too_few"]),
        ("ppo", GOOD | {"gain": NOTHING}, ["no_number"]),
        ("ppo", GOOD | {"gain": UNSURE}, ["no_gain"]),
        ("ppo", GOOD | {"gain": NOTHING | {"value": 0.3}}, ["no_gain"]),
        ("ppo", GOOD | {"gain": UNSURE, "win_rate": figure(0.6, low=0.55)}, []),
        ("ppo", GOOD | {"gain": UNSURE, "win_rate": figure(0.6, low=0.55, n=3)}, ["no_gain"]),
        ("ppo", {"loss": figure(1.2)}, ["gain_unknown"]),
        ("ppo", {"samples_ended": figure(0.9)}, ["no_evaluation"]),
        ("ppo", GOOD | ends_less(), ["ends_less"]),
        ("ppo", GOOD | ends_less("samples_"), ["ends_less"]),
        ("sft", {"loss": figure(1.2)} | ends_less("samples_"), ["ends_less"]),
        ("ppo", GOOD | ends_less(high=0.02), []),
        ("ppo", GOOD | {"length_ratio": figure(1.7)}, ["length_drifted"]),
        ("ppo", GOOD | {"samples_length_ratio": figure(0.5)}, ["length_drifted"]),
        ("ppo", GOOD | {"length_ratio": figure(1.7, low=0.9)}, []),
        ("ppo", GOOD | {"length_ratio": figure(1.3)}, []),
        ("ppo", GOOD | {"kl": figure(math.nan)}, ["no_number"]),
        ("sft", {"loss_change": NOTHING | {"value": 0.3}}, ["loss_rose"]),
        ("ppo", GOOD | {"gain": NOTHING | {"value": -0.3}}, ["reward_fell"]),
    ],
)
def test_the_gate_judges_by_evaluation(stage: str, evaluation: Any, codes: list[str]) -> None:
    found = gate.objections(stage, {"kl": {"budget": 10.0}}, evaluation)

    assert [objection.code for objection in found] == codes


def test_the_gate_says_in_words_what_it_objects_to() -> None:
    old = given.snapshot(superseded_at=NOW)
    model = given.checkpoint(
        evaluation=GOOD | {"kl": figure(12.0), "gain": figure(-0.2),
                           "win_rate": figure(0.3, high=0.4), "loss_change": figure(0.2),
                           "length_ratio": figure(1.8)} | ends_less(),
        snapshots=[old],
    )  # fmt: skip

    told = registry.objections(model)

    assert len(told) == 7
    assert "Its KL is 12.0 nats, beyond its budget of 10.0." in told
    assert "Of 100 answers 15 % come to an end by themselves, before 46 %." in told
    assert any("won 30 % of 100" in sentence for sentence in told)
    assert not any("%(" in sentence for sentence in told)


# Going live


def _promote(model: Checkpoint, name: str = "best", **how: Any) -> ServedModel:
    return registry.promote(model, name=name, now=timezone.now(), **how)


def test_a_promoted_model_is_served_and_known_as_such() -> None:
    model = given.checkpoint(evaluation=GOOD)

    served = _promote(model)

    assert (served.name, served.source) == ("best", str(model.folder))
    assert Checkpoint.objects.get(served=served) == model
    assert served.lineage["training"]["weights_sha256"] == model.weights_sha256


def test_a_closed_gate_lets_nothing_through_but_with_a_reason(root: User) -> None:
    model = given.checkpoint(evaluation=None)

    for how in ({}, {"force": True}, {"reason": "I like it."}):
        with pytest.raises(GateClosed, match="never evaluated"):
            _promote(model, **how)
    assert not ServedModel.objects.exists()
    _promote(model, force=True, reason="I like it.", by=root)

    kept = Promotion.objects.get()
    assert (kept.force_reason, kept.promoted_by, len(kept.objections)) == ("I like it.", root, 1)


def test_a_folder_that_cannot_be_served_cannot_be_forced() -> None:
    model = given.checkpoint(evaluation=GOOD)
    (model.folder / "model.safetensors").unlink()

    with pytest.raises(NotServable, match="weights"):
        _promote(model, force=True, reason="Please.")
    assert not Promotion.objects.exists()


def test_rolling_back_serves_what_was_there_before() -> None:
    first, second = given.checkpoint("a", evaluation=GOOD), given.checkpoint("b", evaluation=GOOD)
    _promote(first, title="First")
    _promote(second, title="Second")

    served = registry.roll_back("best", now=timezone.now())

    assert (served.source, served.title) == (str(first.folder), "First")
    assert served.lineage["training"]["name"] == "a"
    assert Checkpoint.objects.get(served=served) == first


def test_rolling_back_goes_on_to_a_model_that_was_not_trained_here() -> None:
    before = chats.served("best", source="smollm2-135m")
    for name in "ab":
        _promote(given.checkpoint(name, evaluation=GOOD))

    registry.roll_back("best", now=timezone.now())
    served = registry.roll_back("best", now=timezone.now())

    assert (served.pk, served.source) == (before.pk, "smollm2-135m")
    assert not Checkpoint.objects.filter(served=served).exists()
    with pytest.raises(NothingToRollBack):
        registry.roll_back("best", now=timezone.now())


def test_a_new_name_has_nothing_to_go_back_to() -> None:
    _promote(given.checkpoint(evaluation=GOOD))

    with pytest.raises(NothingToRollBack):
        registry.roll_back("best", now=timezone.now())


def test_what_a_name_stood_for_is_known_of_every_moment() -> None:
    a, b = (given.checkpoint(name, evaluation=GOOD) for name in "ab")
    chats.served("best", source="smollm2-135m")
    hour = timedelta(hours=1)
    times = [NOW + number * hour for number in range(4)]
    registry.promote(a, name="best", now=times[0])
    registry.promote(b, name="best", now=times[1])
    served = registry.roll_back("best", now=times[2])

    stood = [registry.checkpoint_at(served, moment - hour / 2) for moment in times]

    assert stood == [None, a, b, a]
