"""Says of a text whether it is fine, gets a mark, or is held back. Pure; models come later."""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.enums import Hold


@dataclass(frozen=True)
class Finding:
    """What the check found: `reason` is a word for moderators, empty if all is well."""

    hold: Hold = Hold.NONE
    reason: str = ""


def check(text: str) -> Finding:
    """Look for what may put somebody at risk."""
    return Finding()


def kind_words(finding: Finding) -> str:
    """What the person reads when a text is held back."""
    return ""
