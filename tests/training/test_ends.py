"""What ends an answer: families whose turns end with another token than the tokenizer's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from transformers import AutoTokenizer, GenerationConfig

from chat_app.inference import loading, voices
from tests.training import ppo_given, small
from training import adapters, chat_template, modeling, ppo_plan, rewards, samples, scoring, sft
from training.config import ModelConfig
from training.policy import Policy
from training.rundir import RunDir
from training.team import Team

pytestmark = pytest.mark.slow
EOS, START, IM_END = 0, 1, 2  # of the tiny tokenizer
PHI = (  # ends each turn by a token of its own, and the whole by the tokenizer's end
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% else %}{{ eos_token }}"
    "{% endif %}"
)


@pytest.fixture
def gemma(tmp_path: Path) -> Path:
    """A tiny model whose template ends turns with <|im_end|>, its tokenizer with <|endoftext|>."""
    folder = Path(small.model(tmp_path))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.eos_token, tokenizer.pad_token = "<|endoftext|>", "<|im_start|>"
    tokenizer.save_pretrained(folder)
    _told_by_the_model(folder, EOS)
    return folder


def _told_by_the_model(folder: Path, ends: Any) -> None:
    path = folder / "generation_config.json"
    values = json.loads(path.read_text()) | {"eos_token_id": ends}
    path.write_text(json.dumps(values))


def _saved_ends(folder: Path) -> Any:
    return GenerationConfig.from_pretrained(folder).eos_token_id


def test_the_end_of_a_turn_is_read_off_the_template(gemma: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(gemma)
    assert chat_template.end_of_turn(tokenizer) == IM_END

    tokenizer.chat_template = PHI
    assert chat_template.end_of_turn(tokenizer) == IM_END

    tokenizer.chat_template = chat_template.TEMPLATE
    assert chat_template.end_of_turn(tokenizer) == EOS


@pytest.mark.parametrize(
    ("told", "ends"), [(EOS, [EOS, IM_END]), ([EOS, 7], [EOS, IM_END, 7]), (None, [EOS, IM_END])]
)
def test_a_model_keeps_its_ends_and_gets_those_of_tokenizer_and_template(
    gemma: Path, told: Any, ends: list[int]
) -> None:
    _told_by_the_model(gemma, told)

    model, _ = modeling.load_causal(ModelConfig(path=str(gemma)))

    assert model.generation_config.eos_token_id == ends
    assert modeling.ends(model) == {*ends}


def test_one_end_for_all_stays_a_number(tmp_path: Path) -> None:
    model, _ = modeling.load_causal(ModelConfig(path=small.model(tmp_path)))

    assert model.generation_config.eos_token_id == IM_END


@pytest.mark.parametrize("lora", [None, {"r": 4, "alpha": 8}])
def test_a_result_stops_at_the_end_of_a_turn_in_chat_too(
    gemma: Path, tmp_path: Path, lora: dict[str, int] | None
) -> None:
    config = small.config("sft", tmp_path, model={"path": str(gemma), "lora": lora})

    final = sft.run(config, RunDir(tmp_path / "run"))

    assert _saved_ends(final) == [EOS, IM_END]
    assert voices.of(loading.load(final)).end_tokens == {EOS, IM_END}


ASKED = [{"role": "user", "content": "Tell me 3 things about the cat."}]


def test_a_policy_draws_nothing_behind_the_end_of_a_turn(gemma: Path, tmp_path: Path) -> None:
    config = ppo_given.ppo(tmp_path, gemma, rollout={"max_new_tokens": 64, "temperature": 4.0})
    base, tokenizer = adapters.load(config)
    score = rewards.scorer(config, base, tokenizer)
    policy = Policy(config, base, tokenizer, score, Team(Accelerator(cpu=True)))
    prompt = ppo_plan.tokens(tokenizer, ASKED)

    answers = policy.draw([prompt] * 64, seed=1, stop=lambda: False)

    last = [response[-1] for response in answers.responses]
    assert {EOS, IM_END} <= {*last}
    assert not [r for r in answers.responses if {EOS, IM_END} & {*r[:-1]}]
    assert answers.ended == [token in (EOS, IM_END) for token in last]


def test_samples_stop_at_the_end_of_a_turn(gemma: Path) -> None:
    model, tokenizer = modeling.load_causal(ModelConfig(path=str(gemma)))
    ids = torch.tensor([chat_template.tokens(tokenizer, ASKED, is_open=True)])
    with torch.no_grad():  # which it now says at once
        state = model.base_model(input_ids=ids).last_hidden_state[0, -1]
        model.lm_head.weight.zero_()
        model.lm_head.weight[IM_END] = state
    steps: list[Any] = []
    model.register_forward_hook(lambda *_: steps.append(1))

    samples.greedy(model, tokenizer, [ASKED], max_new_tokens=8)

    assert len(steps) == 1


def test_a_reward_model_reads_answers_to_the_end_of_the_turn(gemma: Path) -> None:
    _, tokenizer = modeling.load_causal(ModelConfig(path=str(gemma)))

    _, answer = scoring.parts(tokenizer, ASKED, "It sat.", max_length=64)

    assert tokenizer.decode(answer) == "It sat.<|im_end|>"
