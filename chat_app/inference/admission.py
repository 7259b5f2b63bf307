"""Lets requests into a batch while it has rows and memory for them; the others wait in line."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Admission:
    """Counts free rows and free blocks of memory. First come, first served: a large request at the
    head of the line is not overtaken for ever by small ones.
    """

    def __init__(self, *, rows: int, blocks: int) -> None:
        self.free_rows = rows
        self.free_blocks = blocks
        self._line: deque[tuple[asyncio.Future[None], int]] = deque()

    @asynccontextmanager
    async def hold(self, blocks: int) -> AsyncIterator[None]:
        """Wait for a row and so many blocks, and keep them for the body."""
        await self._enter(blocks)
        try:
            yield
        finally:
            self._leave(blocks)

    async def _enter(self, blocks: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._line.append((turn, blocks))
        self._call()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._line.remove((turn, blocks))
                self._call()  # who stood behind it may fit
            else:  # it was let in and cancelled at once
                self._leave(blocks)
            raise

    def _leave(self, blocks: int) -> None:
        self.free_rows += 1
        self.free_blocks += blocks
        self._call()

    def _call(self) -> None:
        while self._line and self.free_rows and self._line[0][1] <= self.free_blocks:
            turn, blocks = self._line.popleft()
            self.free_rows -= 1
            self.free_blocks -= blocks
            turn.set_result(None)
