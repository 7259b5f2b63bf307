"""PPO from config to result: what is refused, what is written, and that it goes on exactly."""

from __future__ import annotations

import json
import math
import random
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training import ppo_given, programs
from training import config as configs
from training import ppo, ppo_plan, resuming, rollouts
from training.config import ConfigError, PpoConfig
from training.rundir import RunDir, read_lines
from training.stopping import Cancelled, LossNotFinite

TIMES = ("time", "time/generate_s", "time/score_s", "time/update_s", "memory/peak_mib")
slow = pytest.mark.slow
FOUR_ROLLOUTS = {"optim": {"max_steps": 16}, "output": {"eval_every": 8}}


@pytest.fixture(autouse=True)
def _models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_DIR", str(tmp_path_factory.getbasetemp() / "models"))


@pytest.fixture(scope="module")
def two_rollouts(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The run of the config that `ppo_given` gives, at its end."""
    return _trained_once(tmp_path_factory)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """Four rollouts in one go: what runs that break off are held against."""
    return _trained_once(tmp_path_factory, **FOUR_ROLLOUTS)


def _trained_once(tmp_path_factory: pytest.TempPathFactory, **values: Any) -> RunDir:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELS_DIR", str(tmp_path_factory.getbasetemp() / "models"))
        folder = tmp_path_factory.mktemp("ppo")
        return train(folder, "run", ppo_given.ppo(folder, **values))


def curve(run: RunDir) -> list[dict[str, Any]]:
    rows = read_lines(run.metrics)
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def train(folder: Path, name: str, config: PpoConfig) -> RunDir:
    run = RunDir(folder / name)
    ppo.run(config, run)
    return run


def test_checkpoints_inside_a_rollout_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        ppo_plan.check(ppo_given.ppo(tmp_path, output={"save_every": 6}))

    assert str(error.value) == (
        "output.save_every: 6 falls inside a rollout, which is 4 steps long "
        "(loss.epochs × answers / loss.minibatch); expected a multiple of 4, such as 4 or 8"
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"output": {"eval_every": 3}}, "output.eval_every: 3 falls inside a rollout"),
        ({"loss": {"micro_batch": 3}}, "loss.minibatch: expected a multiple of loss.micro_batch"),
        ({"algorithm": "rloo"}, "rollout.per_prompt: rloo compares answers"),
        ({"score": {"baseline": "others"}}, "score.baseline: others .* are ppo and 1"),
        (
            {"score": {"baseline": "others"}, "algorithm": "rloo", "rollout": {"per_prompt": 2}},
            "score.baseline: others .* are rloo and 2",
        ),
        ({"rollout": {"top_p": 0.9}}, "rollout.top_p, rollout.top_k: expected 1 and 0"),
        ({"rollout": {"top_k": 50}}, "rollout.top_p, rollout.top_k: expected 1 and 0"),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ppo_plan.check(ppo_given.ppo(tmp_path, **values))


@pytest.mark.parametrize(
    ("prompts", "minibatch", "processes", "said"),
    [
        (33, 16, 2, "rollout.prompts × rollout.per_prompt: expected a multiple of the 2"),
        (9, 3, 2, "rollout.prompts × rollout.per_prompt: .* it is 9"),
        (8, 4, 3, "rollout.prompts × rollout.per_prompt: expected a multiple of the 3"),
        (12, 1, 2, "loss.minibatch: expected a multiple of the 2 processes, .* it is 1"),
        (12, 3, 2, "loss.minibatch: .* it is 3"),
    ],
)
def test_what_cannot_be_shared_out_evenly_is_refused(
    tmp_path: Path, prompts: int, minibatch: int, processes: int, said: str
) -> None:
    loss = {"minibatch": minibatch, "micro_batch": 1}
    config = ppo_given.ppo(tmp_path, rollout={"prompts": prompts}, loss=loss)

    with pytest.raises(ConfigError, match=said):
        ppo_plan.check_share(config, processes)
    ppo_plan.check_share(config, 1)


@pytest.mark.parametrize(
    ("prompts", "minibatch", "processes"), [(8, 8, 2), (10, 4, 2), (12, 9, 3), (16, 8, 4)]
)
def test_processes_that_share_evenly_take_the_planned_steps(
    tmp_path: Path, prompts: int, minibatch: int, processes: int
) -> None:
    loss = {"minibatch": minibatch, "micro_batch": 1, "epochs": 1}
    config = ppo_given.ppo(tmp_path, rollout={"prompts": prompts}, loss=loss)

    ppo_plan.check_share(config, processes)

    for rank in range(processes):
        share = len(range(prompts)[rank::processes])
        steps = len(range(0, share, minibatch // processes))
        assert steps == ppo_plan.steps_per_rollout(config)


def test_the_defaults_fit_each_other() -> None:
    ppo_plan.check(configs.build({"name": "x", "model": {"path": "x"}, "reward": "x"}, stage="ppo"))


@slow
def test_a_rule_nobody_knows_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reward: rule:nice, expected rule: and one of letters"):
        train(tmp_path, "run", ppo_given.ppo(tmp_path, reward="rule:nice"))


@slow
def test_prompts_that_are_all_too_long_are_an_error(tmp_path: Path) -> None:
    config = ppo_given.ppo(tmp_path, rollout={"max_prompt_tokens": 3})

    with pytest.raises(ConfigError, match="max_prompt_tokens: no prompt has at most 3"):
        train(tmp_path, "run", config)


def test_each_epoch_reads_every_prompt_once_in_another_order(tmp_path: Path) -> None:
    config, prompts = ppo_given.ppo(tmp_path), list(range(16))

    read = [p for number in range(4) for p in ppo_plan.chosen_prompts(prompts, config, number)]

    assert sorted(read[:16]) == sorted(read[16:]) == prompts
    assert read[:16] != read[16:]


@slow
def test_two_rollouts_give_a_result_and_figures_that_are_numbers(two_rollouts: RunDir) -> None:
    run = two_rollouts

    rows = curve(run)
    assert [(row["step"], row["phase"]) for row in rows] == [
        (0, "eval"),
        (4, "train"),
        (4, "eval"),
        (8, "train"),
        (8, "eval"),
    ]
    assert all(math.isfinite(v) for row in rows for k, v in row.items() if k != "phase")
    assert rows[0]["objective/kl"] == 0
    assert rows[1]["objective/kl"] == 0
    assert rows[3]["objective/kl"] != 0
    lineage = json.loads((run.final / "training.json").read_text())
    assert lineage["stage"] == "ppo"
    assert lineage["evaluation"] == json.loads(run.evaluation.read_text())
    assert lineage["evaluation"]["score"]["n"] == 8
    assert (run.path / "reward-by-kl.svg").read_text().count("<circle") == 3
    config = ppo_given.ppo(run.path.parent)
    assert ppo.run(config, run) == run.final  # at once, a second time


@slow
def test_the_kl_of_k3_is_never_negative(tmp_path: Path) -> None:
    config = ppo_given.ppo(
        tmp_path,
        kl={"estimator": "k3"},
        optim={"lr": 0.01, "max_steps": 12},
        output={"eval_every": 12, "save_every": 12},
    )
    run = train(tmp_path, "run", config)

    kl = [row["objective/kl"] for row in curve(run) if row["phase"] == "train"]
    assert kl[0] == 0
    assert min(kl[1:]) > 0
    first, last = (json.loads((run.evaluations / f"{n}.json").read_text())["kl"] for n in (0, 12))
    assert set(first) == {0.0}
    assert min(last) > 0  # of each answer, which k1 does not promise
    lineage = json.loads((run.final / "training.json").read_text())
    assert lineage["config"]["kl"]["estimator"] == "k3"


@slow
def test_the_first_ratio_is_one(tmp_path: Path) -> None:
    config = ppo_given.ppo(
        tmp_path,
        loss={"epochs": 1, "minibatch": 8},
        model={"path": "tiny", "lora": {"dropout": 0.5}},
        optim={"max_steps": 3},
        output={"eval_every": 3, "save_every": 3},
    )
    run = train(tmp_path, "run", config)

    for row in curve(run):
        if row["phase"] == "train":
            assert row["val/ratio"] == pytest.approx(1, abs=1e-6)
            assert row["policy/approxkl_avg"] == pytest.approx(0, abs=1e-9)


@slow
def test_the_policy_of_the_result_is_what_was_trained(two_rollouts: RunDir) -> None:
    run = two_rollouts

    saved = load_file(run.final / "adapter" / "adapter_model.safetensors")
    learned = load_file(run.checkpoints / "checkpoint-8" / resuming.LEARNED)
    policy_of = {k: v for k, v in learned.items() if k.startswith("policy:")}
    assert len(saved) == len(policy_of)
    for name, value in saved.items():
        place = name.replace(".weight", ".default.weight")
        assert torch.equal(value, policy_of[f"policy:{place}"])


@slow
def test_a_cancelled_run_goes_on_with_the_same_curve(tmp_path: Path, two_rollouts: RunDir) -> None:
    config = ppo_given.ppo(tmp_path)
    run = RunDir(tmp_path / "cancelled").make()
    run.add_metrics(0, {})  # rows of an attempt that wrote no checkpoint are forgotten
    run.cancel()
    with pytest.raises(Cancelled, match="Stopped at step 0"):
        ppo.run(config, run)
    run.allow()
    ppo.run(config, run)

    assert curve(run) == curve(two_rollouts)
    assert not (tmp_path / "cancelled" / "final.half").exists()


@slow
def test_a_cancel_while_answers_are_drawn_keeps_the_last_rollout(
    tmp_path: Path, whole: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ppo_given.ppo(tmp_path, **FOUR_ROLLOUTS)
    run = RunDir(tmp_path / "cancelled")
    tokens, saved = rollouts.pick, set()

    def pick(*args: Any) -> torch.Tensor:
        if run.read_status().step == 12:  # in the fourth rollout
            saved.add(run.last_checkpoint().stat().st_ino)
            run.cancel()
        return tokens(*args)

    monkeypatch.setattr(rollouts, "pick", pick)
    with pytest.raises(Cancelled, match="Stopped at step 12"):
        ppo.run(config, run)
    assert saved == {run.last_checkpoint().stat().st_ino}  # it is not written again
    monkeypatch.undo()
    run.allow()
    ppo.run(config, run)

    assert curve(run) == curve(whole)


@slow
def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_answers(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")

    with pytest.raises(LossNotFinite, match=r"the weights have blown up.*lower optim.lr"):
        ppo.run(ppo_given.ppo(tmp_path, optim={"lr": 1e30}), run)

    rows = json.loads((run.path / "bad-batch.json").read_text())
    assert {"prompt", "response", "score", "ids"} == rows[0].keys()
    assert run.last_checkpoint() is None
    assert not run.final.exists()


@slow
@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"loss": {"value_coefficient": 3e37}}, id="the gradient of the critic"),
        pytest.param({"optim": {"lr": 1e20, "weight_decay": 1e20}}, id="a step that is too large"),
    ],
)
def test_weights_that_are_no_numbers_are_not_saved(
    tmp_path: Path, values: dict[str, dict[str, float]]
) -> None:
    """One step per rollout: nothing else of the rollout could notice."""
    loss = {"epochs": 1, "minibatch": 8} | values.get("loss", {})
    config = ppo_given.ppo(
        tmp_path, **values | {"loss": loss}, output={"eval_every": 8, "save_every": 1}
    )
    run = RunDir(tmp_path / "run")

    with pytest.raises(LossNotFinite, match="the weights have blown up"):
        ppo.run(config, run)

    assert run.last_checkpoint() is None
    assert len(json.loads((run.path / "bad-batch.json").read_text())) == 8


@slow
def test_an_epoch_ends_early_once_the_policy_has_gone_too_far(tmp_path: Path) -> None:
    config = ppo_given.ppo(tmp_path, loss={"max_kl": 1e-6}, optim={"lr": 0.01})
    run = train(tmp_path, "run", config)

    rows = [row for row in curve(run) if row["phase"] == "train"]
    assert [row["policy/updates"] for row in rows] == [1, 1]
    assert [row["step"] for row in rows] == [4, 8]


def same_to_the_last_bit(run: RunDir, other: RunDir) -> bool:
    ours, theirs = (r.final / "adapter" / "adapter_model.safetensors" for r in (run, other))
    return curve(run) == curve(other) and ours.read_bytes() == theirs.read_bytes()


@slow
@pytest.mark.full
def test_a_killed_run_goes_on_with_the_same_curve_to_the_last_bit(
    tmp_path: Path, whole: RunDir
) -> None:
    config = ppo_given.ppo(tmp_path, **FOUR_ROLLOUTS)
    run = RunDir(tmp_path / "killed")

    programs.kill_when(programs.start(config, run), (run.checkpoints / "checkpoint-8").exists)
    assert not run.final.exists()
    ppo.run(config, run)

    assert same_to_the_last_bit(run, whole)


@slow
@pytest.mark.full
def test_a_run_that_is_killed_again_and_again_still_has_the_same_curve(tmp_path: Path) -> None:
    config = ppo_given.ppo(tmp_path, optim={"max_steps": 200}, output={"eval_every": 8})
    wanted, run = train(tmp_path, "whole", config), RunDir(tmp_path / "killed")

    chance = random.Random(0)
    for goal in range(20, 200, 20):
        child = programs.start(config, run)
        programs.wait_until(child, lambda: programs.step_of(run) >= goal)  # noqa: B023
        time.sleep(chance.random() / 10)  # anywhere: in a rollout, an update, a checkpoint
        child.kill()
        child.join()
        whole = run.last_checkpoint()
        assert whole is not None
        assert (whole / resuming.STATE).exists()
    ppo.run(config, run)

    assert same_to_the_last_bit(run, wanted)


@slow
@pytest.mark.full
@pytest.mark.parametrize("algorithm", ["ppo", "rloo", "grpo"])
def test_sigterm_saves_and_ends_with_its_own_code(tmp_path: Path, algorithm: str) -> None:
    rollout = {"prompts": 8} if algorithm == "ppo" else {"prompts": 4, "per_prompt": 2}
    config = ppo_given.ppo(
        tmp_path,
        algorithm=algorithm,
        rollout=rollout,
        optim={"max_steps": 4000},
        output={"eval_every": 4000},
    )
    run = RunDir(tmp_path / "run")

    child = programs.start(config, run)
    programs.wait_until(child, lambda: run.last_checkpoint() is not None)
    child.terminate()

    assert programs.end_of(child, run) == 3
    status = run.read_status()
    assert status.state == "cancelled"
    assert status.step % 4 == 0  # as it is between two rollouts
    assert f"checkpoint-{status.step}" == run.last_checkpoint().name


@pytest.mark.parametrize("algorithm", ["rloo", "grpo"])
def test_what_runs_on_trl_is_refused_to_several_processes(tmp_path: Path, algorithm: str) -> None:
    config = ppo_given.ppo(tmp_path, algorithm=algorithm, rollout={"per_prompt": 2})

    with pytest.raises(ConfigError, match=f"algorithm: {algorithm} learns in one process"):
        ppo_plan.check_share(config, 2)
    ppo_plan.check_share(config, 1)


@slow
@pytest.mark.full
def test_rloo_does_not_begin_in_two_processes(tmp_path: Path) -> None:
    config = ppo_given.ppo(tmp_path, algorithm="rloo", rollout={"prompts": 4, "per_prompt": 2})
    run = RunDir(tmp_path / "two")

    done = programs.launch(config, run)

    assert done.returncode != 0
    assert "algorithm: rloo learns in one process" in run.read_status().message
    assert curve(run) == []


@pytest.mark.parametrize("path", sorted(configs.CONFIGS.glob("*-ppo.yaml")), ids=lambda p: p.stem)
def test_the_configs_that_come_along_can_be_run(path: Path) -> None:
    ppo_plan.check(configs.load(path, stage="ppo"))


@slow
@pytest.mark.full
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    """Where each rollout is one minibatch, how it is shared out changes sums by rounding alone."""
    config = ppo_given.ppo(tmp_path, loss={"minibatch": 8, "micro_batch": 4, "epochs": 2})
    wanted = train(tmp_path, "one", config)
    run = RunDir(tmp_path / "two")

    done = programs.launch(config, run)

    assert done.returncode == 0, done.stderr[-3000:]

    ours, theirs = curve(run), curve(wanted)
    assert len(ours) == len(theirs) == 7
    for mine, other in zip(ours, theirs, strict=True):
        for name in mine.keys() - {"phase", "val/explained_variance", "objective/scores_std"}:
            assert mine[name] == pytest.approx(other[name], rel=1e-3, abs=1e-4), name


@slow
def test_a_run_that_found_too_little_memory_goes_on_in_smaller_batches(tmp_path: Path) -> None:
    hardly = {
        "lr": 1e-6,
        "max_steps": 4,
    }  # rounding differs, and must not decide which token is drawn
    config = ppo_given.ppo(tmp_path, optim=hardly)
    wanted, run = train(tmp_path, "whole", config), RunDir(tmp_path / "run").make()
    run.cancel()
    with pytest.raises(Cancelled):
        ppo.run(config, run)

    run.allow()
    small = ppo_given.ppo(
        tmp_path, optim=hardly, loss={"micro_batch": 1}, rollout={"batch_size": 2}
    )
    ppo.run(small, run)

    for ours, theirs in zip(curve(run), curve(wanted), strict=True):
        assert ours["objective/scores"] == pytest.approx(theirs["objective/scores"], rel=1e-3)
