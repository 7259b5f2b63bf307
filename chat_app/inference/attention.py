"""Attention for a batch on CPU: each request looks at its own tokens only.

The library's way reads all requests as one sequence and masks what does not belong together. Its
cost grows with the square of the batch: with eight chats of 1 400 tokens a step took ten times as
long. Registered under a name of its own; everything else in the process stays as it is.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.generation.continuous_batching.cache import PagedAttentionCache

NAME = "each_request_alone"


def use_for(model: Any) -> None:
    """Switch a model to it, if it runs on CPU and all its layers see the whole context.

    To be called once the model's batch is there, which refuses names that it does not know.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    windowed = getattr(config, "sliding_window", None) is not None
    if model.device.type == "cpu" and kinds == {"full_attention"} and not windowed:
        AttentionInterface.register(NAME, attend)
        model.set_attn_implementation(NAME)


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    *,
    cache: PagedAttentionCache,
    cu_seq_lens_q: Tensor,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend for Q new tokens of several requests, side by side in one sequence.

    `query` (1, H, Q, D), `key` and `value` (1, KV, Q, D); they are put into the cache, which
    gives those of all K tokens so far. Gives (1, Q, H, D).
    """
    key, value = cache.update(key, value, module.layer_idx, kwargs)
    ends_q = cu_seq_lens_q.tolist()
    ends_k = kwargs["cu_seq_lens_k"].tolist()
    answers = [
        _attend_one(
            query[:, :, ends_q[i] : ends_q[i + 1]],
            key[:, :, ends_k[i] : ends_k[i + 1]],
            value[:, :, ends_k[i] : ends_k[i + 1]],
            scaling,
        )
        for i in range(len(ends_q) - 1)
    ]
    return torch.cat(answers, dim=2).transpose(1, 2).contiguous(), None


def _attend_one(query: Tensor, key: Tensor, value: Tensor, scaling: float | None) -> Tensor:
    """Attend for the last Q of K tokens of one request. Gives (1, H, Q, D)."""
    heads, new, size = query.shape[1:]
    groups, known = key.shape[1:3]
    if new == 1:  # the heads of a group are as good as so many tokens
        packed = query.view(1, groups, heads // groups, size)
        answer = scaled_dot_product_attention(packed, key, value, scale=scaling)
        return answer.view(1, heads, 1, size)
    mask = None
    if known > new:  # the rest of a prompt whose beginning was read before
        mask = torch.ones(new, known, dtype=torch.bool).tril(known - new)
    return scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=mask is None,
        scale=scaling,
        enable_gqa=heads != groups,
    )
