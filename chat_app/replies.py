"""The life of one reply, from the request to its end. Nobody else writes its state or its text.

Replies wait in the table; workers take them under a lease that only counts by the database's clock.
Every end goes through `_end`, under the attempt it belongs to.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from chat_app import (
    catalogue,
    conversations,
    notices,
    prompting,
    protocol,
    queueing,
    safety,
    streams,
    waking,
)
from chat_app.enums import Hold, MessageState, Role
from chat_app.errors import (
    BadParent,
    ChatTooLong,
    ModelNotOnOffer,
    NothingToContinue,
    QueueFull,
    TooManyWaiting,
)
from chat_app.inference.requests import EngineRequest
from chat_app.inference.sampling import MAX_SEED, SamplingParameters
from chat_app.models import Chat, ChatMessage, CustomInstructions, QueueTurn, ServedModel, Worker

logger = logging.getLogger(__name__)

# A second death over the same reply may be the reply's fault.
MOST_LOSSES = 2
# Nobody waits longer than this for an answer.
PATIENCE = timedelta(hours=1)
MOST_DRAFTS = 4


# Asking


@transaction.atomic
def request(
    prompt: ChatMessage,
    *,
    now: datetime,
    count: int = 1,
    parameters: SamplingParameters | None = None,
    model: ServedModel | None = None,
    seed: int | None = None,
    system_prompt: str = "",
    prefix: str = "",
) -> list[ChatMessage]:
    """Ask for `count` drafts of an answer, with the chat's model and parameters by default.

    Everything that decides the text is frozen here; draft n has the seed of the first plus n.
    `system_prompt` takes the place of the model's and of custom instructions; the answer begins
    with `prefix`.
    Drafts of one request have the same `created_at`, and ids in their order.
    Raises ModelNotOnOffer, TooManyWaiting, QueueFull; the prompt stays, to be asked again.
    """
    chat = prompt.chat
    conversations.lock(chat, chat.user)
    if prompt.role != Role.PROMPTER or not 1 <= count <= MOST_DRAFTS:
        raise BadParent
    model = _offered(model or chat.model or catalogue.default())
    _check_queue(chat, model, count)
    chosen = parameters or catalogue.read_parameters(chat.parameters)
    first_seed = _seed(seed if seed is not None else chosen.seed)
    drafts = [
        _new_reply(prompt, model, _fitted(chosen, model, (first_seed + n) % MAX_SEED), now)
        for n in range(count)
    ]
    for draft in drafts:
        draft.system_prompt, draft.prefix = system_prompt, prefix
    return _enqueue(chat, prompt, drafts, now)


@transaction.atomic
def resume(reply: ChatMessage, *, now: datetime) -> ChatMessage:
    """Carry on a reply that broke off, was stopped or reached its limit, as a new sibling.

    Raises NothingToContinue for one that is complete, and what `request` raises.
    """
    if reply.parent is None or not may_continue(reply):
        raise NothingToContinue
    chat = reply.chat
    conversations.lock(chat, chat.user)
    model = _offered(reply.model)
    _check_queue(chat, model, 1)
    # Another seed: the same one would draw what the first attempt drew at the beginning.
    chosen = _fitted(SamplingParameters.from_dict(reply.parameters), model, _seed(None))
    sibling = _new_reply(reply.parent, model, chosen, now)
    sibling.prefix, sibling.system_prompt = reply.text, reply.system_prompt
    return _enqueue(chat, reply.parent, [sibling], now)[0]


def may_continue(reply: ChatMessage) -> bool:
    """Whether a reply ended before its model had said all, and may be seen."""
    is_shown = reply.role == Role.ASSISTANT and reply.hold != Hold.HELD
    return is_shown and reply.is_truncated


def _offered(model: ServedModel | None) -> ServedModel:
    if model is None or not model.enabled:
        raise ModelNotOnOffer
    return model


def _check_queue(chat: Chat, model: ServedModel, count: int) -> None:
    if chat.messages.count() > settings.CHAT_MAX_MESSAGES:
        raise ChatTooLong
    waiting = ChatMessage.objects.waiting()
    own = waiting.filter(chat__user_id=chat.user_id).count()
    if own + count > settings.CHAT_WAITING_PER_USER:
        raise TooManyWaiting
    if waiting.filter(model=model).count() + count > settings.CHAT_QUEUE_LIMIT:
        raise QueueFull


def _seed(seed: int | None) -> int:
    # Whole numbers that JavaScript keeps exact.
    return secrets.randbelow(2**53) if seed is None else seed


def _fitted(chosen: SamplingParameters, model: ServedModel, seed: int) -> SamplingParameters:
    limit = min(chosen.max_new_tokens, model.max_new_tokens)
    return replace(chosen, max_new_tokens=limit, seed=seed)


def _new_reply(
    prompt: ChatMessage, model: ServedModel, chosen: SamplingParameters, now: datetime
) -> ChatMessage:
    return ChatMessage(
        chat_id=prompt.chat_id,
        parent=prompt,
        role=Role.ASSISTANT,
        depth=prompt.depth + 1,
        state=MessageState.QUEUED,
        model=model,
        model_name=model.name,
        parameters=chosen.to_dict(),
        queued_at=now,
        created_at=now,
    )


def _enqueue(
    chat: Chat, prompt: ChatMessage, drafts: list[ChatMessage], now: datetime
) -> list[ChatMessage]:
    instructed = _system_text(chat, drafts[0])
    ids = sorted(uuid4() for _draft in drafts)
    for draft, draft_id in zip(drafts, ids, strict=True):
        draft.id, draft.system_prompt = draft_id, draft.system_prompt or instructed
    ChatMessage.objects.bulk_create(drafts)
    QueueTurn.objects.get_or_create(user_id=chat.user_id)
    chat.tail, chat.modified_at = drafts[0], now
    chat.save(update_fields=["tail", "modified_at"])
    frame = protocol.Created(str(prompt.pk), [str(d.pk) for d in drafts], str(prompt.key or ""))
    transaction.on_commit(partial(notices.notify, chat.pk, frame))
    transaction.on_commit(partial(waking.wake, drafts[0].model_name))
    return drafts


def _system_text(chat: Chat, draft: ChatMessage) -> str:
    model_text = draft.model.system_prompt if draft.model else ""
    own = CustomInstructions.objects.filter(user_id=chat.user_id, enabled=True).first()
    if own is None:
        return prompting.system_text(model_text)
    return prompting.system_text(model_text, own.about_me, own.how_to_respond)


# Writing


@dataclass(frozen=True)
class Claim:
    """A reply that a worker has taken: what to ask of the engine, and under which attempt."""

    reply_id: UUID
    chat_id: UUID
    attempt: int
    prefix: str
    request: EngineRequest


@transaction.atomic
def claim(model: ServedModel, worker: Worker, *, now: datetime) -> Claim | None:
    """Take the next reply of `model`, if there is one whose turn it is."""
    reply = queueing.next_reply(model)
    if reply is None:
        return None
    reply.attempt += 1
    ChatMessage.objects.filter(pk=reply.pk).update(
        state=MessageState.RUNNING,
        worker=worker,
        attempt=reply.attempt,
        started_at=reply.started_at or now,
        lease_until=Now() + timedelta(seconds=settings.CHAT_LEASE_S),
    )
    logger.info("reply %s: attempt %d by %s", reply.pk, reply.attempt, worker.name)
    return Claim(
        reply_id=reply.pk,
        chat_id=reply.chat_id,
        attempt=reply.attempt,
        prefix=reply.prefix,
        request=_engine_request(reply, adapter=model.name if model.base else ""),
    )


def _engine_request(reply: ChatMessage, *, adapter: str) -> EngineRequest:
    assert reply.parent is not None
    said = conversations.thread(reply.parent)
    return EngineRequest(
        id=f"{reply.pk}:{reply.attempt}",
        turns=prompting.turns(said, system=reply.system_prompt, prefix=reply.prefix),
        parameters=SamplingParameters.from_dict(reply.parameters),
        continues=bool(reply.prefix),
        adapter=adapter,
    )


@dataclass(frozen=True)
class Standing:
    """What became of replies that a worker writes: no longer its own, or to be stopped."""

    lost: set[UUID]
    stopped: set[UUID]


def standing(worker_id: UUID, held: Mapping[UUID, int]) -> Standing:
    """Look at the replies (id: attempt) that a worker writes."""
    rows = ChatMessage.objects.filter(worker_id=worker_id, state=MessageState.RUNNING, pk__in=held)
    found = {
        pk: (attempt, stop)
        for pk, attempt, stop in rows.values_list("pk", "attempt", "stop_requested")
    }
    lost = {pk for pk, attempt in held.items() if found.get(pk, (None,))[0] != attempt}
    return Standing(lost, {pk for pk in held if pk not in lost and found[pk][1]})


def renew(worker_id: UUID, held: Mapping[UUID, int]) -> Standing:
    """Lengthen the leases of replies (id: attempt) that are still the worker's."""
    known = standing(worker_id, held)
    mine = ChatMessage.objects.filter(
        worker_id=worker_id, state=MessageState.RUNNING, pk__in=held.keys() - known.lost
    )
    mine.update(lease_until=Now() + timedelta(seconds=settings.CHAT_LEASE_S))
    return known


@transaction.atomic
def hand_back(worker_id: UUID, held: Mapping[UUID, int], *, now: datetime) -> int:
    """Put replies (id: attempt) back at their place in the queue; it is no fault of theirs.

    One that was to be stopped ends here. Returns how many were still the worker's.
    """
    mine = ChatMessage.objects.filter(
        worker_id=worker_id, state=MessageState.RUNNING, pk__in=held
    ).select_for_update(of=("self",))
    back = [reply for reply in mine if reply.attempt == held[reply.pk]]
    for reply in back:
        _begin_again(reply, now)
    return len(back)


# Ending


@dataclass(frozen=True)
class Outcome:
    """How a reply ended. Nothing but the state and the text matters to those who failed early."""

    state: MessageState
    text: str = ""
    finish_reason: str = ""
    error: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    dropped_turns: int = 0
    first_token_at: datetime | None = None


def finish(
    reply_id: UUID, attempt: int, outcome: Outcome, *, now: datetime, entries: int | None = None
) -> bool:
    """End a running reply with its text. False if this attempt is not the one that counts.

    `entries` is how many its stream should have, so that readers see if they miss one.
    """
    return _end(reply_id, attempt, MessageState.RUNNING, outcome, now, entries)


@transaction.atomic
def stop(reply_id: UUID, *, now: datetime) -> None:
    """End a reply at its person's wish: at once while it waits, else within a second.

    What was written stays. Nothing happens to one that is final.
    """
    reply = ChatMessage.objects.filter(pk=reply_id).select_for_update(of=("self",)).first()
    if reply is None or reply.is_final:
        return
    if reply.state == MessageState.QUEUED:
        # A worker that was lost may have shown something already.
        shown = streams.shown_text(reply.pk) if reply.attempt else ""
        outcome = Outcome(MessageState.STOPPED, text=shown or reply.prefix)
        _end(reply.pk, reply.attempt, MessageState.QUEUED, outcome, now)
    else:
        ChatMessage.objects.filter(pk=reply.pk).update(stop_requested=True)


def reap(*, now: datetime, but: Collection[UUID] = ()) -> int:
    """Take care of replies whose worker died, or for which none came; wakes workers for the rest.

    Runs in every worker, which passes over what it writes itself, and by cron. Returns how many it
    found.
    """
    lost = list(ChatMessage.objects.abandoned().exclude(pk__in=but).values_list("pk", flat=True))
    for reply_id in lost:
        _bury_or_requeue(reply_id, now)
    waiting = ChatMessage.objects.waiting()
    forgotten = waiting.filter(queued_at__lt=now - PATIENCE).values_list("pk", "attempt", "prefix")
    for reply_id, attempt, prefix in forgotten:
        tired = Outcome(MessageState.INTERRUPTED, text=prefix, error=_("No worker came for it."))
        _end(reply_id, attempt, MessageState.QUEUED, tired, now)
    for name in waiting.order_by().values_list("model_name", flat=True).distinct():
        waking.wake(name)
    return len(lost) + len(forgotten)


@transaction.atomic
def _bury_or_requeue(reply_id: UUID, now: datetime) -> None:
    abandoned = ChatMessage.objects.abandoned().filter(pk=reply_id)
    reply = abandoned.select_for_update(of=("self",), skip_locked=True).first()
    if reply is None:
        return
    ChatMessage.objects.filter(pk=reply.pk).update(losses=F("losses") + 1)
    if reply.stop_requested or reply.losses + 1 < MOST_LOSSES:
        _begin_again(reply, now)
    else:
        _end_as_shown(reply, MessageState.INTERRUPTED, now)


def _end_as_shown(reply: ChatMessage, state: MessageState, now: datetime) -> None:
    """End a running reply without its worker. Caller holds the row's lock."""
    text = streams.shown_text(reply.pk) or reply.prefix
    _end(reply.pk, reply.attempt, MessageState.RUNNING, Outcome(state, text=text), now)


def _begin_again(reply: ChatMessage, now: datetime) -> None:
    """Queue a running reply for another worker, or end it if its person asked to stop.

    Caller holds the row's lock.
    """
    if reply.stop_requested:
        _end_as_shown(reply, MessageState.STOPPED, now)
        return
    ChatMessage.objects.filter(pk=reply.pk).update(
        state=MessageState.QUEUED, worker=None, lease_until=None
    )
    logger.warning("reply %s: attempt %d is lost, queued again", reply.pk, reply.attempt)
    transaction.on_commit(partial(waking.wake, reply.model_name))


@transaction.atomic
def _end(
    reply_id: UUID,
    attempt: int,
    standing_in: MessageState,
    outcome: Outcome,
    now: datetime,
    entries: int | None = None,
) -> bool:
    """End a reply, the only place that does. False if its attempt or state is another by now."""
    finding = safety.check(outcome.text)
    values: dict[str, Any] = {**vars(outcome), "hold": finding.hold, "hold_reason": finding.reason}
    ended = ChatMessage.objects.filter(pk=reply_id, attempt=attempt, state=standing_in).update(
        **values, lease_until=None, stop_requested=False, finished_at=now
    )
    if not ended:
        return False
    logger.info("reply %s: %s after attempt %d", reply_id, outcome.state, attempt)
    told = {
        "state": outcome.state,
        "finish_reason": outcome.finish_reason,
        "error": outcome.error,
    }
    transaction.on_commit(partial(streams.end, reply_id, attempt, told, after=entries))
    return True
