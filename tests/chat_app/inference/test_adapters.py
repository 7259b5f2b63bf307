"""Several adapters over one base: each request is answered as by the merged model of its own."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from chat_app.inference import loading
from chat_app.inference.adapters import Adapters
from chat_app.inference.engine import TransformersEngine
from chat_app.inference.requests import EngineError, EngineRequest, Turn
from chat_app.inference.sampling import SamplingParameters
from tests.chat_app.inference.adapting import adapted
from tests.chat_app.inference.asking import GREEDY, ask, collect, text_of

pytestmark = pytest.mark.slow
PROMPTS = ["Hello", "Tell me about the cat. " * 12]  # the second fills pages of the cache
NAMES = ["", "one", "two"]


@pytest.fixture(scope="module")
def checkpoints(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return {name: adapted(tiny_path, folder / name, seed=n) for n, name in enumerate(NAMES[1:])}


def engine_of(path: Path, **options: Any) -> TransformersEngine:
    return TransformersEngine(path, **{"device": "cpu", "threads": 1, "max_batch": 6, **options})


def wish(prompt: str, adapter: str = "") -> EngineRequest:
    parameters = SamplingParameters(**GREEDY, max_new_tokens=24)
    return EngineRequest("1", [Turn("user", prompt)], parameters, adapter=adapter)


def merged_answers(base: Path, checkpoints: dict[str, Path], **options: Any) -> dict[str, Any]:
    """What each model says to the prompts when it has an engine and weights of its own."""
    folders = {"": base} | checkpoints
    return {
        name: [text_of(a) for a in ask(engine_of(path, **options), *map(wish, PROMPTS))]
        for name, path in folders.items()
    }


def test_each_request_of_a_mixed_batch_is_answered_as_by_its_merged_model(
    tiny_path: Path, checkpoints: dict[str, Path]
) -> None:
    wishes = [wish(prompt, name) for prompt in PROMPTS for name in NAMES]

    answers = [text_of(a) for a in ask(engine_of(tiny_path, adapters=checkpoints), *wishes)]

    alone = merged_answers(tiny_path, checkpoints)
    assert answers == [alone[name][place] for place in range(2) for name in NAMES]
    assert len(set(answers)) == len(answers)


def test_pages_of_a_prompt_are_shared_with_requests_of_the_same_adapter_alone(
    tiny_path: Path, checkpoints: dict[str, Path]
) -> None:
    async def run() -> tuple[list[str], list[int]]:
        engine = engine_of(tiny_path, adapters=checkpoints)
        await engine.start()
        assert engine._batch is not None
        batch = engine._batch._manager.batch_processor
        texts, found = [], []
        search = batch.cache.search_prefix_match
        batch.cache.search_prefix_match = lambda *a: found.append(search(*a)) or found[-1]
        for name in [*NAMES, *NAMES]:  # one after the other: the first three leave their pages
            texts.append(text_of(await collect(engine.generate(wish(PROMPTS[1], name)))))
        await engine.stop()
        return texts, found

    texts, found = asyncio.run(run())

    alone = merged_answers(tiny_path, checkpoints)
    assert texts == [alone[name][1] for name in NAMES] * 2
    assert found[:3] == [0, 0, 0]
    assert min(found[3:]) > 0


def test_logits_through_an_adapter_equal_those_of_its_merged_model(
    tiny_path: Path, checkpoints: dict[str, Path]
) -> None:
    model = loading.load(tiny_path, device="cpu").model
    ids = torch.arange(20, 60)[None]
    before = model(input_ids=ids).logits
    adapters = Adapters(model)
    for name, folder in checkpoints.items():
        adapters.add(name, folder / "adapter")
    adapters.hook()

    for name, folder in checkpoints.items():
        adapters.plan([(name, 40)])
        with torch.no_grad():
            through = model(input_ids=ids).logits
            merged = loading.load(folder, device="cpu").model(input_ids=ids).logits
        torch.testing.assert_close(through, merged, atol=2e-4, rtol=1e-4)
        assert (through - before).abs().max() > 0.5
    adapters.plan([("", 40)])
    assert torch.equal(model(input_ids=ids).logits, before)


# With 8 bits what is rounded depends on the company, without adapters too.
@pytest.mark.full
@pytest.mark.parametrize(("quantization", "rows"), [("4bit", 3), ("8bit", 1)])
def test_quantised_base_carries_adapters(
    tiny_path: Path, checkpoints: dict[str, Path], quantization: Any, rows: int
) -> None:
    how = {"quantization": quantization, "max_batch": rows}
    shared = engine_of(tiny_path, adapters=checkpoints, **how)

    mixed = [text_of(a) for a in ask(shared, *(wish(PROMPTS[0], name) for name in NAMES))]

    for place, (name, folder) in enumerate(checkpoints.items(), start=1):
        only = engine_of(tiny_path, adapters={name: folder}, **how)
        assert mixed[place] == text_of(ask(only, wish(PROMPTS[0], name))[0])
    (base,) = ask(engine_of(tiny_path, **how), wish(PROMPTS[0]))
    assert mixed[0] == text_of(base)
    assert len(set(mixed)) == 3


def test_an_adapter_that_does_not_fit_is_left_out_and_the_others_write(
    tiny_path: Path, checkpoints: dict[str, Path], tmp_path: Path, caplog: Any
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    engine = engine_of(tiny_path, adapters={"broken": broken, "one": checkpoints["one"]})

    with caplog.at_level(logging.ERROR):
        (answer,) = ask(engine, wish(PROMPTS[0], "one"))

    assert engine.info.adapters == ("one",)
    assert text_of(answer) == merged_answers(tiny_path, checkpoints)["one"][0]
    assert "adapter broken is left out" in caplog.text
    with pytest.raises(EngineError, match="no adapter broken"):
        ask(engine, wish(PROMPTS[0], "broken"))
