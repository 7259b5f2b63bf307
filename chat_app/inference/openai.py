"""The engine that has another server write: anything that speaks OpenAI's chat completions.

vLLM, TGI, llama.cpp and our own `/v1` do. The server batches, so nothing waits here but for the
rows that it is allowed to take.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import httpx2

from chat_app.inference.requests import (
    Delta,
    EngineError,
    EngineInfo,
    EngineRequest,
    Event,
    Finished,
    FinishReason,
    RequestTooLarge,
    Started,
    Turn,
)
from chat_app.inference.sampling import SamplingParameters
from chat_app.inference.stopping import StopText

CONNECT_TIMEOUT_S = 10
# Between two pieces of an answer; a loaded server may let the first one wait.
READ_TIMEOUT_S = 120
MAX_OPENAI_STOPS = 4
CHARS_PER_TOKEN = 4


class OpenAIEngine:
    """Streams answers from `base_url` (…/v1). Tokens of prompts are estimated."""

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str = "",
        *,
        max_batch: int = 32,
        max_context: int = 8192,
    ) -> None:
        """Take where the server is and what it calls the model."""
        self.info = EngineInfo(model, "none", base_url, "remote", max_batch, max_context)
        self._url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._rows = asyncio.Semaphore(max_batch)
        self._client: httpx2.AsyncClient | None = None

    async def start(self) -> None:
        """Check that the server answers and has the model. Raises EngineError."""
        if self._client is not None:
            return
        timeout = httpx2.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        self._client = httpx2.AsyncClient(headers=self._headers, timeout=timeout)
        try:
            await self._check_model()
        except EngineError:
            await self.stop()
            raise

    async def stop(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    def count_tokens(self, turns: Sequence[Turn]) -> int:
        """Estimate: only the server knows its tokenizer."""
        return sum(4 + len(turn.content) // CHARS_PER_TOKEN for turn in turns)

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        if self._client is None:
            raise EngineError("The engine does not run.")
        async with self._rows:
            try:
                # Closed with this generator, so that the server hears of it at once.
                async with aclosing(self._stream(self._client, request)) as events:
                    async for event in events:
                        yield event
            except (httpx2.HTTPError, RuntimeError) as error:
                raise EngineError(f"{self._url} broke off: {type(error).__name__}") from error

    async def _check_model(self) -> None:
        assert self._client is not None
        try:
            response = await self._client.get(f"{self._url}/models")
        except httpx2.HTTPError as error:
            raise EngineError(
                f"{self._url} does not answer ({type(error).__name__}). Does the server run, and "
                "does the address end in /v1?"
            ) from error
        if response.is_error:
            raise _error(response.status_code, response.text)
        offered = [model.get("id") for model in _json(response.text).get("data", [])]
        if self.info.model not in offered:
            raise EngineError(f"{self._url} has no “{self.info.model}”. It offers: {offered}")

    async def _stream(
        self, client: httpx2.AsyncClient, request: EngineRequest
    ) -> AsyncGenerator[Event, None]:
        answer = _Answer(request.parameters, estimate=self.count_tokens(request.turns))
        body = _body(self.info.model, request)
        async with client.stream("POST", f"{self._url}/chat/completions", json=body) as response:
            if response.is_error:
                raise _error(response.status_code, (await response.aread()).decode())
            yield Started(answer.prompt_tokens)
            async for chunk in _chunks(response.aiter_bytes()):
                if text := answer.take(chunk):
                    yield Delta(text)
                if answer.is_stopped:
                    break
        if text := answer.rest():
            yield Delta(text, tokens=0)
        yield answer.finished()


class _Answer:
    """What came of an answer so far."""

    def __init__(self, parameters: SamplingParameters, *, estimate: int) -> None:
        self.prompt_tokens = estimate
        self._completion_tokens = 0
        self._reason: FinishReason | None = None
        # The protocol allows four stop strings; servers differ in what they show of them.
        self._stop = StopText(parameters.stop)

    @property
    def is_stopped(self) -> bool:
        return self._stop.is_stopped

    def take(self, chunk: dict[str, Any]) -> str:
        """Read one chunk, give the text to show. Raises EngineError where it is an error."""
        if "error" in chunk:
            raise _error(500, json.dumps(chunk))
        if usage := chunk.get("usage"):
            self.prompt_tokens = usage.get("prompt_tokens", self.prompt_tokens)
            self._completion_tokens = usage.get("completion_tokens", self._completion_tokens)
        for choice in chunk.get("choices", [])[:1]:
            if choice.get("finish_reason"):
                self._reason = "length" if choice["finish_reason"] == "length" else "stop"
            if content := (choice.get("delta") or {}).get("content"):
                self._completion_tokens += 1
                return self._stop.push(content)
        return ""

    def rest(self) -> str:
        """Give the end of the text. Raises EngineError where the server never said it ended."""
        if self._reason is None and not self.is_stopped:
            raise EngineError("The server broke off before the answer was complete.")
        return self._stop.flush()

    def finished(self) -> Finished:
        reason: FinishReason = "stop" if self.is_stopped else self._reason or "stop"
        return Finished(reason, self.prompt_tokens, self._completion_tokens)


def _body(model: str, request: EngineRequest) -> dict[str, Any]:
    """Give the request as the server reads it; names beyond OpenAI's are those of vLLM and TGI."""
    parameters = request.parameters
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.turns],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": parameters.temperature,
        "max_tokens": parameters.max_new_tokens,
    }
    if parameters.repetition_penalty != 1:
        body["repetition_penalty"] = parameters.repetition_penalty
    for name in ("top_p", "top_k", "typical_p", "seed"):
        if (value := getattr(parameters, name)) is not None:
            body[name] = value
    if parameters.stop:
        body["stop"] = list(parameters.stop[:MAX_OPENAI_STOPS])
    if request.continues:
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return body


async def _chunks(pieces: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """Give the JSON of each server-sent event up to [DONE].

    Cut at line feeds only: JSON may hold what Python takes for other ends of a line.
    """
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            data = line.removeprefix(b"data:").strip()
            if data == b"[DONE]":
                return
            if data and line.startswith(b"data:"):
                yield _json(data.decode(errors="replace"))


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise EngineError(f"The server sent what is no JSON: {text[:80]!r}") from error
    if not isinstance(value, dict):
        raise EngineError(f"The server sent what is no object: {text[:80]!r}")
    return value


def _error(status: int, text: str) -> EngineError:
    """Give the error that a server's answer means."""
    try:
        error = json.loads(text).get("error", {})
        message = error.get("message", text) if isinstance(error, dict) else str(error)
        code = error.get("code") if isinstance(error, dict) else None
    except (ValueError, AttributeError):
        message, code = text, None
    if code == "context_length_exceeded" or "maximum context length" in message:
        return RequestTooLarge("This conversation is too long for the model. Shorten the message.")
    if status in (401, 403):
        return EngineError("The server refuses the key. Check the API key of this engine.")
    return EngineError(f"The server answered {status}: {message[:300]}")
