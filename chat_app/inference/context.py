"""What of a conversation fits a model's context. Pure."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from chat_app.inference.requests import EngineRequest, RequestTooLarge, Turn

# Old turns make room for the whole answer, yet for no more than this share of the context.
MAX_ANSWER_SHARE = 0.25
# Far above what tokens of any language have on average.
MAX_CHARS_PER_TOKEN = 16


@dataclass(frozen=True)
class Fit:
    """The turns to read, how many tokens they are, and how many may be written."""

    turns: list[Turn]
    dropped_turns: int
    prompt_tokens: int
    max_new_tokens: int


def fit(request: EngineRequest, *, max_context: int, count: Callable[[Sequence[Turn]], int]) -> Fit:
    """Drop the oldest turns until the rest and an answer fit `max_context` tokens.

    Keeps system text and all from the last user turn on; what is read starts with a user turn.
    Raises RequestTooLarge if that alone is too long.
    """
    wanted = request.parameters.max_new_tokens
    budget = max_context - max(1, min(wanted, int(max_context * MAX_ANSWER_SHARE)))
    # Counting means rendering and tokenising the whole conversation: do it few times, and not for
    # what is certainly too long.
    starts = _starts(request.turns, max_chars=max_context * MAX_CHARS_PER_TOKEN)
    chosen = bisect_left(
        starts, True, key=lambda start: count(_from(request.turns, start)) <= budget
    )
    turns = _from(request.turns, starts[min(chosen, len(starts) - 1)])
    tokens = count(turns)
    if tokens > budget:
        raise RequestTooLarge(
            f"This message and the instructions before it are {tokens} tokens long. "
            f"The model reads {budget} at most: shorten the message."
        )
    return Fit(turns, len(request.turns) - len(turns), tokens, min(wanted, max_context - tokens))


def _starts(turns: Sequence[Turn], *, max_chars: int) -> list[int]:
    """Give the places from which a shortened conversation may be read: all, then user turns.

    Leaves out those with more characters after them, but for the last.
    """
    starts = [0, *(i for i, turn in enumerate(turns) if i > 0 and turn.role == "user")]
    chars = [*accumulate(len(turn.content) for turn in reversed(turns))][::-1]
    return [start for start in starts[:-1] if chars[start] <= max_chars] + starts[-1:]


def _from(turns: Sequence[Turn], start: int) -> list[Turn]:
    return [turn for i, turn in enumerate(turns) if i >= start or turn.role == "system"]
