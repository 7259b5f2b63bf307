"""One attempt at a reply while it is written: collects the engine's events, feeds the stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime

from django.utils import timezone

from chat_app import safety
from chat_app.enums import Hold, MessageState
from chat_app.inference.requests import Delta, Event, Finished, Started, ToolStep
from chat_app.replies import Claim, Outcome
from chat_app.streams import Writer

logger = logging.getLogger(__name__)

# Tokens go out together: nobody reads faster, and every entry costs each reader some work.
COALESCE_S = 0.05
# How far back the safety check looks while a text grows; the end checks all of it.
SAFETY_WINDOW = 600


class Draft:
    """What has been written of a reply. The first token goes out at once, later ones together."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.text = claim.prefix
        self.tokens = 0
        # Its person asked to stop.
        self.is_stopped = False
        # It comes to its end: too late to stop it.
        self.is_ending = False
        self._writer = Writer(claim.reply_id, claim.attempt, claim.prefix)
        self._unsent = ""
        self._has_news = asyncio.Event()
        self._is_complete = False
        self._is_held = False
        self._finish_reason = ""
        self._prompt_tokens: int | None = None
        self._dropped_turns = 0
        self._first_token_at: datetime | None = None

    async def take_all(self, events: AsyncIterator[Event]) -> None:
        """Take the engine's events to their end, or until the safety check stops them.

        Whatever ends it, what was taken has been sent then. Raises streams.Superseded.
        """
        sending = asyncio.create_task(self._send())
        try:
            async for event in events:
                await self._take(event)
                if sending.done() or self._is_held:
                    break
        finally:
            self._is_complete = True
            self._has_news.set()
            await sending

    @property
    def entries(self) -> int:
        """How many entries of the stream its text took."""
        return self._writer.number

    def outcome(self, state: MessageState, *, error: str = "") -> Outcome:
        """The end of this attempt, with everything there is to store of it."""
        return Outcome(
            state,
            text=self.text,
            error=error,
            finish_reason=self._finish_reason if state == MessageState.DONE else "",
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self.tokens,
            dropped_turns=self._dropped_turns,
            first_token_at=self._first_token_at,
        )

    async def _take(self, event: Event) -> None:
        if isinstance(event, Delta):
            self._first_token_at = self._first_token_at or timezone.now()
            self.tokens += event.tokens
            text = event.text.replace("\x00", "\ufffd")  # which PostgreSQL does not store
            self.text += text
            self._unsent += text
            self._has_news.set()
        elif isinstance(event, Started):
            self._prompt_tokens, self._dropped_turns = event.prompt_tokens, event.dropped_turns
        elif isinstance(event, ToolStep):
            await self._writer.tool(asdict(event))
        elif isinstance(event, Finished):
            self._finish_reason = event.reason
            self._prompt_tokens, self.tokens = event.prompt_tokens, event.completion_tokens

    async def _send(self) -> None:
        await self._writer.append("")  # whoever reads an older attempt begins again
        while not (self._is_complete and not self._unsent):
            await self._has_news.wait()
            self._has_news.clear()
            # All that is to go out, however much came at once, and what stands before it.
            if safety.check(self.text[-SAFETY_WINDOW - len(self._unsent) :]).hold == Hold.HELD:
                self._is_held, self._unsent = True, ""
                continue
            unsent, self._unsent = self._unsent, ""
            if unsent:
                await self._writer.append(unsent)
            if not self._is_complete:
                await asyncio.sleep(COALESCE_S)
