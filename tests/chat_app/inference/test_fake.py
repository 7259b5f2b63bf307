"""The engine without a model: it must keep the contract that real engines keep."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from chat_app.inference.fake import Fail, FakeEngine, Hang
from chat_app.inference.requests import (
    Delta,
    EngineError,
    EngineRequest,
    Event,
    Finished,
    RequestTooLarge,
    Started,
    Turn,
)
from tests.chat_app.inference.asking import ask, collect, request, text_of


async def collect_until_error(
    events: AsyncGenerator[Event, None],
) -> tuple[list[Event], Exception | None]:
    seen: list[Event] = []
    try:
        async with asyncio.timeout(0.05):
            async for event in events:
                seen.append(event)
    except (EngineError, TimeoutError) as error:
        return seen, error
    return seen, None


def answer(prompt: str, engine: FakeEngine | None = None, **parameters: Any) -> list[Event]:
    return ask(engine or FakeEngine(tokens_per_s=0), request(prompt, **parameters))[0]


def test_answer_repeats_the_prompt_word_by_word() -> None:
    assert answer("Good day") == [
        Started(prompt_tokens=3),
        Delta("You"),
        Delta(" said:"),
        Delta(" Good"),
        Delta(" day"),
        Finished("stop", prompt_tokens=3, completion_tokens=4),
    ]


def test_answer_ends_at_the_limit_of_new_tokens() -> None:
    events = answer("!long 500", max_new_tokens=3)

    assert text_of(events) == "1 2 3"
    assert events[-1] == Finished("length", prompt_tokens=3, completion_tokens=3)


def test_answer_ends_before_a_stop_string_across_words() -> None:
    events = answer("!say one two three", stop=("o th",))

    assert text_of(events) == "one tw"
    assert events[-1] == Finished("stop", prompt_tokens=5, completion_tokens=3)


def test_held_back_text_is_given_when_no_stop_string_came_of_it() -> None:
    assert text_of(answer("!say one two", stop=("two three",))) == "one two"


def test_oldest_turns_are_dropped_and_told() -> None:
    turns = [
        Turn("system", "a"),
        Turn("user", "b " * 20),
        Turn("assistant", "c"),
        Turn("user", "d"),
    ]
    engine = FakeEngine(tokens_per_s=0, max_context=20)

    events = ask(engine, EngineRequest("1", turns))[0]

    assert events[0] == Started(prompt_tokens=4, dropped_turns=2)
    assert text_of(events) == "You said: d"


def test_prompt_that_never_fits_is_refused_before_it_starts() -> None:
    engine = FakeEngine(tokens_per_s=0, max_context=20)

    with pytest.raises(RequestTooLarge, match="shorten the message"):
        answer("a " * 20, engine)
    assert engine.running == 0


def test_order_to_fail_breaks_after_some_text() -> None:
    events, error = asyncio.run(
        collect_until_error(FakeEngine(tokens_per_s=0).generate(request("!fail")))
    )

    assert text_of(events) == "You said: !fail"
    assert isinstance(error, EngineError)


def test_request_waits_for_a_row_and_gets_the_one_that_a_cancelled_one_leaves() -> None:
    async def run() -> list[Event]:
        engine = FakeEngine(tokens_per_s=0, max_batch=1)
        hanging = asyncio.create_task(collect(engine.generate(request("!hang"))))
        waiting = asyncio.create_task(collect(engine.generate(request("Hello"))))
        for _ in range(20):
            await asyncio.sleep(0)
        assert (engine.running, waiting.done()) == (1, False)
        hanging.cancel()
        return await waiting

    assert text_of(asyncio.run(run())) == "You said: Hello"


def test_closing_the_generator_frees_the_row() -> None:
    async def run() -> int:
        engine = FakeEngine(tokens_per_s=0)
        events = engine.generate(request("Hello"))
        await anext(events)
        assert engine.running == 1
        await events.aclose()
        return engine.running

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize("last", [Hang(), Fail(EngineError("broken"))])
def test_script_decides_what_is_answered(last: Hang | Fail) -> None:
    engine = FakeEngine(tokens_per_s=0, script=lambda request: ["a", "b", last])

    events, error = asyncio.run(collect_until_error(engine.generate(request("x"))))

    assert text_of(events) == "ab"
    assert isinstance(error, TimeoutError if isinstance(last, Hang) else EngineError)


def test_stopped_engine_ends_running_requests_with_an_error() -> None:
    async def run() -> None:
        engine = FakeEngine(tokens_per_s=0)
        events = engine.generate(request("Hello"))
        await anext(events)
        await engine.stop()
        with pytest.raises(EngineError, match="stopped"):
            await anext(events)

    asyncio.run(run())
