"""Draws the next token of one request from its logits, by its own parameters and its own chance.

What is drawn depends on nothing but the logits, the parameters, the seed and how many tokens were
drawn before: a request gets the same text alone and in company.
"""

import random
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from chat_app.inference.sampling import SamplingParameters

# Sorting a whole vocabulary takes longer than all else here; so many tokens mostly hold the mass.
HEAD = 1024
# A position in [0, 1) must stay below 1 when it is rounded to float32.
BELOW_ONE = 1 - 2**-20


class Sampler:
    """The state of one request: which tokens it holds, and its random numbers."""

    def __init__(
        self,
        parameters: SamplingParameters,
        prompt: Sequence[int],
        *,
        vocabulary: int,
        spared: Collection[int] = (),
        device: torch.device | str = "cpu",
    ) -> None:
        """Take the request's tokens. The repetition penalty leaves the `spared` ones alone.

        Tokens that end a turn must be: chat templates repeat them in every prompt, and a model
        that is punished for them cannot stop.
        """
        self.parameters = parameters
        self._random = random.Random(parameters.seed)
        self._spared = frozenset(spared)
        self._known = 0  # how many tokens of the answer are marked in `_seen`
        self._seen: Tensor | None = None  # (V,)
        if parameters.repetition_penalty != 1:
            self._seen = torch.zeros(vocabulary, dtype=torch.bool, device=device)
            self._mark(prompt)

    @property
    def is_plain(self) -> bool:
        """Whether the token is the one with the highest logit, as it is."""
        return self.parameters.temperature == 0 and self._seen is None

    def draw(self, logits: Tensor, answer: Sequence[int]) -> Tensor:
        """Give the next token, a tensor without dimensions, after the tokens of `answer`.

        `logits` (V,) float32. Waits for no device, except where a filter needs a full sort.
        """
        if self._seen is not None:
            self._mark(answer[self._known :])
            self._known = len(answer)
            penalty = self.parameters.repetition_penalty
            logits = torch.where(self._seen, penalise(logits, penalty), logits)
        if self.parameters.temperature == 0:
            return logits.argmax()
        tokens, weights = candidates(logits, self.parameters)
        return tokens[pick(weights, min(self._random.random(), BELOW_ONE))]

    def _mark(self, tokens: Sequence[int]) -> None:
        marked = [token for token in tokens if token not in self._spared]
        if self._seen is not None and marked:
            self._seen[torch.tensor(marked, device=self._seen.device)] = True


def penalise(logits: Tensor, penalty: float) -> Tensor:
    """Make every logit less likely. Source: Keskar et al. 2019, with the sign of the logit."""
    return torch.where(logits > 0, logits / penalty, logits * penalty)


def candidates(logits: Tensor, parameters: SamplingParameters) -> tuple[Tensor, Tensor]:
    """Give the tokens (K,) in ascending order and their probabilities (K,) after all filters.

    Order of the filters as in transformers: temperature, top-k, top-p, typical.
    """
    scores = logits / parameters.temperature
    if parameters.top_k is not None and parameters.top_k < len(scores):
        # Ascending, so that two nearly equal logits that swap places change nothing.
        tokens = scores.topk(parameters.top_k, sorted=False).indices.sort().values
        scores = scores[tokens]
    else:
        tokens = torch.arange(len(scores), device=scores.device)
    weights = scores.softmax(0)
    if parameters.top_p is not None and parameters.top_p < 1:
        weights = keep_mass(weights, weights, parameters.top_p)
    if parameters.typical_p is not None and parameters.typical_p < 1:
        weights = keep_mass(weights, -surprise_gap(weights), parameters.typical_p)
    return tokens, weights


def surprise_gap(weights: Tensor) -> Tensor:
    """Give how far each token's surprise is from the expected one (Meister et al. 2022, eq. 8)."""
    surprise = -weights.log()  # (K,), infinite where the weight is 0
    entropy = (weights * surprise).nansum()
    return (surprise - entropy).abs()


def keep_mass(weights: Tensor, merit: Tensor, mass: float) -> Tensor:
    """Zero all weights (K,) but those of highest merit (K,) that together reach `mass`.

    At least one stays. Gives them scaled to sum 1.
    """
    places = merit.topk(min(HEAD, len(merit))).indices
    if len(places) < len(merit) and float(weights[places].sum()) < mass:
        places = merit.argsort(descending=True)
    taken = weights[places]
    before = taken.cumsum(0) - taken
    kept = torch.zeros_like(weights)
    kept[places] = torch.where(before < mass, taken, 0)
    return kept / kept.sum()


def pick(weights: Tensor, position: float) -> Tensor:
    """Give the place in `weights` (K,) at a position in [0, 1) of their sum."""
    ends = weights.cumsum(0)
    place = torch.searchsorted(ends, position * ends[-1], right=True)
    return place.clamp(max=len(weights) - 1)
