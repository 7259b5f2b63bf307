"""What is left out of a conversation that is too long for the model."""

from collections.abc import Sequence

import pytest

from chat_app.inference.context import Fit, fit
from chat_app.inference.requests import EngineRequest, RequestTooLarge, Turn
from chat_app.inference.sampling import SamplingParameters

SYSTEM = Turn("system", "s")
LONG = [SYSTEM, *(Turn(role, "x" * 10) for role in ("user", "assistant") * 5), Turn("user", "p")]


def count(turns: Sequence[Turn]) -> int:
    return sum(len(turn.content) for turn in turns)


def shorten(turns: Sequence[Turn], *, max_context: int, max_new_tokens: int = 10) -> Fit:
    parameters = SamplingParameters(max_new_tokens=max_new_tokens)
    return fit(EngineRequest("1", turns, parameters), max_context=max_context, count=count)


def test_conversation_that_fits_is_kept_whole() -> None:
    assert shorten(LONG, max_context=112) == Fit(LONG, 0, 102, 10)


def test_oldest_turns_go_and_what_is_left_starts_with_a_user() -> None:
    fitting = shorten(LONG, max_context=75)

    assert fitting == Fit([SYSTEM, *LONG[5:]], 4, 62, 10)


def test_last_prompt_stays_alone_when_nothing_else_fits() -> None:
    assert shorten(LONG, max_context=15) == Fit([SYSTEM, LONG[-1]], 10, 2, 10)


def test_answer_to_carry_on_stays_with_its_prompt() -> None:
    begun = Turn("assistant", "b")

    assert shorten([*LONG, begun], max_context=15).turns == [SYSTEM, LONG[-1], begun]


def test_wish_for_a_long_answer_takes_a_quarter_of_the_context_at_most() -> None:
    fitting = shorten(LONG, max_context=100, max_new_tokens=8000)

    assert (fitting.dropped_turns, fitting.prompt_tokens, fitting.max_new_tokens) == (4, 62, 38)


def test_prompt_longer_than_the_context_is_refused_with_both_numbers() -> None:
    with pytest.raises(RequestTooLarge, match=r"101 tokens long\. The model reads 75 at most"):
        shorten([SYSTEM, Turn("user", "x" * 100)], max_context=100, max_new_tokens=8000)


def test_very_long_conversation_is_counted_few_times() -> None:
    calls = []

    def counting(turns: Sequence[Turn]) -> int:
        calls.append(len(turns))
        return count(turns)

    turns = [Turn(role, "x") for role in ("user", "assistant") * 500]
    fitting = fit(EngineRequest("1", turns), max_context=100, count=counting)

    assert fitting.prompt_tokens <= 75
    assert len(calls) < 15


def test_what_is_certainly_too_long_is_never_counted() -> None:
    counted = []

    def counting(turns: Sequence[Turn]) -> int:
        counted.append(count(turns))
        return count(turns) // 4

    turns = [Turn(role, "x" * 400) for role in ("user", "assistant") * 500] + [Turn("user", "p")]
    fitting = fit(EngineRequest("1", turns), max_context=1000, count=counting)

    assert (len(fitting.turns), fitting.prompt_tokens) == (7, 600)
    assert max(counted) <= 16_000
