"""The engine that runs a model of ours, on CPU or CUDA, many requests in one batch."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch
from transformers.generation.continuous_batching.requests import GenerationOutput

from chat_app.inference import batching, loading, voices
from chat_app.inference.admission import Admission
from chat_app.inference.batching import Batch
from chat_app.inference.context import Fit, fit
from chat_app.inference.drawing import Sampler
from chat_app.inference.fetching import ADAPTER
from chat_app.inference.requests import (
    Delta,
    EngineError,
    EngineInfo,
    EngineRequest,
    Event,
    Finished,
    Started,
    Turn,
)
from chat_app.inference.stopping import Detokenizer, StopText
from chat_app.inference.voices import Voice

if TYPE_CHECKING:
    from chat_app.inference.adapters import Adapters

logger = logging.getLogger(__name__)

DEFAULT_MAX_CONTEXT = 4096
LEAST_CONTEXT = 64
MEMORY_SHARE = 0.5  # of what is free once the model is loaded


class TransformersEngine:
    """Writes answers with transformers' continuous batching."""

    def __init__(
        self,
        path: Path | str,
        *,
        quantization: loading.Quantization = "none",
        device: str = "auto",
        dtype: str = "auto",
        max_batch: int = 8,
        max_context: int | None = None,
        threads: int | None = None,
        adapters: Mapping[str, Path] | None = None,
    ) -> None:
        """Take what `start` shall load. `max_context` in tokens, answer included.

        `adapters` are checkpoint folders by name, over the base at `path`: a request says which
        one writes. They share its weights, the batch and the cache.
        """
        self._path = Path(path)
        self._checkpoints = dict(adapters or {})
        self._load_options = {"quantization": quantization, "device": device, "dtype": dtype}
        self._threads = threads
        self._rows: dict[str, _Row] = {}
        self._numbers = itertools.count()
        self._batch: Batch | None = None
        self._is_started = False
        self.info = EngineInfo(
            self._path.name, quantization, device, dtype, max_batch, max_context or 0
        )

    async def start(self) -> None:
        if self._is_started:
            return
        await asyncio.to_thread(self._load)
        self._admission = Admission(
            rows=self.info.max_batch, blocks=batching.pages(self._cache_tokens)
        )
        self._lock = asyncio.Lock()
        self._is_started = True
        try:
            await self._running_batch()
        except EngineError:
            self._is_started = False
            raise

    async def stop(self) -> None:
        if not self._is_started:
            return
        self._is_started = False
        if self._batch is not None:
            await asyncio.to_thread(self._batch.stop)
        self._batch = None
        await asyncio.sleep(0)  # let the last results arrive
        for row in self._rows.values():
            row.fail("The engine was stopped.")
        del self._model, self.voices, self._adapters

    def count_tokens(self, turns: Sequence[Turn], *, adapter: str = "") -> int:
        return len(self._voice(adapter).reader.encode(turns))

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        if not self._is_started:
            raise EngineError("The engine does not run.")
        fitting, prompt = self._read(request)
        length = fitting.prompt_tokens + fitting.max_new_tokens
        async with self._admission.hold(batching.pages(length)):
            yield Started(fitting.prompt_tokens, fitting.dropped_turns)
            row = await self._open(request, prompt, fitting.max_new_tokens)
            try:
                while not row.is_done:
                    for event in await row.next_events():
                        yield event
            finally:
                self._close(row)

    # Loading

    def _load(self) -> None:
        threads = loading.use_threads(self._threads)
        loaded = loading.load(self._path, **self._load_options)  # type: ignore[arg-type]
        self._model = loaded.model
        self._put_adapters(loaded)
        config = loaded.model.config.get_text_config()
        self._vocabulary = config.vocab_size
        context = min(
            self.info.max_context or DEFAULT_MAX_CONTEXT,
            getattr(config, "max_position_embeddings", None) or DEFAULT_MAX_CONTEXT,
        )
        self._cache_tokens = _cache_tokens(loaded, wanted=context * self.info.max_batch)
        self.info = EngineInfo(
            model=self.info.model,
            quantization=self.info.quantization,
            device=loaded.device,
            dtype=loaded.dtype,
            max_batch=self.info.max_batch,
            max_context=min(context, self._cache_tokens),
            adapters=tuple(filter(None, self.voices)),
        )
        logger.info("%s on %s threads, cache of %s tokens", self.info, threads, self._cache_tokens)

    def _put_adapters(self, loaded: loading.Loaded) -> None:
        """One that does not fit is left out: the others and the model itself shall write on."""
        self.voices: dict[str, Voice] = {}
        self._adapters = _none_yet(loaded.model) if self._checkpoints else None
        for name, folder in self._checkpoints.items():
            assert self._adapters is not None
            try:
                voice = voices.of_adapter(folder, loaded)
                self._adapters.add(name, folder / ADAPTER)
            except EngineError as error:
                logger.error("adapter %s is left out: %s", name, error)
            else:
                self.voices[name] = voice
        if self._adapters is not None:
            self._adapters.hook()
        if loaded.tokenizer.chat_template or not self.voices:
            self.voices[""] = voices.of(loaded)

    async def _running_batch(self) -> Batch:
        """Give the batch; a new one if a step broke and took the old one down."""
        async with self._lock:
            if not self._is_started:
                raise EngineError("The engine was stopped.")
            if self._batch is not None and self._batch.is_alive:
                return self._batch
            if self._batch is not None:
                logger.warning("the batch has died and is started again")
                await asyncio.to_thread(self._batch.stop)
            batch = Batch(
                self._model,
                rows=self.info.max_batch,
                cache_tokens=self._cache_tokens,
                deliver=self._deliver,
                adapters=self._adapters,
            )
            try:
                await asyncio.to_thread(batch.start)
            except (MemoryError, torch.OutOfMemoryError) as error:
                raise EngineError(
                    f"The memory does not do for max_batch={self.info.max_batch} and "
                    f"max_context={self.info.max_context}. Lower one of them."
                ) from error
            self._batch = batch
            return batch

    # Requests

    def _voice(self, adapter: str) -> Voice:
        if adapter not in self.voices:
            raise EngineError(f"The engine has no adapter {adapter or '(none)'} that can talk.")
        return self.voices[adapter]

    def _read(self, request: EngineRequest) -> tuple[Fit, list[int]]:
        continues = request.continues and bool(request.turns[-1].content)
        turns = request.turns
        if request.continues and not continues:  # nothing was written yet
            turns = turns[:-1]
        encoded: list[int] = []
        reader = self._voice(request.adapter).reader

        def count(turns: Sequence[Turn]) -> int:
            encoded[:] = reader.encode(turns, continues=continues)
            return len(encoded)

        request = replace(request, turns=turns, continues=continues)
        return fit(request, max_context=self.info.max_context, count=count), encoded

    async def _open(self, request: EngineRequest, prompt: list[int], max_new_tokens: int) -> _Row:
        batch = await self._running_batch()
        before = prompt if request.continues else []
        voice = self._voice(request.adapter)
        row = _Row(
            key=f"{request.id}#{next(self._numbers)}",
            prompt_tokens=len(prompt),
            text=Detokenizer(voice.reader.decode, before),
            stop=StopText(request.parameters.stop),
            end_tokens=voice.end_tokens,
        )
        sampler = Sampler(
            request.parameters,
            prompt,
            vocabulary=self._vocabulary,
            spared=voice.end_tokens,
            device=self._model.device,
        )
        self._rows[row.key] = row
        batch.submit(
            row.key,
            prompt,
            max_new_tokens=max_new_tokens,
            end_tokens=voice.end_tokens,
            sampler=sampler,
            adapter=request.adapter,
        )
        return row

    def _close(self, row: _Row) -> None:
        self._rows.pop(row.key, None)
        if self._batch is not None and not row.has_left:
            self._batch.cancel(row.key)

    def _deliver(self, outputs: Sequence[GenerationOutput]) -> None:
        for output in outputs:
            row = self._rows.get(output.request_id)
            if row is not None:
                row.take(output)
            elif self._batch is not None and not output.is_finished():
                # Cancelled in the instant in which the batch took it in.
                self._batch.cancel(output.request_id)


class _Row:
    """One request in the batch: what came of it so far, and what of that was given on."""

    def __init__(
        self,
        *,
        key: str,
        prompt_tokens: int,
        text: Detokenizer,
        stop: StopText,
        end_tokens: frozenset[int],
    ) -> None:
        self.key = key
        self.has_left = False  # the batch: it needs no cancelling
        self.is_done = False
        self._prompt_tokens = prompt_tokens
        self._text = text
        self._stop = stop
        self._end_tokens = end_tokens
        self._output: GenerationOutput | None = None
        self._error: str | None = None
        self._given = 0  # tokens of the answer that were read
        self._told = 0  # of these, how many some Delta has counted
        self._news = asyncio.Event()

    def take(self, output: GenerationOutput) -> None:
        """Note the newest result. It holds all tokens, so what was not read yet is not lost."""
        self._output = output
        self.has_left = output.is_finished()
        if output.error is not None:
            self._error = output.error
        self._news.set()

    def fail(self, error: str) -> None:
        self._error = self._error or error
        self._news.set()

    async def next_events(self) -> list[Event]:
        """Wait for news and give what it means. Raises EngineError."""
        await self._news.wait()
        self._news.clear()
        if self._error is not None:
            raise EngineError(f"The model broke: {self._error}")
        assert self._output is not None
        text = self._read(self._output.generated_tokens[self._given :])
        ended = self._stop.is_stopped or self.has_left
        if ended:
            text += self._stop.flush()
        events: list[Event] = []
        if text:
            events.append(Delta(text, self._given - self._told))
            self._told = self._given
        if ended:
            self.is_done = True
            events.append(self._finished())
        return events

    def _read(self, tokens: Sequence[int]) -> str:
        pieces = []
        for token in tokens:
            self._given += 1
            if token not in self._end_tokens:
                pieces.append(self._stop.push(self._text.push(token)))
            if self._stop.is_stopped:
                break
        return "".join(pieces)

    def _finished(self) -> Finished:
        assert self._output is not None
        last = self._output.generated_tokens[self._given - 1]
        stopped = self._stop.is_stopped or last in self._end_tokens
        return Finished("stop" if stopped else "length", self._prompt_tokens, self._given)


def _none_yet(model: Any) -> Adapters:
    # Brings peft, which takes seconds and 60 MiB: only who needs it waits.
    from chat_app.inference.adapters import Adapters

    return Adapters(model)


def _cache_tokens(loaded: loading.Loaded, *, wanted: int) -> int:
    """Give how many tokens the cache shall hold: as wanted, if half of the free memory does."""
    if loaded.device.startswith("cuda"):
        free = torch.cuda.mem_get_info(loaded.device)[0]
    else:
        free = psutil.virtual_memory().available
    config = loaded.model.config.get_text_config()
    size = batching.bytes_per_token(config, loaded.model.dtype)
    possible = int(free * MEMORY_SHARE) // size
    if possible < LEAST_CONTEXT:
        raise EngineError(f"{free // 2**20} MiB are free, too little to run the model.")
    return min(wanted, possible)
