"""Several answers to one prompt in one row, so that the prompt is read once for all of them. Pure.

Each answer sees the prompt and itself, at the positions it has alone: what a model says of it stays
the same but for rounding. Not where layers see a window or carry a state (`SharedBase.can_share`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training import scoring

Ids = list[int]


@dataclass(frozen=True)
class Packed:
    """`ids` (B, L), padded on the right; token j of answer i is at `(rows[i], starts[i] + j)`.

    `mask` (B, 1, L, L) is true where a token sees another, `positions` (B, L). Both are None where
    each answer has a row to itself: a causal mask then says the same.
    """

    ids: Tensor
    rows: list[int]
    starts: list[int]
    mask: Tensor | None = None
    positions: Tensor | None = None


def pack(
    prompts: Sequence[Ids],
    answers: Sequence[Ids],
    *,
    share: bool,
    device: torch.device | str = "cpu",
) -> Packed:
    """Answer i behind prompt i; with `share` those to the same prompt in one row."""
    rows: list[Ids] = []
    parts: list[list[int]] = []  # of each token of a row: 0 of the prompt, n of its nth answer
    positions: list[list[int]] = []
    row_of: dict[tuple[int, ...], int] = {}
    places, starts = [], []
    for prompt, answer in zip(prompts, answers, strict=True):
        row = row_of.get(tuple(prompt)) if share else None
        if row is None:
            row = row_of[tuple(prompt)] = len(rows)
            rows.append(list(prompt))
            parts.append([0] * len(prompt))
            positions.append(list(range(len(prompt))))
        places.append(row)
        starts.append(len(rows[row]))
        rows[row] += answer
        parts[row] += [places.count(row)] * len(answer)
        positions[row] += range(len(prompt), len(prompt) + len(answer))
    ids = _padded(rows, 0).to(device)
    if len(rows) == len(places):
        return Packed(ids, places, starts)
    mask = _mask(_padded(parts, -1).to(device))
    return Packed(ids, places, starts, mask, _padded(positions, 0).to(device))


def groups(
    prompts: Sequence[Ids], answers: Sequence[Ids], size: int, *, share: bool
) -> Iterator[list[int]]:
    """The places of `size` answers at a time, of about one length; with `share` those to one
    prompt beside each other."""
    if not share:
        rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
        yield from scoring.by_length(rows, size)
        return
    alike: dict[tuple[int, ...], list[int]] = {}
    for place, prompt in enumerate(prompts):
        alike.setdefault(tuple(prompt), []).append(place)
    width = {key: len(key) + sum(len(answers[i]) for i in some) for key, some in alike.items()}
    order = [place for key in sorted(alike, key=lambda key: -width[key]) for place in alike[key]]
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _mask(parts: Tensor) -> Tensor:
    """Who sees whom, (B, 1, L, L), from the parts (B, L) of each row, -1 behind its end."""
    length = parts.shape[1]
    before = torch.ones(length, length, dtype=torch.bool).tril()
    is_same = parts[:, :, None] == parts[:, None, :]
    return (before & (is_same | (parts == 0)[:, None, :]))[:, None]


def _padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    return scoring.padded(rows, fill)[0]
