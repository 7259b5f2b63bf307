"""The engine that runs a model: a request's answer is its own, whoever shares the batch."""

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from chat_app.inference.engine import TransformersEngine
from chat_app.inference.requests import (
    Delta,
    EngineError,
    EngineRequest,
    Finished,
    RequestTooLarge,
    Started,
    Turn,
)
from chat_app.inference.sampling import SamplingParameters
from tests.chat_app.inference.asking import GREEDY, ask, collect, end_of, request, text_of

pytestmark = pytest.mark.slow  # it waits for real decoding steps

TIE = 1e-3
# From one word to more than the batch reads in one step.
MIXED = [
    "Hello",
    "What is the capital of France?",
    "Tell me about the cat and the dog. " * 4,
    "1 2 3 4 5 6 7 8 9 10. " * 12,
    "One page only. " * 30,
]


def engine_of(path: Path, **options: Any) -> TransformersEngine:
    return TransformersEngine(path, **{"device": "cpu", "threads": 1, "max_batch": 4, **options})


@functools.cache
def plain(path: Path) -> tuple[Any, Any]:
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(path)


def generate(path: Path, prompt: str, **options: Any) -> tuple[str, bool]:
    """Answer with plain `generate`. Gives the text, and whether the model ended it."""
    model, tokenizer = plain(path)
    tokens = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt"
    )["input_ids"]
    config = GenerationConfig(do_sample=False, eos_token_id=2, pad_token_id=0, **options)
    answer = model.generate(tokens, generation_config=config)[0, tokens.shape[1] :]
    return tokenizer.decode(answer, skip_special_tokens=True), bool(answer[-1] == 2)


def gap_at_difference(path: Path, prompt: str, one: str, other: str) -> float:
    """How far apart the two best logits are at the place where two answers part."""
    model, tokenizer = plain(path)
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
    )
    same = 0
    while one[same : same + 1] == other[same : same + 1]:
        same += 1
    tokens = tokenizer(rendered + one[:same], add_special_tokens=False, return_tensors="pt")
    best = model(**tokens).logits[0, -1].topk(2).values
    return float(best[0] - best[1])


def assert_equal_to_generate(path: Path, prompts: Sequence[str], max_new_tokens: int) -> None:
    wishes = [request(p, **GREEDY, max_new_tokens=max_new_tokens) for p in prompts]
    answers = ask(engine_of(path), *wishes)

    for prompt, answer in zip(prompts, answers, strict=True):
        text, is_ended = generate(path, prompt, max_new_tokens=max_new_tokens)
        if text_of(answer) != text.rstrip("\ufffd"):
            assert gap_at_difference(path, prompt, text_of(answer), text) < TIE
        else:
            assert end_of(answer).reason == ("stop" if is_ended else "length")


def test_greedy_answers_of_a_mixed_batch_equal_plain_generate(tiny_path: Path) -> None:
    assert_equal_to_generate(tiny_path, MIXED, max_new_tokens=60)


@pytest.mark.real_model
@pytest.mark.parametrize(
    ("prompts", "max_new_tokens"),
    [(MIXED[1:3], 12), pytest.param(MIXED, 32, marks=pytest.mark.full)],
)
def test_greedy_answers_of_the_real_model_equal_plain_generate(
    real_path: Path, prompts: Sequence[str], max_new_tokens: int
) -> None:
    assert_equal_to_generate(real_path, prompts, max_new_tokens)


@pytest.mark.real_model
def test_real_model_knows_the_capital_of_france(real_path: Path) -> None:
    (answer,) = ask(engine_of(real_path), request(MIXED[1], **GREEDY, max_new_tokens=20))

    assert text_of(answer) == "The capital of France is Paris."
    assert end_of(answer) == Finished("stop", prompt_tokens=37, completion_tokens=8)


def test_penalty_in_a_batch_equals_that_of_plain_generate(tiny_path: Path) -> None:
    wish = request(MIXED[1], temperature=0.0, repetition_penalty=1.3, max_new_tokens=60)

    answers = ask(engine_of(tiny_path), wish, request("Hello", seed=1, max_new_tokens=60))

    text, _ = generate(tiny_path, MIXED[1], max_new_tokens=60, repetition_penalty=1.3)
    assert text_of(answers[0]) == text.rstrip("\ufffd")


def test_answers_are_the_same_alone_and_in_company(tiny_path: Path) -> None:
    several: list[dict[str, Any]] = [
        {"seed": 7},
        {"seed": 7, "top_k": None, "top_p": 0.9},
        {"seed": 7, "top_k": None, "top_p": None, "typical_p": 0.3},
        {"seed": 7, "stop": ("the", "ß")},
        {"seed": 7, "temperature": 2.0, "top_k": None, "top_p": None},
        GREEDY,
    ]
    wishes = [request("What is your name?", **each, max_new_tokens=40) for each in several]
    company = [request(text, seed=3, max_new_tokens=50) for text in MIXED]

    alone = ask(engine_of(tiny_path, max_batch=1), *wishes)
    beside = ask(engine_of(tiny_path, max_batch=11), *company, *wishes)[-len(wishes) :]

    assert [text_of(each) for each in alone] == [text_of(each) for each in beside]
    assert [end_of(each) for each in alone] == [end_of(each) for each in beside]


def test_other_seeds_give_other_answers(tiny_path: Path) -> None:
    wishes = [request("Hello", seed=seed, max_new_tokens=30) for seed in (1, 2, 1)]

    one, other, again = (text_of(a) for a in ask(engine_of(tiny_path), *wishes))

    assert one == again
    assert one != other


def test_answer_ends_before_its_stop_string_alone_and_in_company(tiny_path: Path) -> None:
    wish = request("Hello", **GREEDY, max_new_tokens=60)
    whole = text_of(ask(engine_of(tiny_path), wish)[0])
    stop = whole[20:23]
    wishes = [request("Hello", **GREEDY, max_new_tokens=60, stop=(stop,)), wish]

    for company in ([], [request(text, max_new_tokens=30) for text in MIXED]):
        stopped, free, *_ = ask(engine_of(tiny_path), *wishes, *company)
        assert text_of(stopped) == whole[: whole.index(stop)]
        assert end_of(stopped).reason == "stop"
        assert text_of(free) == whole


def test_end_token_ends_the_answer_and_is_not_shown(tiny_path: Path) -> None:
    class EndsAtFifth(TransformersEngine):
        def _load(self) -> None:
            super()._load()
            self.voices[""] = replace(self.voices[""], end_tokens=frozenset(fifth))

    wish = request("Hello", **GREEDY, max_new_tokens=30)
    fifth: list[int] = []
    whole = ask(EndsAtFifth(tiny_path, device="cpu", threads=1), wish)[0]
    prompt = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    model, tokenizer = plain(tiny_path)
    tokens = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
    answer = model.generate(**tokens, do_sample=False, max_new_tokens=5)[0, -5:].tolist()
    fifth.append(answer[4])

    ended = ask(EndsAtFifth(tiny_path, device="cpu", threads=1), wish)[0]

    assert end_of(ended) == Finished(
        "stop", end_of(whole).prompt_tokens, answer.index(fifth[0]) + 1
    )
    assert text_of(whole).startswith(text_of(ended))
    assert text_of(ended) == tokenizer.decode(answer[: answer.index(fifth[0])]).rstrip("\ufffd")


def test_every_delta_is_whole_characters_and_counts_its_tokens(tiny_path: Path) -> None:
    wish = request("€ 👍 ü", seed=5, temperature=1.5, max_new_tokens=200)

    (answer,) = ask(engine_of(tiny_path), wish)

    counted = sum(event.tokens for event in answer if isinstance(event, Delta))
    assert counted <= end_of(answer).completion_tokens <= counted + 3
    assert not any(event.text == "" for event in answer if isinstance(event, Delta))


def test_oldest_turns_that_do_not_fit_are_dropped_and_told(tiny_path: Path) -> None:
    old = [Turn("system", "Be kind."), Turn("user", "word " * 200), Turn("assistant", "Yes.")]
    long = EngineRequest("1", [*old, Turn("user", "Hello")], SamplingParameters(**GREEDY))
    short = EngineRequest("2", [old[0], Turn("user", "Hello")], SamplingParameters(**GREEDY))

    first, second = ask(engine_of(tiny_path, max_context=128), long, short)

    assert isinstance(first[0], Started)
    assert (first[0].dropped_turns, text_of(first)) == (2, text_of(second))
    assert end_of(first).prompt_tokens + end_of(first).completion_tokens == 128


def test_prompt_that_can_never_fit_is_refused_and_takes_no_row(tiny_path: Path) -> None:
    engine = engine_of(tiny_path, max_context=128, max_batch=1)

    with pytest.raises(RequestTooLarge, match="shorten the message"):
        ask(engine, request("word " * 400))
    assert len(ask(engine, request("Hello", max_new_tokens=3))) == 1


def test_answer_is_carried_on_where_it_was_cut(tiny_path: Path) -> None:
    parameters = SamplingParameters(**GREEDY, max_new_tokens=20)
    turns = [Turn("user", "Hello"), Turn("assistant", "The cat sat on")]
    model, tokenizer = plain(tiny_path)
    prompt = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nThe cat sat on"
    tokens = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
    expected = model.generate(**tokens, do_sample=False, max_new_tokens=20)[0].tolist()
    shown = tokenizer.decode(expected, skip_special_tokens=True).rstrip("\ufffd")

    (rest,) = ask(engine_of(tiny_path), EngineRequest("2", turns, parameters, continues=True))

    assert shown == "user\nHello\nassistant\nThe cat sat on" + text_of(rest)


def test_answer_of_which_nothing_was_written_is_begun(tiny_path: Path) -> None:
    parameters = SamplingParameters(**GREEDY, max_new_tokens=20)
    turns = [Turn("user", "Hello"), Turn("assistant", "")]

    begun, fresh = ask(
        engine_of(tiny_path),
        EngineRequest("1", turns, parameters, continues=True),
        request("Hello", **GREEDY, max_new_tokens=20),
    )

    assert text_of(begun) == text_of(fresh)
    assert end_of(begun) == end_of(fresh)


def test_closed_and_cancelled_requests_leave_their_row_at_once(tiny_path: Path) -> None:
    async def run() -> str:
        engine = engine_of(tiny_path, max_batch=1)
        await engine.start()
        closed = engine.generate(request("Hello", max_new_tokens=900))
        await anext(closed)
        await anext(closed)
        await closed.aclose()
        cancelled = asyncio.create_task(
            collect(engine.generate(request("Hello", max_new_tokens=900, seed=7)))
        )
        waiting = asyncio.create_task(collect(engine.generate(request("Hi", max_new_tokens=4))))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        cancelled.cancel()
        async with asyncio.timeout(1):
            answer = await waiting
        await engine.stop()
        return end_of(answer).reason

    assert asyncio.run(run()) == "length"


def test_more_requests_than_fit_the_memory_wait_and_all_are_right(tiny_path: Path) -> None:
    """Their prompts begin alike, so they share pages, and the pages of those gone are reused."""
    prompts = [f"Tell me about the cat and the dog, number {n}. " * 3 for n in range(12)]
    wishes = [request(p, **GREEDY, max_new_tokens=24) for p in prompts]

    answers = ask(engine_of(tiny_path, max_batch=3, max_context=192), *wishes)

    for prompt, answer in zip(prompts, answers, strict=True):
        assert text_of(answer) == generate(tiny_path, prompt, max_new_tokens=24)[0].rstrip("\ufffd")


def test_stopped_engine_ends_its_requests_with_an_error_and_takes_no_more(tiny_path: Path) -> None:
    async def run() -> None:
        engine = engine_of(tiny_path, max_batch=1)
        await engine.start()
        tasks = [
            asyncio.create_task(
                collect(engine.generate(request("Hello", max_new_tokens=900, seed=7)))
            )
            for _ in range(2)
        ]
        await asyncio.sleep(0.05)
        await engine.stop()
        for task in tasks:
            with pytest.raises(EngineError):
                await task
        with pytest.raises(EngineError, match="does not run"):
            await anext(engine.generate(request("Hello")))

    asyncio.run(run())


def test_step_that_breaks_fails_its_requests_and_the_next_one_works(tiny_path: Path) -> None:
    async def run() -> str:
        engine = engine_of(tiny_path)
        await engine.start()
        weight = engine._model.lm_head.weight
        engine._model.lm_head.weight = torch.nn.Parameter(weight[:, :-1])
        with pytest.raises(EngineError, match="broke"):
            await collect(engine.generate(request("Hello", max_new_tokens=5)))
        engine._model.lm_head.weight = weight
        answer = await collect(engine.generate(request("Hello", max_new_tokens=5)))
        await engine.stop()
        return end_of(answer).reason

    assert asyncio.run(run()) == "length"


def test_engine_starts_again_after_a_stop(tiny_path: Path) -> None:
    engine = engine_of(tiny_path)
    wish = request("Hello", **GREEDY, max_new_tokens=10)

    first, second = ask(engine, wish)[0], ask(engine, wish)[0]

    assert text_of(first) == text_of(second)
    assert end_of(first) == end_of(second)


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_quantised_model_answers(tiny_path: Path, quantization: Any) -> None:
    engine = engine_of(tiny_path, quantization=quantization)

    answers = ask(engine, *(request(text, **GREEDY, max_new_tokens=10) for text in MIXED))

    assert [end_of(answer).completion_tokens for answer in answers] == [10] * 5
    assert engine.info.quantization == quantization
