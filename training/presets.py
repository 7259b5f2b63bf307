"""Ways to draw answers, by name: the chat's presets and what reports on samples show. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chat_app.inference.sampling import PRESETS, SamplingParameters
from training.config import ConfigError

# Source: reference 9.7; `plain` draws as PPO does.
SAMPLING = PRESETS | {
    "greedy": SamplingParameters(temperature=0, top_k=None, top_p=None, repetition_penalty=1.0),
    "plain": SamplingParameters(temperature=1.0, top_k=None, top_p=None, repetition_penalty=1.0),
    "magic_numbers": SamplingParameters(
        temperature=1.0, top_k=None, top_p=0.242, repetition_penalty=1.0
    ),
    "typical95": SamplingParameters(temperature=1.0, top_k=1000, top_p=0.95, typical_p=0.95),
}


def named(names: Sequence[str], *, max_new_tokens: int) -> dict[str, SamplingParameters]:
    """The parameters of each, in order. Raises ConfigError."""
    for name in names:
        if name not in SAMPLING:
            raise ConfigError(f"presets: {name!r}, expected some of {', '.join(SAMPLING)}")
    return {name: replace(SAMPLING[name], max_new_tokens=max_new_tokens) for name in names}
