"""Short ways to ask an engine in a test and to read what came back."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from chat_app.inference.requests import Delta, Engine, EngineRequest, Event, Finished, Turn
from chat_app.inference.sampling import SamplingParameters

GREEDY = {"temperature": 0.0, "repetition_penalty": 1.0}


def request(prompt: str, **parameters: Any) -> EngineRequest:
    return EngineRequest("1", [Turn("user", prompt)], SamplingParameters(**parameters))


async def collect(events: AsyncGenerator[Event, None]) -> list[Event]:
    return [event async for event in events]


def ask(engine: Engine, *requests: EngineRequest) -> list[list[Event]]:
    """Start the engine, ask all at once, stop it."""

    async def run() -> list[list[Event]]:
        await engine.start()
        try:
            return await asyncio.gather(*(collect(engine.generate(each)) for each in requests))
        finally:
            await engine.stop()

    return asyncio.run(run())


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def end_of(events: Sequence[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]
