"""Answers are drawn from chance fixed beforehand, in batches that change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import tensor

from tests.training import ppo_given
from training import adapters, rollouts
from training.adapters import SharedBase
from training.config import RolloutConfig
from training.rollouts import Answers, Interrupted

pytestmark = pytest.mark.slow
PROMPTS = [[1, 40, 41], [1, 50, 51, 52, 53], [1, 60], [1, 40, 41, 42, 43, 44, 45]]
CONFIG = RolloutConfig(max_new_tokens=12, batch_size=4)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedBase]:
    folder = tmp_path_factory.mktemp("ppo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELS_DIR", str(folder / "models"))
        yield adapters.load(ppo_given.ppo(folder))[0]


def draw(base: SharedBase, config: RolloutConfig = CONFIG, *, seed: int = 1) -> Answers:
    chance = rollouts.uniforms(len(PROMPTS), config.max_new_tokens, seed=seed)
    ends = set(range(2, 12)) | set(range(100, 130))  # so many that answers end at all lengths
    return rollouts.draw(base, PROMPTS, config, chance=chance, ends=ends, stop=lambda: False)


def test_answers_do_not_depend_on_the_batch_they_are_drawn_in(base: SharedBase) -> None:
    together, alone = draw(base), draw(base, replace(CONFIG, batch_size=1))

    assert together == alone
    assert len({len(response) for response in together.responses}) > 1  # some left early


def test_answers_end_with_an_end_token_or_at_their_longest(base: SharedBase) -> None:
    answers = draw(base)
    ends = set(range(2, 12)) | set(range(100, 130))

    for response, ended in zip(answers.responses, answers.ended, strict=True):
        assert ended == (response[-1] in ends)
        assert ended or len(response) == CONFIG.max_new_tokens
        assert not ends & set(response[:-1])


def test_another_seed_draws_other_answers(base: SharedBase) -> None:
    assert draw(base, seed=1).responses != draw(base, seed=2).responses


def test_drawn_tokens_have_the_probability_the_policy_gave_them(base: SharedBase) -> None:
    """The forward over whole answers agrees with the one that drew them token by token."""
    answers = draw(base)
    greedy = replace(CONFIG, top_k=1)
    best = draw(base, greedy)

    measured = rollouts.measure(base, best, micro_batch=2, temperature=1.0)

    everything = rollouts.batch(best, range(4), base.device)
    with torch.no_grad():
        likeliest = rollouts.distributions(base, everything, temperature=1.0).argmax(dim=1)
    assert likeliest.tolist() == everything.tokens.tolist()
    assert answers.responses != best.responses
    assert (measured.log_probs[measured.mask == 0] == 0).all()


def test_measures_do_not_depend_on_micro_batches(base: SharedBase) -> None:
    answers = draw(base)

    one = rollouts.measure(base, answers, micro_batch=1, temperature=0.7)
    four = rollouts.measure(base, answers, micro_batch=4, temperature=0.7)

    for name in ("log_probs", "ref_log_probs", "values", "entropy"):
        torch.testing.assert_close(getattr(one, name), getattr(four, name), atol=1e-5, rtol=1e-5)


def test_a_batch_predicts_each_token_from_the_one_before() -> None:
    answers = Answers([[10, 11], [20]], [[12, 13], [21]], [False, False])

    found = rollouts.batch(answers, [0, 1], torch.device("cpu"))

    assert found.ids.tolist() == [[10, 11, 12], [20, 0, 0]]
    assert list(zip(found.rows.tolist(), found.columns.tolist(), strict=True)) == [
        (0, 1),
        (0, 2),
        (1, 0),
    ]
    assert found.tokens.tolist() == [12, 13, 21]
    assert found.answers.tolist() == [0, 0, 1]
    assert found.steps.tolist() == [0, 1, 0]


def test_the_wish_to_stop_is_heard_within_one_token(base: SharedBase) -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 3

    chance = rollouts.uniforms(len(PROMPTS), 12, seed=1)
    with pytest.raises(Interrupted):
        rollouts.draw(base, PROMPTS, CONFIG, chance=chance, ends={2}, stop=stop)

    assert len(asked) == 4


def test_inversion_picks_the_token_at_which_the_sum_passes_chance() -> None:
    logits = tensor([[0.2, 0.5, 0.3]]).log().repeat(4, 1)

    found = rollouts.pick(logits, tensor([0.0, 0.21, 0.69, 0.9999]), RolloutConfig())

    assert found.tolist() == [0, 1, 1, 2]


def test_filters_leave_unlikely_tokens_out() -> None:
    logits = tensor([[0.1, 0.6, 0.3]]).log()
    chance = tensor([0.999])

    assert rollouts.pick(logits, chance, RolloutConfig()).tolist() == [2]
    assert rollouts.pick(logits, chance, RolloutConfig(top_k=1)).tolist() == [1]
    assert rollouts.pick(logits, chance, RolloutConfig(top_p=0.5)).tolist() == [1]
    assert rollouts.pick(logits, tensor([0.0]), RolloutConfig(top_k=2)).tolist() == [1]


def test_shares_of_drawn_tokens_are_their_probabilities() -> None:
    probs = tensor([0.2, 0.5, 0.3])
    chance = rollouts.uniforms(20_000, 1, seed=0)[:, 0]

    drawn = rollouts.pick(probs.log().repeat(20_000, 1), chance, RolloutConfig())

    shares = drawn.bincount(minlength=3) / 20_000
    torch.testing.assert_close(shares, probs, atol=0.01, rtol=0)
