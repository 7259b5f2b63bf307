"""How tokens are drawn: the filters against those of transformers, chance against probabilities."""

from typing import Any

import pytest
import torch
from transformers.generation.logits_process import (
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from chat_app.inference import drawing
from chat_app.inference.drawing import Sampler, candidates
from chat_app.inference.sampling import SamplingParameters

VOCABULARY = 4000


def logits(seed: int, spread: float = 3) -> torch.Tensor:
    return torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(seed)) * spread


def parameters(**values: Any) -> SamplingParameters:
    off: dict[str, Any] = {"top_k": None, "top_p": None, "repetition_penalty": 1.0}
    return SamplingParameters(**{**off, **values})


def spread_out(scores: torch.Tensor, chosen: SamplingParameters) -> torch.Tensor:
    """The probabilities of the whole vocabulary after our filters."""
    tokens, weights = candidates(scores, chosen)
    return torch.zeros(VOCABULARY).scatter(0, tokens, weights)


def warp(scores: torch.Tensor, chosen: SamplingParameters) -> torch.Tensor:
    """The same after the filters of transformers."""
    warpers: list[Any] = [TemperatureLogitsWarper(chosen.temperature)]
    if chosen.top_k is not None:
        warpers.append(TopKLogitsWarper(chosen.top_k))
    if chosen.top_p is not None:
        warpers.append(TopPLogitsWarper(chosen.top_p))
    if chosen.typical_p is not None:
        warpers.append(TypicalLogitsWarper(chosen.typical_p))
    row = scores[None]
    for warper in warpers:
        row = warper(None, row)
    return row[0].softmax(0)


@pytest.mark.parametrize("spread", [0.5, 3])
@pytest.mark.parametrize(
    "values",
    [
        {"temperature": 0.7},
        {"top_k": 50},
        {"top_k": 5000},
        {"top_p": 0.9},
        {"typical_p": 0.2},
        {"top_k": 50, "top_p": 0.95, "temperature": 0.75},
        {"top_k": 200, "top_p": 0.8, "typical_p": 0.5, "temperature": 1.5},
    ],
)
def test_filters_equal_those_of_transformers(values: dict[str, Any], spread: float) -> None:
    chosen = parameters(**values)

    ours, theirs = spread_out(logits(1, spread), chosen), warp(logits(1, spread), chosen)

    assert torch.equal(ours > 0, theirs > 0)
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_mass_beyond_the_head_is_sorted_in_full() -> None:
    even = torch.zeros(VOCABULARY)

    kept = (spread_out(even, parameters(top_p=0.5)) > 0).sum()

    assert kept == VOCABULARY / 2 > drawing.HEAD


def test_one_token_is_left_whatever_the_filters() -> None:
    chosen = parameters(top_k=1, top_p=0.01, typical_p=0.01)

    assert spread_out(logits(2), chosen).max() == 1


def test_penalty_equals_that_of_transformers() -> None:
    prompt, answer = [1, 2, 3, 3], [7, 8]
    scores = logits(3)
    sampler = Sampler(
        parameters(temperature=0.0, repetition_penalty=1.3), prompt, vocabulary=VOCABULARY
    )
    theirs = RepetitionPenaltyLogitsProcessor(1.3)(torch.tensor([prompt + answer]), scores[None])[0]

    for token in set(prompt + answer):
        one = torch.full((VOCABULARY,), -100.0)
        one[token], one[3999] = scores[token], theirs[token] - 1e-4
        assert sampler.draw(one, answer) == token
        one[3999] = theirs[token] + 1e-4
        assert sampler.draw(one, answer) == 3999


def test_penalty_spares_the_tokens_that_end_a_turn() -> None:
    prompt = [5, 6]  # 6 ends a turn, so every prompt holds it
    scores = torch.zeros(VOCABULARY)
    scores[5], scores[6] = 10.0, 9.5
    chosen = parameters(temperature=0.0, repetition_penalty=1.3)

    assert Sampler(chosen, prompt, vocabulary=VOCABULARY, spared=[6]).draw(scores, []) == 6
    assert Sampler(chosen, prompt, vocabulary=VOCABULARY).draw(scores, []) == 5


def test_draws_follow_the_probabilities() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    sampler = Sampler(parameters(temperature=1.0, seed=11), [], vocabulary=4)

    drawn = torch.tensor([int(sampler.draw(probabilities.log(), [])) for _ in range(4000)])

    shares = torch.bincount(drawn, minlength=4) / 4000
    assert torch.allclose(shares, probabilities, atol=0.03)  # four standard deviations


def test_draws_depend_on_the_seed_and_their_number_alone() -> None:
    def draws(seed: int | None) -> list[int]:
        sampler = Sampler(parameters(temperature=2.0, seed=seed), [], vocabulary=VOCABULARY)
        return [int(sampler.draw(logits(n), [])) for n in range(8)]

    assert draws(5) == draws(5)
    assert draws(5) != draws(6)
    assert draws(None) != draws(None)


def test_nearly_equal_logits_that_swap_places_change_nothing() -> None:
    scores = logits(4)
    order = scores.argsort(descending=True)
    nudged = scores.clone()
    scores[order[3]] = scores[order[4]] + 1e-6
    nudged[order[3]] = scores[order[4]] - 1e-6

    def draws(row: torch.Tensor) -> list[int]:
        sampler = Sampler(parameters(top_k=50, seed=1), [], vocabulary=VOCABULARY)
        return [int(sampler.draw(row, [])) for _ in range(200)]

    assert draws(scores) == draws(nudged)


@pytest.mark.parametrize("position", [0.0, 0.5, drawing.BELOW_ONE])
def test_position_at_an_end_never_picks_what_was_filtered_out(position: float) -> None:
    weights = torch.tensor([0.0, 0.25, 0.0, 0.75, 0.0])

    assert int(drawing.pick(weights, position)) in (1, 3)


@pytest.mark.parametrize(
    ("values", "is_plain"),
    [
        ({"temperature": 0.0}, True),
        ({"temperature": 0.0, "repetition_penalty": 1.1}, False),
        ({"temperature": 0.5}, False),
    ],
)
def test_only_greedy_without_penalty_is_plain(values: dict[str, Any], is_plain: bool) -> None:
    assert Sampler(parameters(**values), [1], vocabulary=9).is_plain == is_plain
