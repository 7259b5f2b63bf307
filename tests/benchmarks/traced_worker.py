"""An inference worker whose engine writes down when it gave which piece of text.

`python -m tests.benchmarks.traced_worker TRACE OPTIONS` (JSON): real worker, real engine.
"""

import json
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import IO, Any

import django

from chat_app.inference.requests import Delta, Engine, EngineInfo, EngineRequest, Event, Turn


class Traced:
    """Passes an engine on; a line per delta: reply, characters so far, the time."""

    def __init__(self, engine: Engine, trace: IO[str]) -> None:
        self._engine, self._trace = engine, trace

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    async def start(self) -> None:
        await self._engine.start()

    async def stop(self) -> None:
        await self._engine.stop()

    def count_tokens(self, turns: Sequence[Turn]) -> int:
        return self._engine.count_tokens(turns)

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        reply, chars = request.id.partition(":")[0], 0
        async with aclosing(self._engine.generate(request)) as events:
            async for event in events:
                if isinstance(event, Delta) and event.text:
                    chars += len(event.text)
                    self._trace.write(f"{reply} {chars} {time.time()}\n")
                yield event


def main(trace: str, options: dict[str, Any]) -> None:
    django.setup()
    from chat_app import catalogue, engines, worker

    served = catalogue.default()
    assert served is not None
    with open(trace, "w", buffering=1024 * 1024) as file:  # noqa: PTH123
        worker.run(
            served,
            engines.Wish(**options),
            drain_s=1,
            build=lambda models, wish: Traced(engines.build(models, wish), file),
        )


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
