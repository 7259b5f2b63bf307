"""Drives transformers' continuous batching. The one place that touches its private names.

`tests/chat_app/inference/test_batching.py` fails when these change. What is ours: tokens are drawn
by a Sampler of each request, and results go to one function on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import GenerationConfig
from transformers.generation import ContinuousBatchingConfig, LogitsProcessorList
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessorList,
)
from transformers.generation.continuous_batching.continuous_api import OutputRouter
from transformers.generation.continuous_batching.requests import (
    FutureRequestState,
    GenerationOutput,
    RequestState,
)

from chat_app.inference import attention
from chat_app.inference.drawing import Sampler

if TYPE_CHECKING:
    from chat_app.inference.adapters import Adapters

# It tells of every start at INFO, through a handler of its own.
logging.getLogger("ContinuousBatchingLogger").setLevel(logging.WARNING)

PAGE_TOKENS = 16
# Tokens read in one step: a long prompt is read in pieces, and the others wait for one piece only.
STEP_TOKENS = {"cpu": 256, "cuda": 1024}

Deliver = Callable[[Sequence[GenerationOutput]], None]


class Batch:
    """A running batch of one model: requests come in and leave between two steps."""

    def __init__(
        self,
        model: Any,
        *,
        rows: int,
        cache_tokens: int,
        deliver: Deliver,
        adapters: Adapters | None = None,
    ) -> None:
        """Take memory and start. `deliver` is called on the running event loop.

        The caller never submits more than `rows` requests nor more than `cache_tokens` tokens
        (rounded up to pages, for each request) at once. Raises MemoryError.
        """
        model.set_attn_implementation("sdpa")
        self._manager = model.init_continuous_batching(
            generation_config=GenerationConfig(do_sample=False, eos_token_id=-1),
            continuous_batching_config=_config(model.device.type, rows, cache_tokens),
        )
        attention.use_for(model)
        self._adapters = adapters
        self._manager.logit_processor = DrawTokens(adapters)
        self._manager.output_router = LoopRouter(asyncio.get_running_loop(), deliver)

    def start(self) -> None:
        """Take the memory, then begin to step in a thread. May take seconds."""
        self._manager.warmup()  # makes the cache here, where its errors reach the caller
        self._manager.start()

    @property
    def is_alive(self) -> bool:
        status = self._manager.background_thread_status
        return self._manager.is_running() and status.can_accept_new_requests() is None

    def submit(
        self,
        request_id: str,
        prompt: Sequence[int],
        *,
        max_new_tokens: int,
        end_tokens: Collection[int],
        sampler: Sampler,
        adapter: str = "",
    ) -> None:
        self._manager.add_request(
            self._adapters.mark(prompt, adapter) if self._adapters else list(prompt),
            request_id=request_id,
            max_new_tokens=max_new_tokens,
            streaming=True,
            eos_token_id=list(end_tokens),
            sampler=sampler,
            adapter=adapter,
        )

    def cancel(self, request_id: str) -> None:
        """Free the row before the next step. Nothing more comes of the request."""
        self._manager.cancel_request(request_id)

    def stop(self) -> None:
        """End all requests as failed and give the memory back. Waits for the step that runs."""
        self._manager.stop(block=True, hard_stop=True)
        self._manager.destroy()


def pages(tokens: int) -> int:
    """Give how many pages of the cache so many tokens take."""
    return math.ceil(tokens / PAGE_TOKENS)


def bytes_per_token(config: Any, dtype: torch.dtype) -> int:
    """Give how much memory keys and values of one token take."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * size * dtype.itemsize)


def _config(device: str, rows: int, cache_tokens: int) -> ContinuousBatchingConfig:
    step_tokens = STEP_TOKENS.get(device, STEP_TOKENS["cuda"])
    # Pages of past prompts are kept to be shared, and dropped when fewer than the margin are free.
    # A margin of one step beyond what requests may take means that no request is ever starved.
    margin = pages(step_tokens) + rows
    total = pages(cache_tokens) + rows + margin
    return ContinuousBatchingConfig(
        page_size=PAGE_TOKENS,
        num_blocks=total,
        max_batch_tokens=step_tokens,
        max_requests_per_batch=rows,
        safety_margin=margin / total,
        max_memory_percent=0.95,
        allow_block_sharing=True,
        use_async_batching=False,
        use_cuda_graph=False,  # our processor is Python and runs at every step
        auto_switch_to_flash=False,  # it would download kernels
    )


class DrawTokens(ContinuousBatchingLogitsProcessorList):
    """Has each request's Sampler choose, and makes the choice the highest logit.

    The manager then takes the highest one: it knows one way of drawing for the whole batch.
    """

    def __init__(self, adapters: Adapters | None = None) -> None:
        super().__init__(LogitsProcessorList())
        self.do_processing = True
        self._adapters = adapters
        self._states: list[RequestState] = []

    def check_kwargs(self, kwargs: dict[str, Any]) -> None:
        """Take the sampler and the adapter that come with each request."""

    def prepare_tensor_args(
        self, requests_in_batch: list[FutureRequestState], arg_storage: Tensor
    ) -> Tensor:
        """Note whose logits come next: those of requests whose prompt is read to its end.

        The requests are in the order of their tokens in the step.
        """
        if self._adapters is not None:
            self._adapters.plan(
                (future.state.logit_processor_kwargs["adapter"], future.query_length)
                for future in requests_in_batch
            )
        self._states = [future.state for future in requests_in_batch if future.has_new_token]
        return arg_storage

    def __call__(self, input_ids: Tensor, scores: Tensor, logits_processor_args: Tensor) -> Tensor:
        """Draw for each row of `scores` (B, V); rows past the last request are padding."""
        for row, state in zip(scores, self._states, strict=False):
            sampler: Sampler = state.logit_processor_kwargs["sampler"]
            if not sampler.is_plain:
                row[sampler.draw(row, state.generated_tokens)] = torch.inf
        return scores


class LoopRouter(OutputRouter):
    """Hands each step's results to the event loop in one call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Deliver) -> None:
        super().__init__()
        self._loop = loop
        self._deliver = deliver

    def deliver(self, output: GenerationOutput) -> None:
        self.deliver_batch([output])

    def deliver_batch(self, outputs: list[GenerationOutput]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, outputs)
