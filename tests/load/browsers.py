"""A browser that does not give up: it sends what failed again, and writes down how that went."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import requests

RETRY_AFTER_S = 0.2
ATTEMPT_TIMEOUT_S = 15.0


@dataclass
class Record:
    """What all browsers of a site met, times in seconds."""

    requests: int = 0
    # Attempts by what they ended with, where that was not well: "503", "ConnectionError", …
    troubles: dict[str, int] = field(default_factory=dict)
    # Requests that no attempt brought through.
    given_up: list[str] = field(default_factory=list)
    # Of any attempt that was answered.
    slowest_s: float = 0.0
    # From the first failed attempt to a good answer.
    longest_away_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note_trouble(self, what: str) -> None:
        """Count an attempt that failed."""
        with self.lock:
            self.troubles[what] = self.troubles.get(what, 0) + 1

    def note_answer(self, took_s: float) -> None:
        """Count how long an answer took, good or bad."""
        with self.lock:
            self.slowest_s = max(self.slowest_s, took_s)

    def take_slowest(self) -> float:
        """How long the slowest answer took so far; from now on it is another's turn."""
        with self.lock:
            slowest_s, self.slowest_s = self.slowest_s, 0.0
            return round(slowest_s, 2)

    def note_success(self, away_s: float) -> None:
        """Count a request that came through."""
        with self.lock:
            self.requests += 1
            self.longest_away_s = max(self.longest_away_s, away_s)

    def figures(self) -> dict[str, Any]:
        """What a report says."""
        return {
            "requests": self.requests,
            "troubles": dict(sorted(self.troubles.items())),
            "given_up": self.given_up,
            "slowest_answer_s": round(self.slowest_s, 2),
            "longest_away_s": round(self.longest_away_s, 2),
        }


class PatientBrowser:
    """Sends a request again until it is answered by something else than 503, for a while."""

    def __init__(self, address: str, record: Record, *, patience_s: float = 60.0) -> None:
        self.record = record
        self._address = address
        self._patience_s = patience_s
        self._session = requests.Session()

    def get(self, path: str, *, name: str) -> requests.Response:
        return self._send("GET", path, name, allow_redirects=True)

    def post(self, path: str, data: dict[str, str], *, name: str) -> requests.Response:
        headers = {"Referer": self._address}
        return self._send("POST", path, name, data=data, headers=headers, allow_redirects=False)

    def _send(self, method: str, path: str, name: str, **options: Any) -> requests.Response:
        began = time.monotonic()
        first_trouble_at = 0.0
        while time.monotonic() - began < self._patience_s:
            response, trouble = self._attempt(method, path, **options)
            if response is not None and not trouble:
                away_s = time.monotonic() - first_trouble_at if first_trouble_at else 0.0
                self.record.note_success(away_s)
                return response
            first_trouble_at = first_trouble_at or time.monotonic()
            self.record.note_trouble(trouble)
            time.sleep(RETRY_AFTER_S)
        self.record.given_up.append(f"{method} {name}")
        raise TimeoutError(f"{method} {name} was not answered")

    def _attempt(
        self, method: str, path: str, **options: Any
    ) -> tuple[requests.Response | None, str]:
        started = time.monotonic()
        try:
            response = self._session.request(
                method, self._address + path, timeout=ATTEMPT_TIMEOUT_S, **options
            )
        except requests.RequestException as error:
            return None, type(error).__name__
        self.record.note_answer(time.monotonic() - started)
        return response, str(response.status_code) if response.status_code >= 500 else ""
