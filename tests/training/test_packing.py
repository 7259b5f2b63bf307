"""Answers to one prompt are read behind it in one row, and nothing that is said of them changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training import ppo_given
from training import adapters, packing, ppo_plan, rewards, rollouts
from training import data as datas
from training.adapters import SharedBase
from training.config import PpoConfig
from training.learner import Learner
from training.policy import Policy
from training.rollouts import Answers

PROMPTS = [[1, 40, 41, 42, 43]] * 3 + [[1, 50, 51]] * 2 + [[1, 60]]
RESPONSES = [[60, 61, 2], [70], [71, 72, 73, 74], [80, 2], [81, 82, 83], [90, 91]]
ANSWERS = Answers(PROMPTS, RESPONSES, [response[-1] == 2 for response in RESPONSES])
ROLLOUT = {"prompts": 3, "per_prompt": 4, "max_new_tokens": 8, "max_prompt_tokens": 64}
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("packing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELS_DIR", str(folder / "models"))
        yield folder


@pytest.fixture(scope="module")
def config(folder: Path) -> PpoConfig:
    rm = ppo_given.rm_run(folder, path="tiny", lora={"r": 4, "alpha": 8})
    return ppo_given.ppo(folder, reward=str(rm), rollout=ROLLOUT)


def loaded(config: PpoConfig, *, share: bool) -> tuple[SharedBase, Any]:
    torch.manual_seed(0)  # a new adapter is drawn
    base, tokenizer = adapters.load(config)
    assert base.can_share
    base.can_share = share
    return base, tokenizer


def test_each_answer_sees_its_prompt_and_itself() -> None:
    found = packing.pack([[1, 2]] * 2, [[3], [4, 5]], share=True)

    assert found.ids.tolist() == [[1, 2, 3, 4, 5]]
    assert (found.rows, found.starts) == ([0, 0], [2, 3])
    assert found.positions is not None
    assert found.positions.tolist() == [[0, 1, 2, 2, 3]]
    assert found.mask is not None
    assert found.mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 1, 0, 1, 1],
    ]


def test_without_answers_to_one_prompt_a_row_is_one_text() -> None:
    for share, prompts in ((True, [[1], [2, 3]]), (False, [[1], [1]])):
        found = packing.pack(prompts, [[4, 5], [6]], share=share)

        assert found.rows == [0, 1]
        assert found.mask is None
        assert found.positions is None


def test_answers_to_one_prompt_stay_together_in_batches_and_in_the_order_of_learning() -> None:
    mixed = [PROMPTS[i] for i in (0, 3, 5, 1, 4, 2)]

    found = list(packing.groups(mixed, RESPONSES, 3, share=True))

    assert found == [[0, 3, 5], [1, 4, 2]]
    order = rollouts.shuffled(mixed, torch.Generator().manual_seed(0))
    assert sorted(order) == list(range(6))
    places = [order.index(i) for i in (0, 3, 5)]
    assert max(places) - min(places) == 2


@slow
def test_what_the_models_say_is_the_same_read_together_and_alone(config: PpoConfig) -> None:
    said = []
    for share in (True, False):
        base, _ = loaded(config, share=share)
        torch.nn.init.ones_(base.heads["value"].weight)
        said.append(rollouts.measure(base, ANSWERS, micro_batch=4, temperature=0.7))

    for name in ("mask", "log_probs", "ref_log_probs", "values", "entropy"):
        together, alone = (getattr(measured, name) for measured in said)
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@slow
def test_the_reward_is_the_same_read_together_and_alone(config: PpoConfig) -> None:
    scores = []
    for share in (True, False):
        base, tokenizer = loaded(config, share=share)
        scores.append(rewards.scorer(config, base, tokenizer)([], ANSWERS))

    torch.testing.assert_close(*scores, atol=1e-5, rtol=1e-5)
    assert len(set(scores[0].tolist())) == len(RESPONSES)


@slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_are_the_same_read_together_and_alone(
    config: PpoConfig, checkpointing: bool
) -> None:
    found = []
    for share in (True, False):
        base, _ = loaded(
            ppo_given.with_model(config, gradient_checkpointing=checkpointing), share=share
        )
        torch.nn.init.ones_(base.heads["value"].weight)
        base.model.train()
        for some in rollouts.batches(base, ANSWERS, range(len(ANSWERS)), 4):
            with base.using("policy"):
                rollouts.log_probs(base, some, temperature=1.0).square().sum().backward()
            with base.using("value"):
                rollouts.values(base, some).square().sum().backward()
        both = base.learning("policy") | base.learning("value")
        found.append(torch.cat([p.grad.flatten() for p in both.values() if p.grad is not None]))

    together, alone = found
    assert (together - alone).norm() < 1e-5 * alone.norm()
    assert alone.norm() > 0


@slow
def test_a_rollout_and_its_update_are_the_same_read_together_and_alone(config: PpoConfig) -> None:
    curves = []
    for share in (True, False):
        base, tokenizer = loaded(config, share=share)
        prompts = ppo_plan.fitting(datas.prompts(config.data).train, tokenizer, config)
        chosen = ppo_plan.chosen_prompts(prompts, config, 0)
        score = rewards.scorer(config, base, tokenizer)
        learner = Learner(Policy(config, base, tokenizer, score, ppo_given.alone()), steps=6)
        rollout, figures = learner.collect(
            [p.messages for p in chosen], [p.ids for p in chosen], seed=1, stop=lambda: False
        )
        figures |= learner.update(rollout)
        curves.append({k: v for k, v in figures.items() if not k.startswith(("time", "memory"))})

    assert curves[0] == pytest.approx(curves[1], rel=1e-3, abs=1e-5)


@slow
def test_a_prompt_is_read_once_however_often_it_is_answered(config: PpoConfig) -> None:
    base, _ = loaded(config, share=True)
    read: list[int] = []
    base.causal.register_forward_pre_hook(
        lambda _module, _args, given: read.append(given["input_ids"].numel()), with_kwargs=True
    )
    chance = rollouts.uniforms(len(PROMPTS), 8, seed=0)

    together = rollouts.draw(
        base, PROMPTS, config.rollout, chance=chance, ends={2}, stop=lambda: False
    )

    assert read[0] == 3 * 5  # three prompts, padded to the longest
    for i in range(len(PROMPTS)):
        alone = rollouts.draw(
            base, [PROMPTS[i]], config.rollout, chance=chance[[i]], ends={2}, stop=lambda: False
        )
        assert alone.responses == [together.responses[i]]


@slow
@pytest.mark.parametrize("key", ["sliding_window", "layer_types"])
def test_models_whose_layers_look_through_a_window_read_each_answer_alone(
    config: PpoConfig, key: str
) -> None:
    base, _ = adapters.load(config)
    value = 4 if key == "sliding_window" else ["full_attention", "sliding_attention"]
    setattr(base.causal.config, key, value)

    assert not base.can_share
