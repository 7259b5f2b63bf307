"""Two models of one base: as adapters in one engine, and merged, each with an engine of its own.

Every arrangement is a process of its own, so that memory is what it takes and nothing before it.
"""

import asyncio
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from chat_app.inference.engine import TransformersEngine
from chat_app.inference.loading import Quantization
from chat_app.inference.requests import EngineRequest, Turn
from chat_app.inference.sampling import SamplingParameters
from tests.chat_app.inference.adapting import adapted

ROOT = Path(__file__).resolve().parents[2]
BATCH = 4  # requests at once, every second one of the other model
RANK = 16
ARRANGEMENTS = ("nothing", "merged once", "merged twice", "adapters")

Say = Callable[..., None]


def measure(
    *, model: str, quantization: Quantization, rounds: int, tokens: int, say: Say
) -> dict[str, Any]:
    """Resident memory in MiB and tokens per second of each arrangement, medians of the rounds."""
    base = Path(model or Path(os.environ.get("MODELS_DIR") or ROOT / "var/models") / "smollm2-135m")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        made = {n: adapted(base, Path(folder) / n, seed=i, r=RANK) for i, n in enumerate("ab")}
        for name in ARRANGEMENTS:
            with multiprocessing.get_context("spawn").Pool(1) as alone:
                found[name] = alone.apply(_run, (name, base, made, quantization, rounds, tokens))
            say(name, found[name])
    floor = found["nothing"]["rss_mib"]
    twice, shared = (found[name]["rss_mib"] - floor for name in ("merged twice", "adapters"))
    return {
        "quantization": quantization,
        "arrangements": found,
        "memory_ratio": round(shared / twice, 3),
        "speed_ratio": round(found["adapters"]["mixed"] / found["merged once"]["mixed"], 3),
    }


def _run(
    name: str,
    base: Path,
    made: Mapping[str, Path],
    quantization: Quantization,
    rounds: int,
    tokens: int,
) -> dict[str, float]:
    how: dict[str, Any] = {"quantization": quantization, "max_batch": BATCH, "max_context": 512}
    engines = {
        "nothing": [],
        "merged once": [TransformersEngine(made["a"], **how)],
        "merged twice": [TransformersEngine(path, **how) for path in made.values()],
        "adapters": [TransformersEngine(base, adapters=made, **how)],
    }[name]
    return asyncio.run(_answer(engines, name == "adapters", rounds, tokens))


async def _answer(
    engines: list[TransformersEngine], is_shared: bool, rounds: int, tokens: int
) -> dict[str, float]:
    for engine in engines:
        await engine.start()
    speeds: dict[str, list[float]] = {"mixed": [], "single": []}
    for number in range(rounds if engines else 0):
        for kind, found in speeds.items():
            names = ["a", "b" if kind == "mixed" else "a"] * (BATCH // 2)
            begin = time.perf_counter()
            counts = await asyncio.gather(
                *(
                    _ask(engines[place % len(engines)], f"{number} {kind} {place}", tokens,
                         name if is_shared else "")
                    for place, name in enumerate(names)
                )
            )  # fmt: skip
            found.append(sum(counts) / (time.perf_counter() - begin))
    rss = psutil.Process().memory_info().rss / 2**20
    for engine in engines:
        await engine.stop()
    medians = {kind: round(statistics.median(found), 1) for kind, found in speeds.items() if found}
    return {"rss_mib": round(rss)} | medians


async def _ask(engine: TransformersEngine, about: str, tokens: int, adapter: str) -> int:
    parameters = SamplingParameters(temperature=0, repetition_penalty=1, max_new_tokens=tokens)
    turn = Turn("user", f"Tell me a long story about number {about}.")
    events = [
        event
        async for event in engine.generate(
            EngineRequest("bench", [turn], parameters, adapter=adapter)
        )
    ]
    return int(events[-1].completion_tokens)  # type: ignore[union-attr]
