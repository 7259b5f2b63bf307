"""Draws answers of the policy and computes what PPO needs to know about each of their tokens.

Chance is a matrix of uniform numbers, one per answer and token, drawn beforehand from the seed of
the rollout: which answer is drawn depends neither on the batch it falls into nor on what was
generated before, so a resumed run and one on several processes draw the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from training import packing, ppo_math, scoring
from training.adapters import SharedBase
from training.config import RolloutConfig

Ids = list[int]


class Interrupted(Exception):
    """The wish to stop came while answers were drawn; nothing of them is kept."""


class NotFinite(ArithmeticError):
    """Logits, loss or gradient are no numbers; `answers` are the ones that did it, if known."""

    def __init__(self, what: str, answers: Sequence[int] = ()) -> None:
        super().__init__(what)
        self.answers = list(answers)


@dataclass(frozen=True)
class Answers:
    """Drawn answers; `responses` hold the end token where one was drawn."""

    prompts: list[Ids]
    responses: list[Ids]
    ended: list[bool]

    def __len__(self) -> int:
        return len(self.responses)

    @property
    def tokens(self) -> int:
        return sum(len(response) for response in self.responses)

    def mask(self, device: torch.device) -> Tensor:
        lengths = torch.tensor([len(response) for response in self.responses], device=device)
        return ppo_math.response_mask(lengths, int(lengths.max()))


@dataclass(frozen=True)
class Batch:
    """Some answers with their prompts, padded on the right; M tokens of answers in all.

    Token m is predicted at `(rows[m], columns[m])` of `ids` (B, L), and it is number `steps[m]`
    of answer `answers[m]` of the rollout. `mask` and `positions` as in packing.Packed.
    """

    ids: Tensor
    rows: Tensor
    columns: Tensor
    tokens: Tensor
    answers: Tensor
    steps: Tensor
    mask: Tensor | None = None
    positions: Tensor | None = None


def uniforms(count: int, width: int, *, seed: int) -> Tensor:
    """`(count, width)` numbers in [0, 1); the first rows are the same whatever `count` is."""
    return torch.rand(count, width, generator=torch.Generator().manual_seed(seed))


def draw(
    base: SharedBase,
    prompts: Sequence[Ids],
    config: RolloutConfig,
    *,
    chance: Tensor,
    ends: set[int],
    stop: Callable[[], bool],
) -> Answers:
    """An answer of the policy to each prompt; row i of `chance` decides answer i.

    Raises Interrupted within one token of `stop()` becoming true, and NotFinite.
    """
    responses: list[Ids] = [[] for _ in prompts]
    with base.still(), base.using("policy"), scoring.autocast(base.causal):
        for some in scoring.by_length(prompts, config.batch_size):
            drawn = _draw_batch(
                base, [prompts[i] for i in some], config, chance=chance[some], ends=ends, stop=stop
            )
            for index, response in zip(some, drawn, strict=True):
                responses[index] = response
    ended = [bool(response) and response[-1] in ends for response in responses]
    return Answers([list(prompt) for prompt in prompts], responses, ended)


def batches(base: SharedBase, answers: Answers, some: Sequence[int], size: int) -> Iterator[Batch]:
    """The answers numbered `some`, `size` at a time, those to one prompt in one row if can be."""
    prompts, responses = ([rows[i] for i in some] for rows in (answers.prompts, answers.responses))
    share = has_repeats(prompts) and base.can_share
    for group in packing.groups(prompts, responses, size, share=share):
        yield batch(answers, [some[at] for at in group], base.device, share=share)


def batch(
    answers: Answers, some: Sequence[int], device: torch.device, *, share: bool = False
) -> Batch:
    """The answers numbered `some`. The last token of each predicts nothing and is left out."""
    prompts = [answers.prompts[i] for i in some]
    read = [answers.responses[i][:-1] for i in some]
    packed = packing.pack(prompts, read, share=share, device=device)
    places: list[tuple[int, int, int, int, int]] = []
    for index, row, start in zip(some, packed.rows, packed.starts, strict=True):
        before = len(answers.prompts[index]) - 1
        places += [
            (row, start + step - 1 if step else before, token, index, step)
            for step, token in enumerate(answers.responses[index])
        ]
    rows, columns, tokens, numbers, steps = torch.tensor(places, device=device).unbind(dim=1)
    return Batch(packed.ids, rows, columns, tokens, numbers, steps, packed.mask, packed.positions)


def shuffled(prompts: Sequence[Ids], chance: torch.Generator) -> list[int]:
    """The numbers of all answers by chance; those to one prompt, which is read once, together."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for number, prompt in enumerate(prompts):
        alike.setdefault(tuple(prompt), []).append(number)
    some = list(alike.values())
    return [i for at in torch.randperm(len(some), generator=chance).tolist() for i in some[at]]


def has_repeats(prompts: Sequence[Ids]) -> bool:
    return len({tuple(prompt) for prompt in prompts}) < len(prompts)


def states(base: SharedBase, some: Batch) -> Tensor:
    """Hidden states where each token is predicted, `(M, H)`, under the role in use."""
    return base.states(some.ids, some.rows, some.columns, mask=some.mask, positions=some.positions)


def distributions(base: SharedBase, some: Batch, *, temperature: float) -> Tensor:
    """Log-probabilities of all tokens at each place, `(M, V)`, under the role in use."""
    logits = base.logits(states(base, some))
    return torch.log_softmax(logits / temperature, dim=-1)


def log_probs(base: SharedBase, some: Batch, *, temperature: float) -> Tensor:
    """Of the tokens that were drawn, `(M,)`, under the role in use."""
    return of_drawn(distributions(base, some, temperature=temperature), some)


def of_drawn(distributions: Tensor, some: Batch) -> Tensor:
    return distributions.gather(1, some.tokens[:, None]).squeeze(1)


def values(base: SharedBase, some: Batch) -> Tensor:
    """The value before each token is drawn, `(M,)`. Belongs inside `base.using("value")`."""
    return base.head("value", states(base, some))


@dataclass(frozen=True)
class Measured:
    """What the models say about the tokens of a rollout, `(N, T)` each, 0 behind each answer."""

    mask: Tensor
    log_probs: Tensor
    ref_log_probs: Tensor
    values: Tensor
    entropy: Tensor


def measure(
    base: SharedBase,
    answers: Answers,
    *,
    micro_batch: int,
    temperature: float,
    with_values: bool = True,
) -> Measured:
    mask = answers.mask(base.device)
    found = Measured(mask, *(torch.zeros_like(mask) for _ in range(4)))
    with base.still():
        for some in batches(base, answers, range(len(answers)), micro_batch):
            at = (some.answers, some.steps)
            with base.using("policy"):
                all_tokens = distributions(base, some, temperature=temperature)
                found.log_probs[at] = of_drawn(all_tokens, some)
                found.entropy[at] = ppo_math.entropy(all_tokens)
            with base.using("ref"):
                found.ref_log_probs[at] = log_probs(base, some, temperature=temperature)
            if with_values:
                with base.using("value"):
                    found.values[at] = values(base, some)
    return found


def pick(logits: Tensor, chance: Tensor, config: RolloutConfig) -> Tensor:
    """One token per row: logits `(B, V)`, uniform numbers `(B,)`, tokens `(B,)`.

    By inversion: the first token at which the summed probability passes the uniform number.
    """
    logits = logits.float() / config.temperature
    if config.top_k:
        floor = logits.topk(min(config.top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < floor, -torch.inf)
    probs = torch.softmax(logits, dim=-1, dtype=torch.float64)
    if config.top_p < 1:
        ordered, places = probs.sort(dim=-1, descending=True)
        ordered[ordered.cumsum(dim=-1) - ordered >= config.top_p] = 0
        probs = torch.zeros_like(probs).scatter(1, places, ordered)
    summed = probs.cumsum(dim=-1)
    wanted = chance.to(summed)[:, None] * summed[:, -1:]
    return torch.searchsorted(summed, wanted, right=True).squeeze(1)


def _draw_batch(
    base: SharedBase,
    prompts: list[Ids],
    config: RolloutConfig,
    *,
    chance: Tensor,
    ends: set[int],
    stop: Callable[[], bool],
) -> list[Ids]:
    """Each prompt is read once, however often it is answered; rows that have ended leave the batch
    and its cache, so that nothing is spent on them."""
    device = base.device
    responses: list[Ids] = [[] for _ in prompts]
    distinct = list(dict.fromkeys(map(tuple, prompts)))
    place_of = {prompt: place for place, prompt in enumerate(distinct)}
    places = torch.tensor([place_of[tuple(prompt)] for prompt in prompts], device=device)
    ids, mask = _pad_left(distinct, device)
    chance, going = chance.to(device), torch.arange(len(prompts), device=device)
    cache = DynamicCache(config=base.causal.config)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    last = torch.tensor(sorted(ends), device=device)
    for step in range(config.max_new_tokens):
        if stop():
            raise Interrupted
        logits = base.causal(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        if step == 0 and len(distinct) < len(prompts):
            cache.batch_select_indices(places)
            logits, mask, positions = (t[places] for t in (logits, mask, positions))
        if not torch.isfinite(logits).all():
            raise NotFinite("what the policy says of the next token is no number")
        tokens = pick(logits, chance[going, step], config)
        for row, token in zip(going.tolist(), tokens.tolist(), strict=True):
            responses[row].append(token)
        goes_on = ~torch.isin(tokens, last)
        if not goes_on.any():
            break
        if not goes_on.all():
            kept = goes_on.nonzero().squeeze(1)
            cache.batch_select_indices(kept)
            tokens, mask, positions, going = (t[kept] for t in (tokens, mask, positions, going))
        ids, positions = tokens[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    return responses


def _pad_left(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
