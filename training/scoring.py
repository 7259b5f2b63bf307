"""How held-out examples are put to a model: tokens of an answer, its reward, its loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from training import chat_template

IGNORED = -100  # the label of tokens that are not learned
Turns = Sequence[dict[str, str]]


def encode(
    tokenizer: PreTrainedTokenizerBase, prompt: Turns, answer: str, *, max_length: int
) -> list[int]:
    """The tokens that a reward model reads: as generated, so they end with the end of the answer.

    Where they are too many the oldest tokens of the prompt go, then the last of the answer.
    """
    asked, answered = parts(tokenizer, prompt, answer, max_length=max_length)
    return asked + answered


def parts(
    tokenizer: PreTrainedTokenizerBase, prompt: Turns, answer: str, *, max_length: int
) -> tuple[list[int], list[int]]:
    """What `encode` gives, parted where the answer begins."""
    asked = chat_template.tokens(tokenizer, prompt, is_open=True)
    whole = chat_template.tokens(tokenizer, [*prompt, {"role": "assistant", "content": answer}])
    if whole[: len(asked)] != asked:  # a template that writes the last turn in another way
        asked = asked[: _common(asked, whole)]
    answered = until_end(whole[len(asked) :], chat_template.end_of_turn(tokenizer))
    room = max(max_length - len(answered), max_length // 4)
    asked = asked[-room:]
    return asked, answered[: max_length - len(asked)]


def until_end(ids: list[int], end: int) -> list[int]:
    """Without what a template writes behind the last end of a turn."""
    backwards = ids[::-1]
    return ids[: len(ids) - backwards.index(end)] if end in backwards else ids


@torch.no_grad()
def scores(
    model: Any,
    rows: Sequence[Sequence[int]],
    *,
    batch_size: int,
    compute: torch.dtype | None = None,
) -> list[float]:
    """One reward for each row of tokens, in the order of `rows`. `compute` as in `autocast`."""
    pad = model.config.get_text_config().pad_token_id
    found: list[float] = [0.0] * len(rows)
    model.eval()
    for places in by_length(rows, batch_size):
        ids, mask = padded([rows[i] for i in places], pad)
        ids, mask = ids.to(model.device), mask.to(model.device)
        with autocast(model, compute):
            states = _backbone(model)(input_ids=ids, attention_mask=mask, use_cache=False)
        last = states.last_hidden_state[torch.arange(len(ids)), mask.sum(1) - 1]
        # In float32: rounded to bfloat16, answers that are nearly as good would tie.
        values = torch.nn.functional.linear(last.float(), _plain(model).score.weight.float())[:, 0]
        for place, value in zip(places, values.tolist(), strict=True):
            found[place] = value
    return found


@torch.no_grad()
def losses(
    model: Any,
    rows: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    batch_size: int,
    pad: int,
    compute: torch.dtype | None = None,
) -> list[tuple[float, int]]:
    """(summed loss, number of tokens) of each row `(ids, labels)`, in the order of `rows`."""
    found: list[tuple[float, int]] = [(0.0, 0)] * len(rows)
    model.eval()
    with autocast(model, compute):
        for places in by_length([ids for ids, _ in rows], batch_size):
            ids, mask = padded([rows[i][0] for i in places], pad)
            labels, _ = padded([rows[i][1] for i in places], IGNORED)
            sums, counts = _losses(model, ids, mask, labels)
            for place, total, count in zip(places, sums, counts, strict=True):
                found[place] = (total, count)
    return found


def _losses(model: Any, ids: Tensor, mask: Tensor, labels: Tensor) -> tuple[list[float], list[int]]:
    """Per row of `ids` (B, T); logits are made only where a label asks for them."""
    hidden = _backbone(model)(
        input_ids=ids.to(model.device), attention_mask=mask.to(model.device), use_cache=False
    ).last_hidden_state[:, :-1]
    wanted = labels[:, 1:].to(model.device)
    places = wanted != IGNORED
    logits = model.get_output_embeddings()(hidden[places]).float()
    each = torch.nn.functional.cross_entropy(logits, wanted[places], reduction="none")
    rows = places.nonzero()[:, 0]
    sums = torch.zeros(len(ids), device=each.device).index_add(0, rows, each)
    return sums.tolist(), places.sum(1).tolist()


def _backbone(model: Any) -> Callable[..., Any]:
    backbone: Callable[..., Any] = _plain(model).base_model
    return backbone


def _plain(model: Any) -> Any:
    """The model itself, into which peft puts its adapters."""
    return model.get_base_model() if hasattr(model, "peft_config") else model


def autocast(model: Any, compute: torch.dtype | None = None) -> AbstractContextManager[Any]:
    """Multiply in `compute`; where none is given, in bfloat16 on CUDA, as loaded on CPUs.

    Heads and adapters are float32 over a bfloat16 base on CUDA; mixing them needs this.
    """
    kind = model.device.type
    wanted = compute or (torch.bfloat16 if kind == "cuda" else torch.float32)
    return nullcontext() if wanted == torch.float32 else torch.autocast(kind, dtype=wanted)


def by_length(rows: Sequence[Sequence[int]], batch_size: int) -> Iterator[list[int]]:
    """Places of rows in batches of like length, so that little is spent on padding."""
    order = sorted(range(len(rows)), key=lambda place: -len(rows[place]))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """(B, T) of `rows` filled up on the right, and the mask that is 1 where a row is."""
    length = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[pad] * (length - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return ids, mask


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(b))
