"""Where a worker writes: takes replies from the table, lets the engine answer, tells the readers.

All of it runs in one event loop; the database is asked in one thread beside it. Knows no RQ.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connections
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat_app import replies, streams, workers
from chat_app.draft import Draft
from chat_app.enums import MessageState
from chat_app.inference.requests import Engine, EngineError, RequestTooLarge
from chat_app.models import ServedModel, Worker
from chat_app.replies import Claim, Outcome

logger = logging.getLogger(__name__)
T = TypeVar("T")

# How soon a stop, a deleted chat, or a reply whose wake-up got lost is noticed.
LOOK_EVERY_S = 0.5
RENEWALS_PER_LEASE = 3
DRAIN_S = 25.0
DATABASE_PAUSE_S = 1.0
_BROKE = _("The model could not finish this answer. Continue it, or ask again.")


class Desk:
    """Writes as many replies at once as the engine has rows."""

    def __init__(
        self,
        engine: Engine,
        model: ServedModel,
        worker: Worker,
        *,
        drain_s: float = DRAIN_S,
        has_changed: Callable[[], bool] | None = None,
    ) -> None:
        """`drain_s`: how long replies may still take once the worker is to end. `has_changed`:
        whether other weights are to be loaded; by default, whether the model was replaced."""
        self._engine = engine
        self._model = model
        self._worker = worker
        self._drain_s = drain_s
        self._has_changed = has_changed or partial(workers.is_replaced, model)
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._drafts: dict[UUID, Draft] = {}
        self._database = ThreadPoolExecutor(1, "database")
        self._news = asyncio.Event()
        self._ending = asyncio.Event()
        self.is_outdated = False  # the model has other weights now than those that write here
        self._hurry = asyncio.Event()
        self._rate = _Rate()

    # Called from the event loop's thread only.

    def wake(self) -> None:
        """Look into the table now."""
        self._news.set()

    def end(self) -> None:
        """Take no more; at the second call give back what is not finished."""
        if self._ending.is_set():
            self._hurry.set()
        self._ending.set()
        self._news.set()

    async def run(self) -> None:
        """Work until `end` was called, or the model was replaced, and every reply is finished or
        handed back."""
        tending = asyncio.create_task(self._tend())
        try:
            while not self._ending.is_set() and not tending.done():
                await self._take_all()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), LOOK_EVERY_S)
                self._news.clear()
            await self._drain()
        finally:
            tending.cancel()
            await self._ask(workers.leave, self._worker.pk, now=timezone.now())
            await asyncio.get_running_loop().run_in_executor(self._database, connections.close_all)
            self._database.shutdown()
        with suppress(asyncio.CancelledError):
            await tending  # if it broke, the process ends with its error

    # Taking

    async def _take_all(self) -> None:
        while len(self._tasks) < self._engine.info.max_batch and not self._ending.is_set():
            claim = await self._ask(replies.claim, self._model, self._worker, now=timezone.now())
            if claim is None:
                return
            self._begin(claim)

    def _begin(self, claim: Claim) -> None:
        # Cron may have called the last attempt lost while this process stood still.
        if (stalled := self._drafts.get(claim.reply_id)) is not None and not stalled.is_ending:
            self._cancel(claim.reply_id)
        draft = Draft(claim)
        task = asyncio.create_task(self._write(draft))
        self._drafts[claim.reply_id], self._tasks[claim.reply_id] = draft, task
        task.add_done_callback(lambda _task: self._put_away(draft))

    def _put_away(self, draft: Draft) -> None:
        if self._drafts.get(draft.claim.reply_id) is draft:
            del self._drafts[draft.claim.reply_id], self._tasks[draft.claim.reply_id]
        self._rate.add(draft.tokens)
        self.wake()

    # Writing

    async def _write(self, draft: Draft) -> None:
        """Write one reply to its end, whatever that is; nothing escapes."""
        try:
            outcome = await self._outcome(draft)
        except streams.Superseded:
            logger.warning("reply %s: a newer attempt took over", draft.claim.reply_id)
            return
        if outcome is not None:
            draft.is_ending, claim = True, draft.claim
            await self._ask(
                replies.finish,
                claim.reply_id,
                claim.attempt,
                outcome,
                now=timezone.now(),
                entries=draft.entries,
            )

    async def _outcome(self, draft: Draft) -> Outcome | None:
        """How the reply ended; None if it is not this worker's to end any more."""
        try:
            async with aclosing(self._engine.generate(draft.claim.request)) as events:
                await draft.take_all(events)
        except RequestTooLarge as error:
            return draft.outcome(MessageState.FAILED, error=str(error))
        except EngineError as error:
            logger.warning("reply %s: %s", draft.claim.reply_id, error)
            return draft.outcome(MessageState.INTERRUPTED, error=str(_BROKE))
        except asyncio.CancelledError:
            if not draft.is_stopped:
                return None
            return draft.outcome(MessageState.STOPPED)
        except streams.Superseded:
            raise
        except Exception:
            logger.exception("reply %s broke its worker's task", draft.claim.reply_id)
            return draft.outcome(MessageState.INTERRUPTED, error=str(_BROKE))
        return draft.outcome(MessageState.DONE)

    # Tending

    async def _tend(self) -> None:
        """Keep the leases, notice stops, beat, and look after what other workers left."""
        renew_every_s = settings.CHAT_LEASE_S / RENEWALS_PER_LEASE
        renewed_at, looked_at = -renew_every_s, time.monotonic()
        while True:
            now = time.monotonic()
            self._rate.note_time(now - looked_at, is_busy=bool(self._drafts))
            looked_at, is_due = now, now - renewed_at >= renew_every_s
            if is_due:
                renewed_at = now
            held = {reply_id: draft.claim.attempt for reply_id, draft in self._drafts.items()}
            if held:
                look = replies.renew if is_due else replies.standing
                self._settle(await self._ask(look, self._worker.pk, held), held)
            if is_due:  # after its own leases, which a machine that slept finds run out
                await self._beat()
            await asyncio.sleep(LOOK_EVERY_S)

    def _settle(self, standing: replies.Standing, asked: Mapping[UUID, int]) -> None:
        for reply_id in standing.stopped | standing.lost:
            draft = self._drafts.get(reply_id)
            if draft is None or draft.claim.attempt != asked[reply_id]:
                continue  # a newer attempt began while the database was asked
            if not draft.is_ending:
                draft.is_stopped = reply_id in standing.stopped
                self._cancel(reply_id)

    def _cancel(self, reply_id: UUID) -> None:
        """Cancel once: a second time would cut off what is being sent and stored."""
        self._drafts[reply_id].is_ending = True
        self._tasks[reply_id].cancel()

    async def _beat(self) -> None:
        written = sum(draft.tokens for draft in self._drafts.values())
        await self._ask(
            workers.beat,
            self._worker.pk,
            running=len(self._tasks),
            tokens_per_s=self._rate.measure(written),
        )
        if await self._ask(self._has_changed) and not self.is_outdated:
            logger.info("%s, or what shares its base, has new weights", self._model.name)
            self.is_outdated = True
            self.end()
        try:
            await self._ask(replies.reap, now=timezone.now(), but=set(self._drafts))
        except Exception:  # one bad row must not end the workers one after the other
            logger.exception("other workers' replies could not be taken care of")

    # Ending

    async def _drain(self) -> None:
        """Finish what is begun; what takes too long goes back into the queue."""
        hurry = asyncio.create_task(self._hurry.wait())
        deadline = time.monotonic() + self._drain_s
        while self._tasks and not self._hurry.is_set() and time.monotonic() < deadline:
            left_s = max(0.0, deadline - time.monotonic())
            await asyncio.wait(
                [hurry, *self._tasks.values()],
                timeout=left_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        hurry.cancel()
        held = {reply_id: draft.claim.attempt for reply_id, draft in self._drafts.items()}
        tasks = dict(self._tasks)
        for reply_id in tasks:
            if not self._drafts[reply_id].is_ending:
                self._cancel(reply_id)
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        if held:
            back = await self._ask(replies.hand_back, self._worker.pk, held, now=timezone.now())
            logger.info("handed %d replies back", back)

    async def _ask(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        """Call the database in its thread, again and again while it is away.

        Every call may run twice: an attempt ends once, and a claim that got lost has a lease.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(
                    self._database, _with_fresh_connection, function, args, named
                )
            except (OperationalError, InterfaceError) as error:
                logger.warning("the database is away: %s", type(error).__name__)
                if self._hurry.is_set():
                    raise
                await asyncio.sleep(DATABASE_PAUSE_S)


def _with_fresh_connection(
    function: Callable[..., T], args: tuple[Any, ...], named: dict[str, Any]
) -> T:
    close_old_connections()
    return function(*args, **named)


class _Rate:
    """Tokens a second while there was something to write; idle time does not count."""

    def __init__(self) -> None:
        self._finished = 0
        self._seen = 0
        self._busy_s = 0.0
        self._latest = 0.0

    def add(self, tokens: int) -> None:
        """Count a reply that has ended."""
        self._finished += tokens

    def note_time(self, seconds: float, *, is_busy: bool) -> None:
        self._busy_s += seconds if is_busy else 0

    def measure(self, under_way: int) -> float:
        """The rate since the last call, with the tokens of running replies; else the last one."""
        total = self._finished + under_way
        new, self._seen = total - self._seen, total
        busy_s, self._busy_s = self._busy_s, 0.0
        if new > 0 and busy_s > 0:
            self._latest = round(new / busy_s, 2)
        return self._latest
