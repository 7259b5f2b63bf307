"""How many frames a socket may send: a bucket that fills again with time."""

import time


class Pace:
    """Allows `burst` at once and `per_s` a second after that."""

    __slots__ = ("_burst", "_left", "_per_s", "_seen_at")

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._left, self._seen_at = burst, time.monotonic()

    def take(self) -> float:
        """Take one. Gives 0, or the seconds until there is one again."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._seen_at) * self._per_s)
        self._seen_at = now
        if self._left < 1:
            return (1 - self._left) / self._per_s
        self._left -= 1
        return 0.0
