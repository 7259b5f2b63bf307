"""Alarms on real runs of the tiny model: twenty steps that go wrong, and runs that learn.

PPO is logged as the shipped configs log it, four steps a row.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.training import ppo_given, small
from training import alarms, ppo, reward, sft
from training import config as configs
from training.rundir import RunDir, read_lines

pytestmark = pytest.mark.slow
QUIET = {"eval_every": 10, "save_every": 100, "samples": 0}
FOUR_STEPS_EACH = {"epochs": 2, "minibatch": 8, "micro_batch": 8}
LORA = {"r": 8, "alpha": 16, "dropout": 0.0}
OF_FORTY_EIGHT = {
    "rollout": {"prompts": 32, "max_new_tokens": 48, "batch_size": 32},
    "loss": {"epochs": 2, "minibatch": 16, "micro_batch": 16},
}


@pytest.fixture(autouse=True)
def _models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_DIR", str(tmp_path_factory.getbasetemp() / "models"))


def _alarms(config: Any, run: RunDir) -> set[str]:
    rows = [_stored(row) for row in read_lines(run.metrics)]
    limits = alarms.limits_of(configs.to_dict(config))
    return {alarm.code for alarm in alarms.look(rows, limits)}


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    """As the database has it: null where there was no number."""
    broken = {k for k, v in row.items() if isinstance(v, float) and not math.isfinite(v)}
    return {k: None if k in broken else v for k, v in row.items()}


def _supervised(folder: Path, stage: str, lr: float) -> set[str]:
    config = small.config(stage, folder, optim={"lr": lr, "max_steps": 20}, output=QUIET)
    run = RunDir(folder / "run")
    (sft if stage == "sft" else reward).run(config, run)
    return _alarms(config, run)


def _ppo(folder: Path, *, steps: int = 20, lr: float, **values: Any) -> set[str]:
    plain = {
        "optim": {"lr": lr, "max_steps": steps, "schedule": "constant"},
        "output": QUIET | {"eval_every": 20},
        "rollout": {"prompts": 16, "max_new_tokens": 32, "batch_size": 16},
        "loss": FOUR_STEPS_EACH,
    }
    config = ppo_given.ppo(folder, **(plain | values))
    run = RunDir(folder / "run")
    ppo.run(config, run)
    return _alarms(config, run)


@pytest.mark.parametrize("stage", ["sft", "rm"])
def test_a_run_that_learns_is_quiet(tmp_path: Path, stage: str) -> None:
    assert _supervised(tmp_path, stage, 1e-2) == set()


@pytest.mark.parametrize(("stage", "code"), [("sft", "loss_does_not_fall"), ("rm", "guesses")])
def test_a_run_without_a_learning_rate_is_noticed(tmp_path: Path, stage: str, code: str) -> None:
    assert _supervised(tmp_path, stage, 0.0) == {code}


@pytest.mark.parametrize("stage", ["sft", "rm", "ppo"])
def test_the_shipped_configs_are_quiet(tmp_path: Path, stage: str) -> None:
    pipeline = {"sft": sft, "rm": reward, "ppo": ppo}[stage]
    data = small.pairs(tmp_path) if stage == "rm" else small.conversations(tmp_path)
    where = json.dumps([{"path": data}])
    config = configs.load(f"tiny-{stage}", [f"data.sources={where}", "threads=1"])
    run = RunDir(tmp_path / "run")

    pipeline.run(config, run)

    assert len(list(read_lines(run.metrics))) > 2
    assert _alarms(config, run) == set()


def test_a_policy_without_room_to_end_is_noticed(tmp_path: Path) -> None:
    rollout = {"prompts": 16, "max_new_tokens": 2, "batch_size": 16}

    assert _ppo(tmp_path, lr=1e-3, rollout=rollout) == {"answers_never_end"}


@pytest.mark.full
def test_a_policy_that_learns_is_quiet(tmp_path: Path) -> None:
    rollout = {"prompts": 32, "max_new_tokens": 32, "batch_size": 32}
    loss = {"epochs": 2, "minibatch": 16, "micro_batch": 16}
    # With a penalty it would rightly learn to end, and answers would grow shorter.
    score = {"missing_eos_penalty": 0.0}

    assert _ppo(tmp_path, steps=160, lr=3e-3, rollout=rollout, loss=loss, score=score) == set()


@pytest.mark.full
def test_a_policy_that_takes_too_large_steps_is_noticed(tmp_path: Path) -> None:
    assert "kl_over_budget" in _ppo(tmp_path, lr=0.1)


@pytest.mark.full
def test_a_policy_that_nothing_holds_is_noticed(tmp_path: Path) -> None:
    kl = {"control": "fixed", "coefficient": 0.0, "budget": 5.0}

    assert {"kl_is_free", "kl_over_budget"} <= _ppo(tmp_path, lr=0.03, kl=kl)


@pytest.mark.full
def test_a_critic_that_does_harm_is_noticed(tmp_path: Path) -> None:
    loss = {"epochs": 2, "minibatch": 16, "micro_batch": 16}
    too_fast = {"value_lr": 0.3, "value_coefficient": 1.0, "value_clip": 100.0}

    assert "value_learns_nothing" in _ppo(tmp_path, lr=1e-3, loss=loss | too_fast)


FIVE_OVER_ONE_BATCH = {
    "rollout": {"prompts": 8, "max_new_tokens": 16, "batch_size": 8},
    "loss": {"epochs": 5, "minibatch": 8, "micro_batch": 8},
    "output": QUIET | {"eval_every": 15, "save_every": 15},
}


@pytest.mark.parametrize(
    ("lr", "codes"),
    [(3e-2, {"clips_too_much"}), pytest.param(1e-4, set(), marks=pytest.mark.full)],
)
def test_a_policy_that_runs_away_from_what_wrote_its_answers_is_noticed(
    tmp_path: Path, lr: float, codes: set[str]
) -> None:
    assert _ppo(tmp_path, steps=15, lr=lr, **FIVE_OVER_ONE_BATCH) == codes


# Failures that begin before PPO does: in what SFT or the reward model has learned.


def _imitating(folder: Path, sentences: Callable[[int], int], *, max_length: int) -> str:
    """The result of SFT on answers of so many sentences each; those that are too long lose their
    end."""
    answers = [" ".join(["the cat sat."] * sentences(n)) for n in range(60)]
    return _supervised_on(folder, answers, max_length=max_length)


def _supervised_on(folder: Path, answers: Sequence[str], *, max_length: int) -> str:
    path = folder / "answers.jsonl"
    rows = [
        [
            {"role": "user", "content": f"Tell me {n} things about the cat."},
            {"role": "assistant", "content": answer},
        ]
        for n, answer in enumerate(answers)
    ]
    path.write_text("".join(json.dumps({"messages": turns}) + "\n" for turns in rows))
    values = {
        "name": "imitates",
        "model": {"path": "tiny", "lora": LORA},
        "data": {"sources": [{"path": str(path)}], "eval_share": 0.2, "max_length": max_length},
        "optim": {"lr": 1e-2, "max_steps": 60, "warmup_steps": 0, "batch_size": 8},
        "output": {"eval_every": 60, "save_every": 60, "samples": 0},
        "threads": 1,
    }
    return str(sft.run(configs.build(values, stage="sft"), RunDir(folder / "sft")))


@pytest.fixture(scope="module")
def ends_well(tmp_path_factory: pytest.TempPathFactory) -> str:
    """It says one to five sentences and ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELS_DIR", str(tmp_path_factory.getbasetemp() / "models"))
        folder = tmp_path_factory.mktemp("ends")
        return _imitating(folder, lambda n: 1 + n % 5, max_length=128)


def test_steps_too_large_for_a_trained_model_are_noticed(tmp_path: Path, ends_well: str) -> None:
    """The first of them does it, so that the loss of three steps is not how it began."""
    answers = {"sources": [{"path": str(Path(ends_well).parents[1] / "answers.jsonl")}]}
    config = small.config(
        "sft",
        tmp_path,
        model={"path": ends_well, "lora": LORA},
        optim={"lr": 0.1, "max_steps": 20},
        data=answers | {"max_length": 128},
        output=QUIET,
    )
    run = RunDir(tmp_path / "run")

    sft.run(config, run)

    assert _alarms(config, run) == {"loss_explodes"}


def _from(path: str, folder: Path, *, lr: float, **values: Any) -> set[str]:
    """The alarms of twenty steps of PPO that begin with an SFT run."""
    return _ppo(folder, lr=lr, model={"path": path, "lora": LORA}, **(OF_FORTY_EIGHT | values))


@pytest.mark.full
def test_a_policy_that_is_paid_for_length_is_noticed(tmp_path: Path, ends_well: str) -> None:
    score = {"missing_eos_penalty": 0.0}

    found = _from(ends_well, tmp_path, lr=1e-2, reward="rule:long", score=score)

    assert "answers_grow_longer" in found
    assert "answers_grow_shorter" not in found


@pytest.mark.full
def test_a_policy_that_learns_to_end_at_once_is_noticed(tmp_path: Path, ends_well: str) -> None:
    found = _from(ends_well, tmp_path, lr=1e-2, reward="rule:short")

    assert "answers_grow_shorter" in found
    assert "answers_never_end" not in found


@pytest.mark.full
def test_small_steps_from_the_same_model_are_quiet(tmp_path: Path, ends_well: str) -> None:
    assert _from(ends_well, tmp_path, lr=1e-4) == set()


def _with_a_way_out(folder: Path) -> str:
    """It says twelve digits, each anybody's guess, or half of the time one sentence it knows."""
    dice = random.Random(0)
    digits = [" ".join(str(dice.randrange(10)) for _ in range(12)) for _ in range(60)]
    answers = [answer for each in digits for answer in (each, "the cat sat. the cat sat.")]
    return _supervised_on(folder, answers, max_length=128)


@pytest.mark.full
@pytest.mark.parametrize(
    ("lr", "seed", "noticed"),
    [(1e-2, 0, True), (1e-2, 1, True), (1e-2, 2, True), (1e-4, 0, False)],
)
def test_a_policy_that_says_the_one_thing_that_pays_is_noticed(
    tmp_path: Path, lr: float, seed: int, noticed: bool
) -> None:
    rollout = {"prompts": 32, "max_new_tokens": 24, "batch_size": 32}
    loss = {"epochs": 1, "minibatch": 16, "micro_batch": 16}

    found = _from(_with_a_way_out(tmp_path), tmp_path, lr=lr, seed=seed, rollout=rollout, loss=loss)

    # Its answers are short ones too.
    assert found == ({"entropy_collapses", "answers_grow_shorter"} if noticed else set())


@pytest.mark.full
def test_a_policy_whose_sft_never_saw_an_end_is_noticed(tmp_path: Path) -> None:
    endless = _imitating(tmp_path, lambda _n: 30, max_length=64)

    assert _from(endless, tmp_path, lr=1e-3) == {"answers_never_end"}


def _reward_model(folder: Path, *, is_chance: bool) -> tuple[str, set[str]]:
    """The result of twenty steps on pairs that people, or coins, decided, and its alarms."""
    config = small.config(
        "rm",
        folder,
        model={"path": "tiny", "lora": LORA},
        optim={"lr": 3e-3, "max_steps": 20, "batch_size": 8},
        output=QUIET,
    )
    path = Path(small.pairs(folder, count=500))
    if is_chance:
        coin = random.Random(0)
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            sides = [row["chosen"], row["rejected"]]
            coin.shuffle(sides)
            row["chosen"], row["rejected"] = sides
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = RunDir(folder / "rm")
    return str(reward.run(config, run)), _alarms(config, run)


@pytest.mark.parametrize(
    ("is_chance", "of_rm", "of_ppo"),
    [
        (True, {"guesses"}, {"reward_is_unproven"}),
        pytest.param(False, set(), set(), marks=pytest.mark.full),
    ],
)
def test_a_random_reward_model_is_noticed_by_its_run_and_by_ppo_at_once(
    tmp_path: Path, is_chance: bool, of_rm: set[str], of_ppo: set[str]
) -> None:
    path, found = _reward_model(tmp_path, is_chance=is_chance)

    assert found == of_rm
    assert _ppo(tmp_path, steps=4, lr=1e-3, reward=path) == of_ppo


def test_a_reward_model_whose_head_is_lost_is_noticed(tmp_path: Path) -> None:
    """As an old tool may save it: everything but the layer that scores, which is read as zeros."""
    model = ppo_given.rm_run(tmp_path, path="tiny", lora=LORA)
    for file in model.rglob("*.safetensors"):
        tensors = load_file(file)
        lost = {name: t * 0 if "score" in name else t for name, t in tensors.items()}
        save_file(lost, file, {"format": "pt"})
    rollout = {"prompts": 8, "max_new_tokens": 16, "batch_size": 8}
    loss = {"epochs": 2, "minibatch": 4, "micro_batch": 4}
    output = QUIET | {"eval_every": 12}

    found = _ppo(
        tmp_path,
        steps=12,
        lr=1e-3,
        reward=str(model),
        rollout=rollout,
        loss=loss,
        output=output,
    )

    assert "reward_says_nothing" in found
