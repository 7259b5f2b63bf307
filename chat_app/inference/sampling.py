"""How the next token is drawn: parameters, their limits, and the presets on offer. Pure."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_STOP_STRINGS = 8
MAX_STOP_CHARS = 64
MAX_SEED = 2**63 - 1
# What no answer holds and no database keeps: NUL and lone surrogates.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# (least, most) of each number a person may set; both are allowed themselves.
LIMITS: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.01, 1.0),
    "typical_p": (0.01, 1.0),
    "top_k": (1, 5000),
    "repetition_penalty": (1.0, 3.0),
    "max_new_tokens": (1, 8192),
    "seed": (0, MAX_SEED),
}
_WHOLE_NUMBERS = {"top_k", "max_new_tokens", "seed"}
_OPTIONAL = {"top_k", "top_p", "typical_p", "seed"}


class InvalidParameters(ValueError):
    """A sampling parameter is unknown or out of range; the text names it and what is allowed."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(f"{name}: {problem}")


@dataclass(frozen=True)
class SamplingParameters:
    """One request's parameters. None switches a filter off; temperature 0 is greedy.

    The repetition penalty divides positive and multiplies negative logits of every token that the
    prompt or the answer holds (Keskar et al. 2019). `typical_p`: Meister et al. 2022.
    """

    temperature: float = 0.75
    top_k: int | None = 50
    top_p: float | None = 0.95
    typical_p: float | None = None
    repetition_penalty: float = 1.2
    max_new_tokens: int = 1024
    stop: tuple[str, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in LIMITS:
            _check_number(name, getattr(self, name))
        _check_stop(self.stop)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SamplingParameters:
        """Read stored or posted values. Raises InvalidParameters for an unknown or bad one."""
        known = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise InvalidParameters(
                    str(name), f"is unknown; expected {', '.join(sorted(known))}"
                )
        stop = values.get("stop", ())
        if isinstance(stop, str) or not isinstance(stop, list | tuple):
            raise InvalidParameters("stop", "expected a list of texts")
        return cls(**{**values, "stop": tuple(stop)})

    def to_dict(self) -> dict[str, Any]:
        """Give plain values that JSON can hold and `from_dict` reads back."""
        return {**dataclasses.asdict(self), "stop": list(self.stop)}


def _check_number(name: str, value: Any) -> None:
    if value is None and name in _OPTIONAL:
        return
    least, most = LIMITS[name]
    kinds = (int,) if name in _WHOLE_NUMBERS else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
        word = "a whole number" if name in _WHOLE_NUMBERS else "a number"
        raise InvalidParameters(name, f"expected {word}")
    if not least <= value <= most:
        raise InvalidParameters(name, f"expected {least:g} to {most:g}")


def _check_stop(stop: tuple[str, ...]) -> None:
    if len(stop) > MAX_STOP_STRINGS:
        raise InvalidParameters("stop", f"expected at most {MAX_STOP_STRINGS} texts")
    for text in stop:
        if not isinstance(text, str) or not 1 <= len(text) <= MAX_STOP_CHARS:
            raise InvalidParameters("stop", f"expected texts of 1 to {MAX_STOP_CHARS} characters")
        if _UNSTORABLE.search(text):
            raise InvalidParameters("stop", "expected texts without null or half characters")


def _preset(
    *,
    temperature: float,
    top_k: int | None = None,
    top_p: float | None = None,
    typical_p: float | None = None,
    repetition_penalty: float = 1.2,
) -> SamplingParameters:
    return SamplingParameters(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        typical_p=typical_p,
        repetition_penalty=repetition_penalty,
    )


DEFAULT_PRESET = "k50"
# Values: the original's presets (its list for every model).
PRESETS: dict[str, SamplingParameters] = {
    "k50": _preset(top_k=50, top_p=0.95, temperature=0.75),
    "k50-Creative": _preset(top_k=50, top_p=0.95, temperature=0.85),
    "k50-Precise": _preset(top_k=50, top_p=0.95, temperature=0.1),
    "k50-Original": _preset(top_k=50, top_p=0.95, temperature=0.9),
    "nucleus9": _preset(top_p=0.9, temperature=0.8),
    "typical2": _preset(typical_p=0.2, temperature=0.8),
    "typical3": _preset(typical_p=0.3, temperature=0.8),
}
