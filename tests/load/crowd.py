"""People at work on a running site, in threads, until they are told to go home."""

import asyncio
import random
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.chat_app.faults.visitor import Visitor
from tests.load.browsers import PatientBrowser, Record
from tests.load.people import Answer, Person

THINKING_S = 0.5
CHAT_PATIENCE_S = 150.0


@dataclass
class Crowd:
    """Everybody, and what they were told."""

    address: str
    port: int
    record: Record = field(default_factory=Record)
    people: list[Person] = field(default_factory=list)
    visits: list[Visitor] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _home_time: threading.Event = field(default_factory=threading.Event)

    @property
    def answers(self) -> list[Answer]:
        """All that the site said it took."""
        return [answer for person in self.people for answer in person.answers]

    @contextmanager
    def at_work(self, links: Sequence[str], chats: Sequence[Sequence[Any]]) -> Iterator[None]:
        """Let one person per link browse and work, and one per list of (chat, cookie) chat."""
        threads = [
            threading.Thread(target=self._person, args=(n, link)) for n, link in enumerate(links)
        ]
        threads += [threading.Thread(target=self._chatter, args=(own,)) for own in chats]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._home_time.set()
            for thread in threads:
                thread.join(CHAT_PATIENCE_S + 30)
                assert not thread.is_alive(), "somebody hangs"

    def _person(self, number: int, link: str) -> None:
        rng = random.Random(number)
        person = Person(PatientBrowser(self.address, self.record), rng)
        self.people.append(person)
        try:
            person.sign_in(link)
            while not self._home_time.wait(rng.uniform(0, 2 * THINKING_S)):
                person.step()
        except Exception as error:  # noqa: BLE001 - the report tells it
            self._tell(error)

    def _chatter(self, own: Sequence[Any]) -> None:
        for number, (chat, cookie) in enumerate(own):
            if self._home_time.is_set():
                return
            visit = Visitor(self.port, chat, cookie, f"{number}: !long 150")
            self.visits.append(visit)
            try:
                asyncio.run(visit.stay(CHAT_PATIENCE_S))
            except Exception as error:  # noqa: BLE001
                self._tell(error)

    def _tell(self, error: Exception) -> None:
        traceback.print_exc(file=sys.stderr)
        self.failures.append(f"{type(error).__name__}: {error}")
