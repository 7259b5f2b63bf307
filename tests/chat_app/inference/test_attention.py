"""Each request of a batch looks at its own tokens, which gives what reading it alone gives."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoModelForCausalLM, MistralConfig, MistralForCausalLM
from transformers.generation.continuous_batching.cache import PagedAttentionCache
from transformers.generation.continuous_batching.utils import attn_mask_is_needed

from chat_app.inference import attention

HEADS, GROUPS, SIZE = 6, 2, 8


def states(heads: int, tokens: int) -> torch.Tensor:
    return torch.randn(1, heads, tokens, SIZE)


class Remembered:
    """A cache in which (new, known) tokens of each request are side by side already."""

    def __init__(self, lengths: list[tuple[int, int]]) -> None:
        known = sum(k for _, k in lengths)
        self.key, self.value = states(GROUPS, known), states(GROUPS, known)
        self.ends = torch.tensor([0, *(k for _, k in lengths)]).cumsum(0)

    def update(self, key: Any, value: Any, layer: int, kwargs: dict[str, Any]) -> Any:
        kwargs["cu_seq_lens_k"] = self.ends
        return self.key, self.value


def alone(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The slow way: heads repeated, every weight by its mask."""
    key, value = (x.repeat_interleave(HEADS // GROUPS, dim=1) for x in (key, value))
    new, known = query.shape[2], key.shape[2]
    mask = torch.arange(known)[None] <= torch.arange(known - new, known)[:, None]
    return scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=0.5)


@pytest.mark.parametrize(
    "lengths",
    [
        [(1, 5)],
        [(4, 4)],
        [(3, 9)],
        [(1, 5), (1, 1), (4, 4), (3, 9), (1, 30)],
    ],
)
def test_each_request_gets_what_it_gets_alone(lengths: list[tuple[int, int]]) -> None:
    torch.manual_seed(0)
    cache = Remembered(lengths)
    query = states(HEADS, sum(new for new, _ in lengths))
    ends = torch.tensor([0, *(new for new, _ in lengths)]).cumsum(0)
    layer = torch.nn.Module()
    layer.layer_idx = 0

    out, weights = attention.attend(
        layer, query, query, query, None, cache=cache, cu_seq_lens_q=ends, scaling=0.5
    )

    for i in range(len(lengths)):
        mine = slice(int(ends[i]), int(ends[i + 1]))
        known = slice(int(cache.ends[i]), int(cache.ends[i + 1]))
        expected = alone(query[:, :, mine], cache.key[:, :, known], cache.value[:, :, known])
        assert torch.allclose(out[:, mine], expected.transpose(1, 2), atol=1e-6)
    assert weights is None


def test_model_on_cpu_is_switched_and_needs_no_mask(tiny_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_path, attn_implementation="sdpa")

    attention.use_for(model)

    assert model.config._attn_implementation == attention.NAME
    assert not attn_mask_is_needed(model.config)
    assert hasattr(PagedAttentionCache, "update")


def test_model_whose_layers_see_a_window_keeps_the_library_s_way() -> None:
    config = MistralConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=8,
    )
    model = MistralForCausalLM(config)
    model.set_attn_implementation("sdpa")

    attention.use_for(model)

    assert model.config._attn_implementation == "sdpa"
