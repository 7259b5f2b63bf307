"""The private names of transformers that `batching.py` stands on. When one of these tests fails
after an upgrade, read what became of the name and adapt `batching.py`; nothing else uses them.
"""

import asyncio
import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM, LogitsProcessorList
from transformers.generation import ContinuousBatchingConfig
from transformers.generation.continuous_batching import cb_logits_processors, continuous_api
from transformers.generation.continuous_batching.model_runner import ModelRunner
from transformers.generation.continuous_batching.requests import (
    FutureRequestState,
    GenerationOutput,
    RequestState,
)

from chat_app.inference import batching
from chat_app.inference.batching import Batch
from chat_app.inference.drawing import Sampler
from chat_app.inference.sampling import SamplingParameters


def names_of(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_installed_version_is_the_pinned_one() -> None:
    pins = Path(__file__).resolve().parents[3] / "requirements-ml.txt"

    (pinned,) = re.findall(r"^transformers==(.+)$", pins.read_text(), re.MULTILINE)

    assert transformers.__version__ == pinned


def test_list_of_processors_has_the_methods_that_ours_replaces() -> None:
    theirs = cb_logits_processors.ContinuousBatchingLogitsProcessorList

    assert names_of(theirs.check_kwargs) == ["self", "kwargs"]
    assert names_of(theirs.prepare_tensor_args) == ["self", "requests_in_batch", "arg_storage"]
    assert names_of(theirs.__call__) == ["self", "input_ids", "scores", "logits_processor_args"]
    assert theirs(LogitsProcessorList()).tensors_required == 0


def test_router_has_the_methods_that_ours_replaces() -> None:
    theirs = continuous_api.OutputRouter

    assert names_of(theirs.deliver) == ["self", "output"]
    assert names_of(theirs.deliver_batch) == ["self", "outputs"]
    assert "self.deliver(" in inspect.getsource(theirs.fail_and_deliver)


def test_states_and_results_have_the_fields_that_we_read() -> None:
    fields = {field.name for field in dataclasses.fields(RequestState)}
    results = {field.name for field in dataclasses.fields(GenerationOutput)}

    assert fields >= {"logit_processor_kwargs", "generated_tokens"}
    assert set(FutureRequestState.__slots__) >= {"state", "has_new_token"}
    assert results >= {"request_id", "generated_tokens", "error"}


def test_manager_takes_the_highest_of_the_scores_that_we_hand_back() -> None:
    source = inspect.getsource(ModelRunner)

    assert "self.logit_processor(sliced_input_ids_2d, logits_2d" in source
    assert "torch.argmax(" in source


def test_cancelled_requests_are_freed_before_the_next_step_is_planned() -> None:
    """`Batch.cancel` promises it, and admission counts on it."""
    source = inspect.getsource(continuous_api.ContinuousBatchProcessor.prepare_next_batch)

    order = ["_update_tp_group_state", "clear_cancelled_requests", "schedule_batch"]
    places = [source.index(name) for name in order]
    assert places == sorted(places)
    drained = inspect.getsource(continuous_api.ContinuousBatchProcessor._update_tp_group_state)
    assert "(drain_queue(self.input_queue), drain_queue(self.cancel_queue))" in drained


def test_configuration_still_knows_what_we_set() -> None:
    known = {field.name for field in dataclasses.fields(ContinuousBatchingConfig)}

    assert known >= {"safety_margin", "allow_block_sharing", "use_async_batching", "num_blocks"}


def test_cache_takes_the_memory_that_was_reckoned(tiny_path: Path) -> None:
    async def run() -> tuple[int, int]:
        model = AutoModelForCausalLM.from_pretrained(tiny_path, attn_implementation="sdpa")
        batch = Batch(model, rows=2, cache_tokens=1600, deliver=lambda outputs: None)
        batch.start()
        cache = batch._manager.batch_processor.cache
        taken = cache.cache_tensor.numel()
        batch.stop()
        return taken, batching.bytes_per_token(model.config, torch.float32)

    taken, size = asyncio.run(run())

    pages = 100 + 2 + (16 + 2) + 2  # asked for, one of each row, margin, the library's own two
    assert taken == pages * batching.PAGE_TOKENS * size


def test_request_cancelled_in_the_batch_leaves_no_page_behind(tiny_path: Path) -> None:
    async def run() -> tuple[int, int]:
        model = AutoModelForCausalLM.from_pretrained(tiny_path, attn_implementation="sdpa")
        arrived = asyncio.Event()
        batch = Batch(model, rows=1, cache_tokens=800, deliver=lambda outputs: arrived.set())
        batch.start()
        sampler = Sampler(SamplingParameters(), [], vocabulary=model.config.vocab_size)
        batch.submit("a", [5] * 9, max_new_tokens=700, end_tokens=[], sampler=sampler)
        async with asyncio.timeout(10):
            await arrived.wait()
        scheduler = batch._manager.batch_processor.scheduler
        before = len(scheduler.active_requests)
        batch.cancel("a")
        async with asyncio.timeout(10):
            while scheduler.active_requests:
                await asyncio.sleep(0.01)
        used = sum(
            len(table)
            for allocator in batch._manager.batch_processor.cache.cache_allocators.values()
            for table in allocator.block_table.values()
        )
        batch.stop()
        return before, used

    assert asyncio.run(run()) == (1, 0)


@pytest.mark.parametrize(("tokens", "pages"), [(1, 1), (16, 1), (17, 2)])
def test_tokens_take_whole_pages(tokens: int, pages: int) -> None:
    assert batching.pages(tokens) == pages
