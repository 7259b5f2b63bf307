"""Who may enter a batch, and when."""

import asyncio
from collections.abc import Awaitable, Callable

from chat_app.inference.admission import Admission


class Guests:
    """Requests that stay until they are sent away."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.inside: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, blocks: int) -> None:
        self.tasks[name] = asyncio.create_task(self._stay(name, blocks))
        await self.settle()

    async def go(self, name: str) -> None:
        self.tasks[name].cancel()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def _stay(self, name: str, blocks: int) -> None:
        async with self.admission.hold(blocks):
            self.inside.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.inside.remove(name)


def play(story: Callable[[Guests], Awaitable[None]], *, rows: int = 2, blocks: int = 10) -> None:
    async def run() -> None:
        admission = Admission(rows=rows, blocks=blocks)
        guests = Guests(admission)
        await story(guests)
        for name in list(guests.tasks):
            await guests.go(name)
        assert (admission.free_rows, admission.free_blocks) == (rows, blocks)

    asyncio.run(run())


def test_third_waits_for_a_row_and_takes_the_first_that_is_free() -> None:
    async def story(guests: Guests) -> None:
        for name in ("alice", "bob", "mona"):
            await guests.come(name, 1)
        assert guests.inside == ["alice", "bob"]

        await guests.go("alice")

        assert guests.inside == ["bob", "mona"]

    play(story)


def test_large_one_waits_for_memory_and_is_not_overtaken() -> None:
    async def story(guests: Guests) -> None:
        await guests.come("alice", 6)
        await guests.come("bob", 6)
        await guests.come("mona", 1)
        assert guests.inside == ["alice"]

        await guests.go("alice")

        assert guests.inside == ["bob", "mona"]

    play(story)


def test_one_that_gives_up_waiting_lets_the_next_pass() -> None:
    async def story(guests: Guests) -> None:
        await guests.come("alice", 6)
        await guests.come("bob", 6)
        await guests.come("mona", 1)

        await guests.go("bob")

        assert guests.inside == ["alice", "mona"]

    play(story)


def test_one_that_gives_up_in_the_instant_it_is_let_in_leaves_its_place() -> None:
    async def story(guests: Guests) -> None:
        await guests.come("alice", 1)
        await guests.come("bob", 1)

        guests.tasks["alice"].cancel()
        guests.tasks["late"] = asyncio.create_task(guests._stay("late", 1))
        await asyncio.sleep(0)
        guests.tasks["late"].cancel()
        await guests.settle()

        assert guests.inside == ["bob"]

    play(story, rows=2)
