"""Four models on one base: they begin where they should, and only two of them move."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.training import ppo_given
from training import adapters, chat_template, modeling, ppo, rewards, rollouts, scoring
from training.adapters import SharedBase
from training.config import ConfigError, PpoConfig
from training.rollouts import Answers, Batch
from training.rundir import RunDir, read_lines

pytestmark = pytest.mark.slow
LORA = {"r": 4, "alpha": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("ppo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELS_DIR", str(folder / "models"))
        yield folder


@pytest.fixture(scope="module")
def sft(folder: Path) -> Path:
    return ppo_given.sft_run(folder, path="tiny", lora=LORA)


@pytest.fixture(scope="module")
def rm(folder: Path, sft: Path) -> Path:
    return ppo_given.rm_run(folder, path=str(sft), lora=LORA)


@pytest.fixture
def config(folder: Path, sft: Path, rm: Path) -> PpoConfig:
    return ppo_given.ppo(folder, sft, reward=str(rm))


def some_answers() -> Answers:
    return Answers([[1, 40, 41], [1, 50, 51, 52, 53]], [[60, 61, 2], [70, 71]], [True, False])


def some_batch() -> Batch:
    return rollouts.batch(some_answers(), [0, 1], torch.device("cpu"))


def log_probs(base: SharedBase, role: adapters.Role) -> torch.Tensor:
    with torch.no_grad(), base.using(role):
        return rollouts.log_probs(base, some_batch(), temperature=1.0)


def test_the_policy_and_the_reference_begin_as_the_sft_model(config: PpoConfig, sft: Path) -> None:
    base, _ = adapters.load(config)
    merged = AutoModelForCausalLM.from_pretrained(sft)
    ids = torch.tensor([[1, 50, 51, 52, 53, 70, 71]])

    with torch.no_grad():
        wanted = merged(input_ids=ids).logits[0]
        everywhere = (torch.zeros(7, dtype=torch.long), torch.arange(7))
        for role in ("policy", "ref"):
            with base.using(role):
                torch.testing.assert_close(
                    base.logits(base.states(ids, *everywhere)), wanted, atol=1e-4, rtol=1e-4
                )
    assert torch.equal(log_probs(base, "policy"), log_probs(base, "ref"))


def test_the_base_alone_is_not_the_reference(config: PpoConfig) -> None:
    base, _ = adapters.load(config)

    with base.model.disable_adapter():
        bare = log_probs(base, "policy")

    assert not torch.allclose(bare, log_probs(base, "ref"), atol=1e-3)


def test_the_reward_on_the_shared_base_scores_as_the_reward_model(
    config: PpoConfig, rm: Path
) -> None:
    base, tokenizer = adapters.load(config)
    model, own = modeling.load_reward(rm)
    turns = [{"role": "user", "content": "Say 3 words."}]
    prompt = chat_template.tokens(tokenizer, turns, is_open=True)
    texts = ["the cat sat", "1 2 3 4"]
    drawn = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
    answers = Answers([prompt] * 2, [drawn[0] + [tokenizer.eos_token_id], drawn[1]], [True, False])

    found = rewards.scorer(config, base, tokenizer)([turns] * 2, answers)

    rows = [scoring.encode(own, turns, text, max_length=64) for text in texts]
    wanted = scoring.scores(model, rows, batch_size=2)
    torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-4, rtol=1e-4)
    assert found[0] != found[1]


def test_the_value_begins_at_zero_over_the_adapter_of_the_reward(config: PpoConfig) -> None:
    base, _ = adapters.load(config)
    batch = some_batch()

    with torch.no_grad():
        with base.using("value"):
            values = rollouts.values(base, batch)
            states = base.states(batch.ids, batch.rows, batch.columns)
        with base.using("reward"):
            wanted = base.states(batch.ids, batch.rows, batch.columns)

    assert torch.equal(values, torch.zeros_like(values))
    assert torch.equal(states, wanted)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_step_moves_policy_and_value_and_nothing_else(
    config: PpoConfig, checkpointing: bool
) -> None:
    base, _ = adapters.load(ppo_given.with_model(config, gradient_checkpointing=checkpointing))
    torch.nn.init.ones_(base.heads["value"].weight)  # a head of 0 gives its adapter no gradient
    parameters = dict(base.model.named_parameters()) | {
        f"{role}.{name}": p
        for role, head in base.heads.items()
        for name, p in head.named_parameters()
    }
    before = {name: p.detach().clone() for name, p in parameters.items()}
    learning = [p for role in ("policy", "value") for p in base.learning(role).values()]
    optimizer = torch.optim.SGD(learning, lr=0.1)

    base.model.train()
    with base.using("policy"):
        rollouts.log_probs(base, some_batch(), temperature=1.0).sum().backward()
    with base.using("value"):
        (rollouts.values(base, some_batch()) ** 2).sum().backward()
    optimizer.step()

    moved = {name for name, p in parameters.items() if not torch.equal(p, before[name])}
    assert moved == {name for name, p in parameters.items() if any(p is one for one in learning)}
    assert len(moved) == len(learning)


def test_gradients_with_checkpointing_are_those_without(config: PpoConfig) -> None:
    found = []
    for checkpointing in (False, True):
        base, _ = adapters.load(ppo_given.with_model(config, gradient_checkpointing=checkpointing))
        base.model.train()
        with base.using("policy"):
            rollouts.log_probs(base, some_batch(), temperature=1.0).sum().backward()
        torch.nn.init.ones_(base.heads["value"].weight)
        with base.using("value"):
            rollouts.values(base, some_batch()).sum().backward()
        both = base.learning("policy") | base.learning("value")
        found.append({name: p.grad for name, p in both.items()})

    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name])


def test_gradients_of_one_role_survive_the_forward_of_another(config: PpoConfig) -> None:
    base, _ = adapters.load(config)

    with base.using("policy"):
        loss = rollouts.log_probs(base, some_batch(), temperature=1.0).sum()
    with base.using("value"):
        rollouts.values(base, some_batch())
    loss.backward()

    assert all(p.grad is not None for p in base.learning("policy").values())
    assert all(p.grad is None for p in base.learning("value").values())


def test_rloo_takes_the_sft_adapter_for_reference_and_the_reward_on_its_base(
    config: PpoConfig, tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "run")
    rollout = replace(config.rollout, prompts=4, per_prompt=2)

    ppo.run(replace(config, algorithm="rloo", rollout=rollout), run)

    rows = list(read_lines(run.metrics))
    assert rows[0]["objective/kl"] == 0
    assert rows[1]["objective/scores"] != 0
    assert abs(rows[-1]["objective/kl"]) < 5


def test_a_base_that_was_trained_whole_gets_a_new_adapter_that_changes_nothing(
    folder: Path,
) -> None:
    (folder / "whole").mkdir()
    whole = ppo_given.sft_run(folder / "whole", path="tiny")
    base, tokenizer = adapters.load(ppo_given.ppo(folder, whole))
    ids = torch.tensor([tokenizer("the cat sat").input_ids])

    with torch.no_grad():
        wanted = AutoModelForCausalLM.from_pretrained(whole)(input_ids=ids).logits
        found = base.causal(input_ids=ids).logits

    torch.testing.assert_close(found, wanted)
    assert torch.equal(log_probs(base, "policy"), log_probs(base, "ref"))


def test_a_reward_model_on_another_base_is_loaded_by_itself(folder: Path, sft: Path) -> None:
    (folder / "other").mkdir()
    other = ppo_given.rm_run(folder / "other", path="tiny")  # all its weights were trained
    config = ppo_given.ppo(folder, sft, reward=str(other))
    base, tokenizer = adapters.load(config)
    turns = [{"role": "user", "content": "Say 3 words."}]

    found = rewards.scorer(config, base, tokenizer)([turns, turns], some_answers())

    model, own = modeling.load_reward(other)
    texts = rewards.texts(some_answers(), tokenizer)
    rows = [scoring.encode(own, turns, text, max_length=64) for text in texts]
    assert not base.has_reward
    assert found.tolist() == pytest.approx(scoring.scores(model, rows, batch_size=2), abs=1e-5)


@pytest.mark.parametrize("quantization", ["4bit", "8bit"])
def test_adapters_learn_over_a_quantised_base(config: PpoConfig, quantization: str) -> None:
    base, _ = adapters.load(ppo_given.with_model(config, quantization=quantization))
    log_probs(base, "policy")  # a forward without gradients first: 4 bits must not be packed

    base.model.train()
    with base.using("policy"):
        rollouts.log_probs(base, some_batch(), temperature=1.0).sum().backward()

    gradients = {name: p.grad for name, p in base.learning("policy").items()}
    assert all(g is not None and torch.isfinite(g).all() for g in gradients.values())
    assert all(g.abs().sum() > 0 for name, g in gradients.items() if "lora_B" in name)


def test_an_adapter_without_a_head_is_no_reward_model(folder: Path, sft: Path) -> None:
    with pytest.raises(ConfigError, match="holds no head of a reward model"):
        adapters.load(ppo_given.ppo(folder, sft, reward=str(sft)))


def test_the_tokenizer_is_that_of_the_sft_run(config: PpoConfig, sft: Path) -> None:
    _, tokenizer = adapters.load(config)

    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(sft).chat_template


def test_an_sft_run_that_learned_new_tokens_shares_them_with_policy_and_reference(
    folder: Path,
) -> None:
    """A base without a chat template gets tokens for roles, which its adapter learns."""
    (folder / "bare").mkdir()
    bare = folder / "bare" / "model"
    shutil.copytree(modeling.resolve("tiny"), bare)
    (bare / "chat_template.jinja").unlink()
    sft = ppo_given.sft_run(folder / "bare", path=str(bare), lora=LORA)
    base, tokenizer = adapters.load(ppo_given.ppo(folder, sft))
    ids = torch.tensor([chat_template.tokens(tokenizer, [{"role": "user", "content": "the cat"}])])

    with torch.no_grad():
        wanted = AutoModelForCausalLM.from_pretrained(sft)(input_ids=ids).logits
        for role in ("policy", "ref"):
            with base.using(role):
                torch.testing.assert_close(
                    base.causal(input_ids=ids).logits, wanted, atol=1e-4, rtol=1e-4
                )
    assert tokenizer.convert_tokens_to_ids("<|prompter|>") in ids


def test_multiplying_in_bfloat16_leaves_the_kl_at_zero_and_gradients_nearly_as_they_are(
    config: PpoConfig,
) -> None:
    found = []
    for compute in ("float32", "bfloat16"):
        base, _ = adapters.load(ppo_given.with_model(config, compute=compute))
        assert torch.equal(log_probs(base, "policy"), log_probs(base, "ref"))
        base.model.train()
        with base.using("policy"):
            rollouts.log_probs(base, some_batch(), temperature=1.0).sum().backward()
        found.append(torch.cat([p.grad.flatten() for p in base.learning("policy").values()]))

    assert not torch.equal(*found)
    assert torch.cosine_similarity(*found, dim=0) > 0.98
