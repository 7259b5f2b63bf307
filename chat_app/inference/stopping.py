"""Turns tokens into text that may be shown: whole characters, and no part of a stop string. Pure.

The end of a sequence of tokens is also found here; when a request ends is the engine's business.
"""

from collections.abc import Callable, Sequence

REPLACEMENT = "\ufffd"  # what decoders give for bytes that are no character, or not yet one
MAX_PENDING_TOKENS = 3  # a character has at most four bytes, and a token at least one
MAX_WINDOW_TOKENS = 64


class StopText:
    """Lets text through and holds back what may turn out to be the start of a stop string.

    The stop string that is complete first counts; of several that end there the longest.
    How the text is cut into pieces does not change what comes out.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self.is_stopped = False

    def push(self, text: str) -> str:
        """Take more text, give what is safe to show. Gives nothing after the stop."""
        if self.is_stopped:
            return ""
        held = self._held + text
        match = first_stop(held, self._stop)
        if match is not None:
            self.is_stopped, self._held = True, ""
            return held[:match]
        safe = len(held) - _longest_start(held, self._stop)
        self._held = held[safe:]
        return held[:safe]

    def flush(self) -> str:
        """Give what was held back: the text ended without becoming a stop string."""
        held, self._held = self._held, ""
        return held


def first_stop(text: str, stop: Sequence[str]) -> int | None:
    """Give where the stop string that is complete first begins, None if there is none."""
    ends = [
        (found + len(word), found) for word in stop for found in [text.find(word)] if found >= 0
    ]
    return min(ends)[1] if ends else None


def _longest_start(text: str, stop: Sequence[str]) -> int:
    """Give how many characters at the end of `text` are the start of some stop string."""
    most = max((len(word) - 1 for word in stop), default=0)
    for size in range(min(most, len(text)), 0, -1):
        if any(word.startswith(text[-size:]) for word in stop):
            return size
    return 0


class Detokenizer:
    """Turns tokens into text as they come. Bytes of an unfinished character wait for the rest.

    Only the last few tokens are decoded again and again. They keep some context before them, as
    decoders treat the first token of a text specially.
    """

    def __init__(self, decode: Callable[[list[int]], str], before: Sequence[int] = ()) -> None:
        """Take the decoder and, where the text carries on another one, the tokens before it."""
        self._decode = decode
        self._window = list(before[-MAX_PENDING_TOKENS - 1 :])
        self._group = len(self._window)  # where in the window the latest whole characters begin
        self._given = len(decode(self._window)) if self._window else 0
        self._pending = 0

    def push(self, token: int) -> str:
        """Take a token, give the characters that are whole now."""
        self._window.append(token)
        self._pending += 1
        text = self._decode(self._window)
        whole = len(text) - self._unfinished(text)
        new = text[self._given : whole]
        if new:
            self._given, self._pending = whole, 0
        if whole == len(text):
            self._advance()
        return new

    def _unfinished(self, text: str) -> int:
        """Give how many characters at the end may still become others."""
        if not text.endswith(REPLACEMENT) or len(self._window) >= MAX_WINDOW_TOKENS:
            return 0
        if self._pending > MAX_PENDING_TOKENS:  # no character takes so long: these bytes are bad
            return 1
        return len(text) - len(text.rstrip(REPLACEMENT))

    def _advance(self) -> None:
        """Forget what stands before the latest group of whole characters."""
        self._window = self._window[self._group :]
        self._group = len(self._window)
        self._given, self._pending = len(self._decode(self._window)), 0
