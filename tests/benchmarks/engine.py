"""Speed of the engine beside plain `generate`: same model, same process, rounds interleaved.

On a machine that others use, `cpu_ratio` says more than `ratio`: it compares processor time.
"""

import asyncio
import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from chat_app.inference.engine import TransformersEngine
from chat_app.inference.loading import Quantization, use_threads
from chat_app.inference.requests import Delta, EngineRequest, Turn
from chat_app.inference.sampling import PRESETS, SamplingParameters

ROOT = Path(__file__).resolve().parents[2]
RUNNING = 8  # while a newcomer arrives
NEWCOMER_WORDS = 150
NEWCOMER_SAMPLES = 3  # in each round

Say = Callable[..., None]


def measure(
    *,
    model: str = "",
    quantization: Quantization = "none",
    device: str = "auto",
    batches: tuple[int, ...] = (1, 4, 8, 16),
    rounds: int = 7,
    tokens: int = 128,
    say: Say,
) -> dict[str, Any]:
    """Give the figures of design.md 10: medians over the rounds."""
    path = Path(model or Path(os.environ.get("MODELS_DIR") or ROOT / "var/models") / "smollm2-135m")
    if not path.is_dir():
        raise SystemExit(f"{path} is not there: manage.py fetch_model smollm2-135m")
    # The last row is the newcomer's.
    rows = max(*batches, RUNNING + 1)
    engine = TransformersEngine(
        path, quantization=quantization, device=device, max_batch=rows, max_context=1024
    )
    return asyncio.run(Bench(engine, tokens=tokens, say=say).run(batches, rounds))


class Watch:
    """Time that passed since it was made, and time that this process computed."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self.wall_s = self.cpu_s = 0.0

    def stop(self) -> "Watch":
        self.wall_s = time.perf_counter() - self._wall
        self.cpu_s = time.process_time() - self._cpu
        return self


class Bench:
    """One engine, and prompts that were never asked before: the engine knows those it has read."""

    def __init__(self, engine: TransformersEngine, *, tokens: int, say: Say) -> None:
        self._engine = engine
        self._tokens = tokens
        self._say = say
        self._prompts = _prompts()
        self._greedy = SamplingParameters(
            temperature=0, repetition_penalty=1, max_new_tokens=tokens
        )

    async def run(self, batches: tuple[int, ...], rounds: int) -> dict[str, Any]:
        threads = use_threads()
        await self._engine.start()
        voice = self._engine.voices[""]
        # Every answer is as long as it may be.
        self._engine.voices[""] = replace(voice, end_tokens=frozenset())
        speeds: dict[int, list[dict[str, float]]] = {batch: [] for batch in batches}
        arrivals: list[dict[str, float]] = []
        await self._warm_up()
        for number in range(rounds):
            for batch in batches:
                speeds[batch].append(await self._round(batch, engine_first=number % 2 == 0))
                self._say(f"round {number + 1}, batch {batch}:", _rounded(speeds[batch][-1]))
            arrivals += [await self._arrival() for _ in range(NEWCOMER_SAMPLES)]
            self._say(f"round {number + 1}, newcomer:", _rounded(arrivals[-1]))
        info = self._engine.info
        figures = {
            "device": info.device,
            "dtype": info.dtype,
            "threads": threads,
            "model": info.model,
            "quantization": info.quantization,
            "rounds": rounds,
            "tokens": self._tokens,
            "batches": {str(batch): _medians(speeds[batch]) for batch in batches},
            **_medians(arrivals),
            "rss_mib": round(psutil.Process().memory_info().rss / 2**20),
        }
        await self._engine.stop()
        return figures

    async def _warm_up(self) -> None:
        await self._answer(self._greedy)
        self._generate(1)

    async def _round(self, batch: int, *, engine_first: bool) -> dict[str, float]:
        """Give tokens/s of the engine, greedy and with the default preset, and of `generate`."""
        preset = SamplingParameters.from_dict(
            {**PRESETS["k50"].to_dict(), "max_new_tokens": self._tokens}
        )
        if engine_first:
            engine, plain = await self._speed(batch, self._greedy), self._generate(batch)
        else:
            plain, engine = self._generate(batch), await self._speed(batch, self._greedy)
        sampled = await self._speed(batch, preset)
        tokens = batch * self._tokens
        return {
            "tokens_per_s": tokens / engine.wall_s,
            "generate_tokens_per_s": tokens / plain.wall_s,
            "ratio": plain.wall_s / engine.wall_s,
            "cpu_ratio": plain.cpu_s / engine.cpu_s,
            "sampled_tokens_per_s": tokens / sampled.wall_s,
        }

    async def _speed(self, batch: int, parameters: SamplingParameters) -> "Watch":
        watch = Watch()
        await asyncio.gather(*(self._answer(parameters) for _ in range(batch)))
        return watch.stop()

    def _generate(self, batch: int) -> "Watch":
        from transformers import GenerationConfig

        reader, model = self._engine.voices[""].reader, self._engine._model
        tokenizer = reader._tokenizer
        tokenizer.padding_side = "left"
        texts = [reader.render([next(self._prompts)]) for _ in range(batch)]
        ours = model.config._attn_implementation
        model.set_attn_implementation("sdpa")
        watch = Watch()
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        config = GenerationConfig(
            do_sample=False, max_new_tokens=self._tokens, pad_token_id=tokenizer.pad_token_id
        )
        answer = model.generate(**inputs.to(model.device), generation_config=config)
        watch.stop()
        model.set_attn_implementation(ours)
        assert answer.shape[1] == inputs["input_ids"].shape[1] + self._tokens
        return watch

    async def _answer(self, parameters: SamplingParameters) -> None:
        async for _ in self._engine.generate(
            EngineRequest("bench", [next(self._prompts)], parameters)
        ):
            pass

    async def _arrival(self) -> dict[str, float]:
        """Give the time to the first token alone and beside others, and a step of the others."""
        idle_ms = await self._first_token_ms()
        stamps: list[float] = []
        others = [asyncio.create_task(self._stay(stamps)) for _ in range(RUNNING)]
        while len(stamps) < 4 * RUNNING:
            await asyncio.sleep(0.001)
        steps = sorted(set(stamps))
        newcomer_ms = await self._first_token_ms()
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # Ends by itself, so that no step runs any more when `generate` takes the model.
        await self._answer(replace(self._greedy, max_new_tokens=1))
        gaps = [later - earlier for earlier, later in itertools.pairwise(steps)]
        step_ms = 1000 * statistics.median(gap for gap in gaps if gap > 1e-3)
        return {
            "newcomer_ttft_ms": newcomer_ms,
            "idle_prefill_ms": idle_ms,
            "step_ms": step_ms,
            "newcomer_ratio": newcomer_ms / (2 * idle_ms + step_ms),
        }

    async def _stay(self, stamps: list[float]) -> None:
        parameters = SamplingParameters(temperature=0, repetition_penalty=1, max_new_tokens=400)
        request = EngineRequest("stays", [next(self._prompts)], parameters)
        async for event in self._engine.generate(request):
            if isinstance(event, Delta):
                stamps.append(time.perf_counter())

    async def _first_token_ms(self) -> float:
        turn = Turn("user", " ".join([next(self._prompts).content] * (NEWCOMER_WORDS // 15)))
        begin = time.perf_counter()
        events = self._engine.generate(EngineRequest("newcomer", [turn], self._greedy))
        async for event in events:
            if isinstance(event, Delta):
                break
        duration_ms = 1000 * (time.perf_counter() - begin)
        await events.aclose()
        return duration_ms


def _prompts() -> Iterator[Turn]:
    number = 0
    while True:
        number += 1
        yield Turn(
            "user", f"{number} friends meet. Tell me a long story about the day of number {number}."
        )


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return _rounded({name: statistics.median(row[name] for row in rows) for name in rows[0]})


def _rounded(row: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3 if "ratio" in name else 1) for name, value in row.items()}
