"""What an engine takes and gives: the one contract between workers and any kind of engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from chat_app.inference.sampling import SamplingParameters

FinishReason = Literal["stop", "length"]


class EngineError(Exception):
    """Generation did not work; trying the same request again may."""


class RequestTooLarge(EngineError):
    """The request can never fit this engine. The text is safe to show and says what to shorten."""


@dataclass(frozen=True)
class Turn:
    """One turn of the conversation, in the words that chat templates use."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class EngineRequest:
    """One answer to write. With `continues`, the last turn is an assistant's, to be carried on.

    `adapter` is the one to write it with, of an engine that has several; "" for the model itself.
    """

    id: str
    turns: Sequence[Turn]
    parameters: SamplingParameters = field(default_factory=SamplingParameters)
    continues: bool = False
    adapter: str = ""


@dataclass(frozen=True)
class Started:
    """The request has a row in the batch. `dropped_turns` oldest turns did not fit the context."""

    prompt_tokens: int
    dropped_turns: int = 0


@dataclass(frozen=True)
class Delta:
    """New text, complete UTF-8 characters only, never a part of a stop string. `tokens` made it."""

    text: str
    tokens: int = 1


@dataclass(frozen=True)
class ToolStep:
    """A step of a tool on the way to the answer. No engine makes one yet."""

    name: str
    input: str
    output: str


@dataclass(frozen=True)
class Finished:
    """The end: why, and how many tokens were read and written."""

    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int


Event = Started | Delta | ToolStep | Finished


@dataclass(frozen=True)
class EngineInfo:
    """What a worker says of its engine."""

    model: str
    quantization: str
    device: str
    dtype: str
    max_batch: int
    max_context: int
    adapters: tuple[str, ...] = ()  # those it can write with


class Engine(Protocol):
    """Writes many answers at once. Every method is called from one running event loop."""

    @property
    def info(self) -> EngineInfo: ...

    async def start(self) -> None:
        """Load what is needed. Raises EngineError with what to do."""

    def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        """Give Started, Deltas, Finished. Closing the generator frees the row before it returns.

        Waits (before Started) while the batch or its memory is full. Raises RequestTooLarge when
        the request can never fit, EngineError when generation broke.
        """

    def count_tokens(self, turns: Sequence[Turn]) -> int:
        """Tokens of the rendered prompt, the template's own included."""

    async def stop(self) -> None:
        """Free the model; running requests end with EngineError."""
