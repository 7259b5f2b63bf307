"""People for locust: each signs in with a link and goes on at the pace of the plan's phases.

LOAD_PLAN is a JSON file: `links`, `phases` as [seconds, requests a second] and `record`, the file
that gets a line per request: when, phase, name, status (0 without an answer), milliseconds. The
first phase begins `settle_s` after everybody is there.
"""

import json
import os
import random
import time
from pathlib import Path
from typing import Any

from locust import FastHttpUser, events, task

from tests.load.people import Person

PLAN = json.loads(Path(os.environ["LOAD_PLAN"]).read_text())
LINKS: list[str] = PLAN["links"]
PEOPLE = len(LINKS)
RECORD = Path(PLAN["record"]).open("w", buffering=1)  # noqa: SIM115 - until the process ends
_clock: dict[str, float] = {}


def phase() -> int | None:
    """The number of the phase that runs; None while people sign in, and after the last."""
    if "began" not in _clock:
        return None
    passed = time.monotonic() - _clock["began"]
    if passed < 0:
        return None
    for number, (seconds, _rate) in enumerate(PLAN["phases"]):
        if passed < seconds:
            return number
        passed -= seconds
    return None


@events.spawning_complete.add_listener
def begin(**_more: Any) -> None:
    _clock.setdefault("began", time.monotonic() + PLAN["settle_s"])


@events.request.add_listener
def note(name: str, response_time: float, response: Any = None, **_more: Any) -> None:
    status = getattr(response, "status_code", 0) or 0
    now = phase()
    if now is not None:
        line = [round(time.monotonic() - _clock["began"], 3), now, name, status, response_time]
        RECORD.write(json.dumps(line) + "\n")


class Browser:
    """What `Person` asks of a browser."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get(self, path: str, *, name: str) -> Any:
        return self._client.get(path, name=name)

    def post(self, path: str, data: dict[str, str], *, name: str) -> Any:
        return self._client.post(path, data=data, name=f"{name} (send)", allow_redirects=False)


class Visitor(FastHttpUser):
    """One of the people."""

    network_timeout = connection_timeout = 30.0

    def on_start(self) -> None:
        link = LINKS.pop()
        self.person = Person(Browser(self.client), random.Random(link))
        self.person.sign_in(link)
        self._next_at = 0.0

    def wait_time(self) -> float:
        now, running = time.monotonic(), phase()
        rate = PLAN["phases"][running or 0][1]
        if running is None:
            return 0.5 + random.random()
        # The first time anywhere in the period, so that people do not go in step.
        step_s = PEOPLE / rate
        due = self._next_at + step_s if self._next_at else now + random.random() * step_s
        self._next_at = min(max(due, now), now + step_s)
        return self._next_at - now

    @task
    def go_on(self) -> None:
        if phase() is not None:
            self.person.step()
