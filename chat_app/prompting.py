"""Puts together what a model reads: the system part and the turns of a thread. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chat_app.enums import Hold, Role
from chat_app.inference.requests import Turn

# Custom instructions should not turn up where they do not matter.
_PROFILE = "What the user says about themselves, to be used only where it matters:\n{}"
_MANNER = "How the user wants to be answered, unless a message asks for something else:\n{}"


class Said(Protocol):
    """What a turn is made of."""

    role: str
    text: str
    hold: str


def system_text(model_text: str, about_me: str = "", how_to_respond: str = "") -> str:
    """Join the model's own system prompt and a person's custom instructions."""
    parts = [
        model_text.strip(),
        _PROFILE.format(about_me.strip()) if about_me.strip() else "",
        _MANNER.format(how_to_respond.strip()) if how_to_respond.strip() else "",
    ]
    return "\n\n".join(part for part in parts if part)


def turns(thread: Iterable[Said], *, system: str = "", prefix: str = "") -> list[Turn]:
    """Turn a thread, root first, into what chat templates take.

    Roles alternate, as most templates demand: replies that failed or were held leave no turn, and
    prompts that then follow each other are joined. `prefix` is the beginning of the answer.
    """
    joined: list[Turn] = [Turn("system", system)] if system else []
    for said in thread:
        if not said.text or said.hold == Hold.HELD:
            continue
        role = "user" if said.role == Role.PROMPTER else "assistant"
        if joined and joined[-1].role == role == "user":
            joined[-1] = Turn("user", f"{joined[-1].content}\n\n{said.text}")
        else:
            joined.append(Turn("user" if role == "user" else "assistant", said.text))
    if prefix:
        joined.append(Turn("assistant", prefix))
    return joined
