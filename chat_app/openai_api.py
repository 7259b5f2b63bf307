"""`/v1/models` and `/v1/chat/completions` as OpenAI's clients know them.

Whoever goes away while an answer is written takes it along: its replies are stopped.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from pydantic import ValidationError

from chat_app import catalogue, completions, following
from chat_app.enums import FinishReason, Hold, MessageState
from chat_app.errors import ModelNotOnOffer, TextTooLong
from chat_app.models import ChatMessage, ServedModel
from chat_app.openai_schemas import CompletionIn
from chat_app.streams import Entry
from chat_app.transcripts import shown_text
from oasst.accounts import bearer
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from oasst.lib.errors import DomainError
from oasst.lib.threads import in_thread

logger = logging.getLogger(__name__)

# A waiting answer shows signs of life, or proxies take it for dead.
SIGN_OF_LIFE_EVERY = 10
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error",
          429: "rate_limit_error", 503: "service_unavailable_error"}  # fmt: skip

View = Callable[..., Any]


class Refusal(Exception):
    """An answer in OpenAI's shape that is no answer."""

    def __init__(self, status: int, code: str, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.retry_after_s: float | None = 10 if status == 503 else None

    @property
    def body(self) -> dict[str, Any]:
        kind = _TYPES.get(self.status, "invalid_request_error")
        return {
            "error": {
                "message": self.message,
                "type": kind,
                "param": self.param,
                "code": self.code,
            }
        }


def _endpoint(method: str) -> Callable[[View], View]:
    """For holders of a token with the scope for completions; says no in OpenAI's shape."""

    def wrap(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        async def guarded(request: HttpRequest, **options: Any) -> HttpResponseBase:
            try:
                if request.method != method:
                    raise Refusal(405, "method_not_allowed", f"This address takes {method} only.")
                user = await in_thread(bearer.caller, _key(request), Scope.COMPLETIONS)
                return await view(request, user, **options)
            except DomainError as error:
                return _refuse(_from_domain(error))
            except Refusal as error:
                return _refuse(error)

        return guarded

    return wrap


@_endpoint("GET")
async def models(request: HttpRequest, user: User) -> HttpResponse:
    """Every model on offer."""
    offered = await in_thread(lambda: list(catalogue.on_offer()))
    return JsonResponse({"object": "list", "data": [_model(each) for each in offered]})


@_endpoint("GET")
async def model(request: HttpRequest, user: User, name: str) -> HttpResponse:
    """One model on offer."""
    return JsonResponse(_model(await in_thread(catalogue.named, name)))


@_endpoint("POST")
async def chat_completions(request: HttpRequest, user: User) -> HttpResponseBase:
    """Answer a conversation, at once or as it is written."""
    wanted = _read(request)
    asked = await in_thread(completions.begin, user, wanted, now=timezone.now())
    if wanted.stream:
        return _streamed(Answer(wanted, asked))
    return JsonResponse(await _whole(Answer(wanted, asked)))


class Answer:
    """The replies to one call, under the id and the name that the client knows."""

    def __init__(self, wanted: CompletionIn, asked: list[ChatMessage]) -> None:
        self.wanted = wanted
        self.ids = [reply.pk for reply in asked]
        self.base = {
            "id": f"chatcmpl-{asked[0].chat_id.hex}",
            "created": int(asked[0].created_at.timestamp()),
            "model": wanted.model,
        }
        self.is_final = False

    async def entries(self) -> AsyncGenerator[tuple[int, Entry | None], None]:
        """What becomes of all replies, each with its index, until the last of them ended."""
        news: asyncio.Queue[tuple[int, Entry | None] | None] = asyncio.Queue()

        async def pass_on(index: int, reply_id: UUID) -> None:
            async with aclosing(following.follow(reply_id)) as entries:
                async for entry in entries:
                    news.put_nowait((index, entry))

        tasks = [asyncio.create_task(pass_on(*each)) for each in enumerate(self.ids)]
        for task in tasks:
            task.add_done_callback(lambda _task: news.put_nowait(None))
        running = len(tasks)
        try:
            while running:
                item = await news.get()
                if item is None:
                    running -= 1
                    for task in tasks:  # one that broke must not be waited for
                        if task.done():
                            task.result()
                else:
                    yield item
            self.is_final = True
        finally:
            for task in tasks:
                task.cancel()
            if not self.is_final:
                await asyncio.shield(in_thread(completions.abort, self.ids))

    async def reason(self, index: int) -> str:
        """Why one reply ended, in OpenAI's words. Raises Refusal if it has no answer."""
        for reply in await in_thread(completions.ended, [self.ids[index]]):
            _check_end(reply.state, reply.error)
            return _finish_reason(reply.finish_reason, reply.hold)
        raise Refusal(410, "deleted", _("This conversation was deleted."))

    async def ended(self) -> list[ChatMessage]:
        """The replies as they ended. Raises Refusal if one of them has no answer."""
        rows = await in_thread(completions.ended, self.ids)
        for reply in rows:
            _check_end(reply.state, reply.error)
        if len(rows) < len(self.ids):
            raise Refusal(410, "deleted", _("This conversation was deleted."))
        return rows


# At once


async def _whole(answer: Answer) -> dict[str, Any]:
    async with aclosing(answer.entries()) as entries:
        async for _entry in entries:
            pass
    rows = await answer.ended()
    choices = [
        {
            "index": index,
            "message": {
                "role": "assistant",
                "content": shown_text(reply).removeprefix(reply.prefix),
                "refusal": None,
            },
            "logprobs": None,
            "finish_reason": _finish_reason(reply.finish_reason, reply.hold),
        }
        for index, reply in enumerate(rows)
    ]
    return {
        **answer.base,
        "object": "chat.completion",
        "choices": choices,
        "usage": _usage(rows),
    }


# As it is written


def _streamed(answer: Answer) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        _lines(answer),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _lines(answer: Answer) -> AsyncGenerator[str, None]:
    """Server-sent events: chunks, an error where it breaks off, and [DONE]."""
    try:
        async with aclosing(_chunks(answer)) as chunks:
            async for chunk in chunks:
                yield f"data: {json.dumps(chunk)}\n\n" if chunk else ": waiting\n\n"
    except Refusal as error:
        yield f"data: {json.dumps(error.body)}\n\n"
    yield "data: [DONE]\n\n"


async def _chunks(answer: Answer) -> AsyncGenerator[dict[str, Any] | None, None]:
    """Every chunk; None as a sign of life. Raises Refusal."""
    options = answer.wanted.stream_options
    tells_usage = options is not None and options.include_usage
    base = {**answer.base, "object": "chat.completion.chunk"}
    base |= {"usage": None} if tells_usage else {}
    for index in range(len(answer.ids)):
        yield {**base, "choices": [_choice(index, {"role": "assistant", "content": ""})]}
    sent, quiet = [answer.wanted.prefix] * len(answer.ids), 0
    async with aclosing(answer.entries()) as entries:
        async for index, entry in entries:
            text = _new_text(entry, sent[index]) if entry else ""
            quiet = quiet + 1 if entry is None else 0
            if text:
                sent[index] += text
                yield {**base, "choices": [_choice(index, {"content": text})]}
            elif entry and entry.type == "done":
                yield {**base, "choices": [_choice(index, {}, await answer.reason(index))]}
            elif quiet and quiet % SIGN_OF_LIFE_EVERY == 0:
                yield None
    if tells_usage:
        yield {**base, "choices": [], "usage": _usage(await answer.ended())}


def _new_text(entry: Entry, sent: str) -> str:
    if entry.type == "delta":
        return entry.text
    if entry.type != "snapshot":
        return ""
    if not entry.text.startswith(sent):
        # Another worker began again, and what was sent cannot be taken back.
        raise Refusal(503, "interrupted", _("The answer broke off. Please ask again."))
    return entry.text[len(sent) :]


def _choice(index: int, delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


# In OpenAI's words


def _check_end(state: str, error: str) -> None:
    """Raises Refusal for a reply without an answer."""
    if state == MessageState.FAILED:
        raise Refusal(400, "generation_failed", error)
    if state == MessageState.INTERRUPTED:
        text = error or _("The answer broke off. Please ask again.")
        raise Refusal(503, "interrupted", text)


def _finish_reason(reason: str, hold: str) -> str:
    if hold == Hold.HELD:
        return "content_filter"
    return "length" if reason == FinishReason.LENGTH else "stop"


def _usage(rows: list[ChatMessage]) -> dict[str, int]:
    """The prompt counts once, however many answers were asked for."""
    read = max((reply.prompt_tokens or 0 for reply in rows), default=0)
    written = sum(reply.completion_tokens or 0 for reply in rows)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _model(row: ServedModel) -> dict[str, Any]:
    return {
        "id": row.name,
        "object": "model",
        "created": int(row.promoted_at.timestamp()),
        "owned_by": "open-assistant",
    }


# Reading and refusing


def _key(request: HttpRequest) -> str:
    scheme, _space, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise bearer.TokenMissing
    return key.strip()


def _read(request: HttpRequest) -> CompletionIn:
    try:
        return CompletionIn.model_validate_json(request.body)
    except RequestDataTooBig:
        raise TextTooLong from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        text = f"{param}: {first['msg']}" if param else str(first["msg"])
        raise Refusal(400, first["type"], text, param=param) from None


def _from_domain(error: DomainError) -> Refusal:
    is_unknown_model = isinstance(error, ModelNotOnOffer)
    status = 404 if is_unknown_model else error.status
    code = "model_not_found" if is_unknown_model else error.code
    refusal = Refusal(status, code, error.message, param="model" if is_unknown_model else None)
    refusal.retry_after_s = getattr(error, "retry_after_s", refusal.retry_after_s)
    return refusal


def _refuse(error: Refusal) -> HttpResponse:
    response = JsonResponse(error.body, status=error.status)
    if error.retry_after_s is not None:
        response["Retry-After"] = str(round(error.retry_after_s))
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response
