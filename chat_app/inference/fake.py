"""An engine without a model, for development and tests: says back what it was told, word by word.

A prompt may give it orders, so that tests of whole processes can steer it: `!fail` and `!hang` end
the answer so, `!long 500` asks for 500 words, `!say …` for these very words.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from chat_app.inference.context import Fit, fit
from chat_app.inference.requests import (
    Delta,
    EngineError,
    EngineInfo,
    EngineRequest,
    Event,
    Finished,
    FinishReason,
    Started,
    Turn,
)
from chat_app.inference.stopping import StopText


@dataclass(frozen=True)
class Fail:
    """A step at which generation breaks."""

    error: EngineError


@dataclass(frozen=True)
class Hang:
    """A step that never comes to its end."""


Step = str | Fail | Hang
Script = Callable[[EngineRequest], Iterable[Step]]

_TOKEN = re.compile(r"\s*\S+|\s+")
_ORDER = re.compile(r"!(fail|hang|long|say)\b[ \t]*(.*)", re.DOTALL)


def follow_orders(request: EngineRequest) -> Iterator[Step]:
    """Answer the last prompt: carry out the order in it, else repeat it."""
    prompt = next((turn.content for turn in reversed(request.turns) if turn.role == "user"), "")
    order = _ORDER.search(prompt)
    kind, rest = order.groups() if order else ("", "")
    if kind == "long":
        yield from (f"{'' if number == 1 else ' '}{number}" for number in range(1, int(rest) + 1))
    elif kind == "say":
        yield from split(rest)
    else:
        yield from split(f"You said: {prompt}")
    if kind == "fail":
        yield Fail(EngineError("The model broke, as it was told."))
    elif kind == "hang":
        yield Hang()


def split(text: str) -> list[str]:
    """Cut a text into what counts as tokens here; joined, they are the text again."""
    return _TOKEN.findall(text)


class FakeEngine:
    """Gives the steps of its script at a fixed rate to each request of the batch."""

    def __init__(
        self,
        *,
        tokens_per_s: float = 50,
        max_batch: int = 8,
        max_context: int = 8192,
        script: Script = follow_orders,
    ) -> None:
        """Take the rate of each row (0: as fast as can be) and what to answer."""
        self._pause_s = 1 / tokens_per_s if tokens_per_s else 0
        self._script = script
        self._rows = asyncio.Semaphore(max_batch)
        self._is_stopped = False
        self.running = 0  # rows of the batch that are taken
        self.info = EngineInfo("fake", "none", "cpu", "none", max_batch, max_context)

    async def start(self) -> None:
        self._is_stopped = False

    async def stop(self) -> None:
        self._is_stopped = True

    def count_tokens(self, turns: Sequence[Turn]) -> int:
        return sum(1 + len(split(turn.content)) for turn in turns)

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        fitting = fit(request, max_context=self.info.max_context, count=self.count_tokens)
        async with self._rows:
            self.running += 1
            try:
                yield Started(fitting.prompt_tokens, fitting.dropped_turns)
                async for event in self._answer(request, fitting):
                    yield event
            finally:
                self.running -= 1

    async def _answer(self, request: EngineRequest, fitting: Fit) -> AsyncGenerator[Event, None]:
        stop, tokens = StopText(request.parameters.stop), 0
        reason: FinishReason = "stop"
        for step in self._script(request):
            if tokens == fitting.max_new_tokens:
                reason = "length"
                break
            piece = await self._take(step)
            tokens += 1
            if text := stop.push(piece):
                yield Delta(text)
            if stop.is_stopped:
                break
        if text := stop.flush():
            yield Delta(text, tokens=0)
        yield Finished(reason, fitting.prompt_tokens, tokens)

    async def _take(self, step: Step) -> str:
        await asyncio.sleep(self._pause_s)
        if self._is_stopped:
            raise EngineError("The engine was stopped.")
        if isinstance(step, Fail):
            raise step.error
        if isinstance(step, Hang):
            await asyncio.Event().wait()
            raise AssertionError("nobody sets this event")
        return step
