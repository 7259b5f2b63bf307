"""Lines of files that are not trees: conversations, pairs of answers, prompts. Pure.

Each reader turns one JSON object into turns `{"role": user|assistant|system, "content"}`. White
space around a text is dropped: it would melt into the tokens of the template.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Turn = dict[str, str]
Kind = Literal["messages", "pairs", "hh", "prompts"]

# As chat templates call them, and other words for the same.
_ROLES = {name: name for name in ("system", "user", "assistant")}
_ROLES |= {"prompter": "user", "human": "user", "gpt": "assistant"}
_HH_TURN = re.compile(r"\n\n(Human|Assistant):")


class RowError(ValueError):
    """The line does not follow its format; the text says why."""


class Undecided(ValueError):
    """A pair of which nobody, or as many as not, prefer one."""


@dataclass(frozen=True)
class Conversation:
    """What may be imitated: it ends on an answer."""

    messages: list[Turn]
    lang: str = ""


@dataclass(frozen=True)
class Pair:
    """Two answers to the same prompt, of which people liked one better."""

    prompt: list[Turn]
    chosen: str
    rejected: str
    lang: str = ""


@dataclass(frozen=True)
class Prompt:
    """A conversation that waits for an answer."""

    messages: list[Turn]
    lang: str = ""


Row = Conversation | Pair | Prompt


def recognise(row: Mapping[str, Any]) -> Kind | None:
    """Which format the line has, by its keys; None if no known one."""
    keys = row.keys()
    if {"chosen", "rejected"} <= keys:
        told = isinstance(row["chosen"], str) and "prompt" not in keys
        return "hh" if told else "pairs"
    if {"output_1", "output_2", "label"} <= keys or {"response1", "response2"} <= keys:
        return "pairs"
    if "messages" in keys or {"instruction", "response"} <= keys:
        return "messages"
    return "prompts" if "prompt" in keys or "text" in keys else None


def parse(row: Mapping[str, Any], kind: Kind) -> Row:
    """Read one line. Raises RowError, or Undecided for a pair without a preference."""
    lang = row.get("lang")
    return replace(_parse(row, kind), lang=lang if isinstance(lang, str) else "")


def _parse(row: Mapping[str, Any], kind: Kind) -> Row:
    if kind == "hh":
        return _from_dialogues(_dialogue(row, "chosen"), _dialogue(row, "rejected"))
    if kind == "pairs":
        return _pair(row)
    if kind == "messages":
        return _conversation(row)
    return Prompt(_open(_prompt(row)))


def _conversation(row: Mapping[str, Any]) -> Row:
    if "messages" not in row:  # dolly's columns
        question = _joined(_text(row, "instruction"), row.get("context"))
        messages = [_turn("user", question), _turn("assistant", _text(row, "response"))]
        return Conversation(_checked(messages))
    messages = _checked(_turns(row["messages"], "messages"))
    return Conversation(messages) if messages[-1]["role"] == "assistant" else Prompt(messages)


def _prompt(row: Mapping[str, Any]) -> list[Turn]:
    name = "prompt" if "prompt" in row else "text"
    value = row[name]
    return [_turn("user", _text(row, name))] if isinstance(value, str) else _turns(value, name)


# Pairs


def _pair(row: Mapping[str, Any]) -> Pair:
    if "response1" in row:  # PandaLM: one verdict per person, 0 for a tie
        votes = [value for name, value in sorted(row.items()) if name.startswith("annotator")]
        asked = _joined(_text(row, "instruction"), row.get("input"))
        return _preferred(asked, row, ("response1", "response2"), _majority(votes))
    if "output_1" in row:  # LLMBar
        return _preferred(_text(row, "input"), row, ("output_1", "output_2"), row["label"])
    if "prompt" in row:
        prompt = _open(_prompt(row))
        return Pair(prompt, _answer(row, "chosen", prompt), _answer(row, "rejected", prompt))
    return _from_dialogues(_turns(row["chosen"], "chosen"), _turns(row["rejected"], "rejected"))


def _preferred(prompt: str, row: Mapping[str, Any], names: tuple[str, str], winner: Any) -> Pair:
    if winner in (0, None):
        raise Undecided("no answer was preferred")
    if winner not in (1, 2):
        raise RowError(f"the verdict is {winner!r}, expected 1, 2, or 0 for a tie")
    better, worse = names if winner == 1 else names[::-1]
    return Pair(_open([_turn("user", prompt)]), _text(row, better), _text(row, worse))


def _majority(votes: Sequence[Any]) -> int:
    """The verdict of more than half; 0 if there is none."""
    if not votes or not all(vote in (0, 1, 2) for vote in votes):
        raise RowError("annotator1 …: expected verdicts 0, 1 or 2")
    verdict, count = Counter(votes).most_common(1)[0]
    return int(verdict) if count * 2 > len(votes) else 0


def _answer(row: Mapping[str, Any], name: str, prompt: list[Turn]) -> str:
    """The text of one answer: it stands alone, as one turn, or after the prompt's turns."""
    value = row[name]
    if isinstance(value, str):
        return _text(row, name)
    given = _turns(value, name)
    if len(given) > 1 and given[:-1] != prompt:
        raise RowError(f"{name}: does not begin with the prompt")
    if given[-1]["role"] != "assistant":
        raise RowError(f"{name}: expected an answer of the assistant")
    return given[-1]["content"]


def _from_dialogues(chosen: list[Turn], rejected: list[Turn]) -> Pair:
    if chosen[:-1] != rejected[:-1]:
        raise RowError("the two dialogues differ before their last answer")
    if {chosen[-1]["role"], rejected[-1]["role"]} != {"assistant"}:
        raise RowError("the two dialogues do not both end on an answer")
    return Pair(_open(chosen[:-1]), chosen[-1]["content"], rejected[-1]["content"])


def _dialogue(row: Mapping[str, Any], name: str) -> list[Turn]:
    """Turns of HH-RLHF's text, `\\n\\nHuman: … \\n\\nAssistant: …`."""
    before, *parts = _HH_TURN.split(f"\n\n{_text(row, name)}")
    if before or not parts:
        raise RowError(f"{name}: expected a dialogue that begins with Human:")
    speakers = {"Human": "user", "Assistant": "assistant"}
    return [
        _turn(speakers[speaker], text)
        for speaker, text in zip(parts[::2], parts[1::2], strict=True)
    ]


# Turns


def _turns(value: Any, name: str) -> list[Turn]:
    if not isinstance(value, list) or not value:
        raise RowError(f"{name}: expected a list of turns")
    turns = []
    for given in value:
        if not isinstance(given, dict) or not isinstance(given.get("content"), str):
            raise RowError(f"{name}: expected turns with role and content")
        role = _ROLES.get(str(given.get("role")))
        if role is None:
            raise RowError(f"{name}: role {given.get('role')!r}, expected user or assistant")
        turns.append(_turn(role, given["content"]))
    return turns


def _open(turns: list[Turn]) -> list[Turn]:
    """Check that an answer can follow."""
    if _checked(turns)[-1]["role"] != "user":
        raise RowError("the prompt does not end on a turn of the user")
    return turns


def _checked(turns: list[Turn]) -> list[Turn]:
    """Check that user and assistant take turns, after system text at most, and say something."""
    spoken = turns[1:] if turns and turns[0]["role"] == "system" else turns
    wanted = ["user", "assistant"] * (len(spoken) // 2 + 1)
    if not spoken or [turn["role"] for turn in spoken] != wanted[: len(spoken)]:
        raise RowError("user and assistant do not take turns")
    if not all(turn["content"] for turn in spoken):
        raise RowError("a turn is empty")
    return turns


def _turn(role: str, content: str) -> Turn:
    return {"role": role, "content": _clean(content)}


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise RowError(f"{name}: expected a text")
    return _clean(value)


def _clean(text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise RowError("not valid Unicode")
    return text.strip()


def _joined(instruction: str, more: Any) -> str:
    return f"{instruction}\n\n{more}" if isinstance(more, str) and more.strip() else instruction
