"""Alarms on series of metrics: each seeded failure is seen in 20 steps, healthy runs are quiet.

Rows of PPO stand for a rollout of several steps: what is drawn here are both kinds.
"""

from collections.abc import Callable
from math import exp
from random import Random
from typing import Any

import pytest

from training import alarms
from training.alarm_words import WORDS
from training.alarms import Limits

Row = dict[str, Any]
STEPS = 20
ROLLOUT = 4  # steps a row, as in smollm2-ppo, which has eight
PPO = Limits("ppo", kl_budget=20.0)


def _train(steps: int, values: Callable[[int], dict[str, Any]], *, every: int = 1) -> list[Row]:
    logged = range(every, steps + 1, every)
    return [{"step": step, "phase": "train", **values(step)} for step in logged]


def _codes(rows: list[Row], limits: Limits) -> set[str]:
    return {alarm.code for alarm in alarms.look(rows, limits)}


def _sft(step: int, rng: Random) -> dict[str, Any]:
    """A loss that falls from 2.4 towards 1.8 with the noise of small batches."""
    return {"loss": 1.8 + 0.6 * exp(-step / 8) + rng.gauss(0, 0.08), "grad_norm": 1.0}


def _rm(step: int, rng: Random) -> dict[str, Any]:
    learned = 1 - exp(-step / 6)
    return {
        "loss": 0.70 - 0.15 * learned + rng.gauss(0, 0.03),
        "accuracy": min(1.0, 0.5 + 0.2 * learned + rng.gauss(0, 0.06)),
    }


def _ppo(step: int, rng: Random) -> dict[str, Any]:
    return {
        "objective/scores": 0.02 * step + rng.gauss(0, 0.03),
        "objective/kl": 0.2 * step + rng.gauss(0, 0.2),
        "objective/kl_coef": 0.05,
        "policy/entropy_avg": 2.5 - 0.02 * step + rng.gauss(0, 0.05),
        "policy/clipfrac_avg": 0.1 + abs(rng.gauss(0, 0.03)),
        "completions/mean_length": 30 + rng.gauss(0, 2),
        "completions/eos_rate": 0.4 + rng.gauss(0, 0.05),
        "val/explained_variance": 0.05 * step - 0.1 + rng.gauss(0, 0.05),
    }


HEALTHY: dict[str, Callable[[int, Random], dict[str, Any]]] = {"sft": _sft, "rm": _rm, "ppo": _ppo}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("stage", HEALTHY)
def test_a_healthy_run_raises_no_alarm_at_any_step(stage: str, seed: int) -> None:
    rng = Random(seed)
    rows = _train(60, lambda step: HEALTHY[stage](step, rng))
    limits = PPO if stage == "ppo" else Limits(stage)

    assert [_codes(rows[:end], limits) for end in range(1, 61)] == [set()] * 60


# What goes wrong, the stage, and what the metrics look like then, on top of a healthy run.
FAILURES: dict[str, tuple[str, Callable[[int], dict[str, Any]]]] = {
    "no_number": ("sft", lambda step: {"loss": None} if step == 7 else {}),
    "loss_explodes": ("sft", lambda step: {"loss": 2.0 + 0.4 * step}),
    "loss_does_not_fall": ("sft", lambda step: {"loss": 2.4 + 0.01 * (step % 3)}),
    "guesses": ("rm", lambda step: {"accuracy": 0.5 + 0.03 * (-1) ** step, "loss": 0.6931}),
    "kl_over_budget": ("ppo", lambda step: {"objective/kl": 3.0 * step}),
    "kl_negative": ("ppo", lambda step: {"objective/kl": -0.4 * step}),
    "kl_is_free": ("ppo", lambda step: {"objective/kl_coef": 0.0, "objective/kl": 0.8 * step}),
    "entropy_collapses": ("ppo", lambda step: {"policy/entropy_avg": 2.5 * exp(-step / 6)}),
    "answers_grow_longer": ("ppo", lambda step: {"completions/mean_length": 20 + 4 * step}),
    "answers_grow_shorter": (
        "ppo",
        lambda step: {"completions/mean_length": max(1, 30 - 3 * step)},
    ),
    "answers_never_end": ("ppo", lambda _step: {"completions/eos_rate": 0.0}),
    "value_learns_nothing": ("ppo", lambda _step: {"val/explained_variance": -0.3}),
    "clips_too_much": ("ppo", lambda _step: {"policy/clipfrac_avg": 0.6}),
    "reward_says_nothing": ("ppo", lambda _step: {"objective/scores": 0.25}),
    "reward_does_not_rise": (
        "ppo",
        lambda step: {"objective/scores": 0.1 * (-1) ** (step // ROLLOUT)},
    ),
}
# What a few means of a dozen answers cannot tell from a rise takes eight rollouts.
SLOW = {"reward_does_not_rise": 8 * ROLLOUT}
OF_PPO = [code for code, (stage, _broken) in FAILURES.items() if stage == "ppo"]


@pytest.mark.parametrize("code", FAILURES)
def test_a_seeded_failure_raises_its_alarm_within_twenty_steps(code: str) -> None:
    assert {alarm.code for alarm in _seen(code)} == {code}


@pytest.mark.parametrize("code", OF_PPO)
def test_rollouts_of_several_steps_raise_it_as_soon(code: str) -> None:
    steps = SLOW.get(code, STEPS)

    assert {alarm.code for alarm in _seen(code, steps=steps, every=ROLLOUT)} == {code}
    if code in SLOW:
        assert _seen(code, steps=steps - ROLLOUT, every=ROLLOUT) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("every", [2, ROLLOUT, 8])
def test_a_healthy_run_of_rollouts_raises_no_alarm_at_any_step(every: int, seed: int) -> None:
    rng = Random(seed)
    rows = _train(80, lambda step: _ppo(step, rng), every=every)

    assert [_codes(rows[:end], PPO) for end in range(1, len(rows) + 1)] == [set()] * len(rows)


def _seen(code: str, *, steps: int = STEPS, every: int = 1) -> list[alarms.Alarm]:
    """The alarms of a short run that is healthy but for one failure."""
    stage, broken = FAILURES[code]
    rng = Random(1)
    rows = _train(steps, lambda step: HEALTHY[stage](step, rng) | broken(step), every=every)
    return alarms.look(rows, PPO if stage == "ppo" else Limits(stage))


def test_learning_by_heart_is_seen_on_held_out_trees() -> None:
    rows = _train(STEPS, lambda step: {"loss": 2.0 * exp(-step / 5)})
    rows += [
        {"step": s, "phase": "eval", "eval_loss": v} for s, v in [(5, 1.5), (10, 1.6), (15, 1.8)]
    ]

    assert _codes(sorted(rows, key=lambda row: row["step"]), Limits("sft")) == {"overfits"}


def test_a_loss_that_explodes_in_one_step_is_noticed_by_the_first_look() -> None:
    """Most of the first three steps are broken already, and later ones are no worse."""
    rows = _train(STEPS, lambda step: {"loss": 0.2 if step == 1 else 5.0})
    look = {"step": 0, "phase": "eval", "eval_loss": 0.2}

    assert _codes([look, *rows], Limits("sft")) == {"loss_explodes"}
    assert "loss_explodes" not in _codes(rows, Limits("sft"))


def test_answers_that_grew_in_one_update_are_noticed_by_the_first_look() -> None:
    """The second of five rollouts is long already: the mean of two would not be the start."""
    rng = Random(1)
    lengths = iter([13.0, 48.0, 48.0, 48.0, 48.0])
    rows = _train(
        STEPS,
        lambda step: _ppo(step, rng) | {"completions/mean_length": next(lengths)},
        every=ROLLOUT,
    )
    look = {"step": 0, "phase": "eval", "completions/mean_length": 16.0}

    assert _codes(rows, PPO) == set()
    assert _codes([look, *rows], PPO) == {"answers_grow_longer"}


@pytest.mark.parametrize(("low", "codes"), [(0.49, {"reward_is_unproven"}), (0.55, set())])
def test_ppo_says_at_once_that_its_reward_model_may_be_a_coin(low: float, codes: set[str]) -> None:
    known = {"reward/accuracy": 0.6, "reward/accuracy_low": low}
    rows = [{"step": step, "phase": "eval", **known} for step in (0, 4)]

    assert _codes(rows, PPO) == codes
    assert [alarm.step for alarm in alarms.look(rows, PPO)] == [0] * len(codes)


def _judged(step: int, score: float) -> Row:
    """A look at held-out prompts."""
    scores = {"objective/scores": score, "objective/scores_std": 0.3}
    return {"step": step, "phase": "eval", **scores}


def test_a_reward_that_rises_while_the_held_out_one_falls_is_hacked() -> None:
    rng = Random(2)
    rows = _train(STEPS, lambda step: _ppo(step, rng))
    rows += [_judged(0, 0.5), _judged(10, 0.4), _judged(20, 0.2)]

    assert _codes(sorted(rows, key=lambda row: row["step"]), PPO) == {"reward_is_hacked"}


@pytest.mark.parametrize(("after", "codes"), [(0.2, {"reward_is_hacked"}), (0.45, set())])
def test_two_looks_show_it_where_they_are_far_apart(after: float, codes: set[str]) -> None:
    """As many as smollm2-ppo has: one before, one at its end. Forty answers scatter by 0.07."""
    rng = Random(2)
    train = _train(32, lambda step: _ppo(step, rng), every=ROLLOUT)
    rows = [_judged(0, 0.5), *train, _judged(32, after)]

    assert _codes(rows, PPO) == codes


def test_every_alarm_has_words_and_its_values_fit_into_them() -> None:
    for code in FAILURES:
        for alarm in _seen(code):
            title, advice = WORDS[alarm.code]
            assert "%(" not in str(title) % alarm.values
            assert str(advice)
    seen_at_looks = {"overfits", "reward_is_hacked", "reward_is_unproven"}
    assert set(FAILURES) | seen_at_looks == set(WORDS)


def test_a_long_run_that_has_learned_all_it_can_is_quiet() -> None:
    rng = Random(4)

    assert _codes(_train(3000, lambda step: _sft(step, rng)), Limits("sft")) == set()


def test_few_rows_say_nothing() -> None:
    assert alarms.look([], Limits("sft")) == []
    assert alarms.look(_train(2, lambda _step: {"loss": 9.0}), Limits("rm")) == []
