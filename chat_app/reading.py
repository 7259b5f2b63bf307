"""What the pages show of chats: the thread in view as entries, chats by day, models on offer.

Reads only; each function needs the same number of queries however much there is to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from chat_app import catalogue, conversations, queueing, replies, workers
from chat_app.conversations import Place
from chat_app.enums import Hold, Quantization, Role, VoteReason
from chat_app.models import Chat, ChatMessage, ServedModel, Vote, Worker
from chat_app.querysets import ChatQuerySet
from chat_app.queueing import QueuePlace
from oasst.lib import keyset
from oasst.lib.keyset import Cursor

if TYPE_CHECKING:
    from oasst.accounts.models import User

# Messages of a long chat that a page shows at first, and that each "earlier" adds.
WINDOW = 40
CHATS_IN_SIDEBAR = 40
CHATS_A_PAGE = 30


GOOD_REASONS = (
    VoteReason.HELPFUL,
    VoteReason.CORRECT,
    VoteReason.WELL_WRITTEN,
    VoteReason.CREATIVE,
)
BAD_REASONS = tuple(reason for reason in VoteReason if reason not in GOOD_REASONS)
_OFF: tuple[Any, ...] = (None, "", [])


def _written(value: Any) -> str:
    return " · ".join(value) if isinstance(value, list) else f"{value}"


@dataclass
class Entry:
    """One message as it stands on the page."""

    message: ChatMessage
    number: int = 1
    count: int = 1
    earlier: ChatMessage | None = None
    later: ChatMessage | None = None
    is_last: bool = False
    # Set while the reply waits.
    queue: QueuePlace | None = None
    worker: Worker | None = None
    # The drafts among which one is to be picked, this one too.
    drafts: list[Entry] = field(default_factory=list)

    @property
    def is_prompt(self) -> bool:
        return self.message.role == Role.PROMPTER

    @property
    def is_running(self) -> bool:
        return not self.message.is_final

    @property
    def stage(self) -> str:
        """How far an unfinished reply is: it waits, is being written, or nobody is there."""
        if self.queue is not None:
            return "waiting" if self.queue.has_worker else "trouble"
        return "writing"

    @property
    def is_held(self) -> bool:
        return self.message.hold == Hold.HELD

    @property
    def is_marked(self) -> bool:
        return self.message.hold == Hold.MARKED

    @property
    def vote(self) -> Vote | None:
        return getattr(self.message, "vote", None)

    @property
    def anchor(self) -> str:
        return str(self.message.pk)

    @property
    def reasons(self) -> list[tuple[str, Any]]:
        """What may be said of the reply after the thumb that it got."""
        fitting = GOOD_REASONS if self.vote is None or self.vote.value > 0 else BAD_REASONS
        return [(reason.value, reason.label) for reason in fitting]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The parameters that were set, as they are written."""
        shown = {
            name: value for name, value in self.message.parameters.items() if value not in _OFF
        }
        return [(name, _written(value)) for name, value in shown.items()]

    @property
    def may_continue(self) -> bool:
        """True if the reply broke off and can be carried on."""
        return bool(self.message.text) and replies.may_continue(self.message)

    @property
    def made_on(self) -> str:
        """Precision and device of the worker, if its row is still there."""
        return f"{quantization_words(self.worker)}, {self.worker.device}" if self.worker else ""

    @property
    def tokens_per_s(self) -> float | None:
        written, seconds = self.message.completion_tokens, self.message.duration_s
        return written / seconds if written and seconds else None


@dataclass
class Thread:
    """What of a chat is in view."""

    entries: list[Entry]
    # The oldest message shown, if there are earlier ones.
    before: ChatMessage | None = None

    @property
    def tail(self) -> Entry | None:
        return self.entries[-1] if self.entries else None

    @property
    def replies(self) -> list[Entry]:
        """The replies in the last place: one, or the drafts."""
        if self.tail is None or self.tail.is_prompt:
            return []
        return self.tail.drafts or [self.tail]

    @property
    def is_running(self) -> bool:
        return any(entry.is_running for entry in self.replies)

    @property
    def has_drafts(self) -> bool:
        return bool(self.tail and self.tail.drafts)

    @property
    def may_say(self) -> bool:
        """True if the next prompt can follow: the last reply is final, one draft is picked."""
        return self.tail is None or not (self.tail.is_prompt or self.is_running or self.has_drafts)


def thread(
    chat: Chat,
    *,
    now: datetime,
    before: UUID | None = None,
    since: UUID | None = None,
    whole: bool = False,
) -> Thread:
    """The end of the thread in view, from `since` on or `whole`; or what is right `before`."""
    places = conversations.outline(chat)
    end = _index(places, before, len(places))
    start = 0 if whole else _index(places, since, max(0, end - WINDOW))
    shown, is_end = places[start:end], bool(places) and end == len(places)
    together = _asked_together(places[-1]) if is_end else []
    messages = _load(chat, [*shown, *places[-2:], *together])
    entries = [_entry(place, messages) for place in shown]
    if entries and is_end:
        entries[-1].is_last = True
        if together and not _is_picked(messages[places[-2].message.pk], together[0]):
            entries[-1].drafts = [_entry(draft, messages) for draft in together]
    _add_workers(entries)
    _add_queue(entries, now)
    return Thread(entries, before=entries[0].message if start else None)


def _index(places: Sequence[Place], message_id: UUID | None, default: int) -> int:
    ids = [place.message.pk for place in places]
    return ids.index(message_id) if message_id in ids else default


def entry(chat: Chat, message_id: UUID, *, now: datetime) -> Entry:
    """One message of the chat. Raises ChatNotFound."""
    message = conversations.message_of(chat, message_id)
    place = Place(message, conversations.siblings(message))
    found = _entry(place, _load(chat, [place]))
    found.is_last = chat.tail_id == message.pk
    _add_workers([found])
    _add_queue([found], now)
    return found


def _load(chat: Chat, places: Iterable[Place]) -> dict[UUID, ChatMessage]:
    """The messages as a page shows them, votes included. One query."""
    rows = chat.messages.select_related("vote", "draft_choice", "model")
    return rows.in_bulk({place.message.pk for place in places})


def _entry(place: Place, messages: Mapping[UUID, ChatMessage]) -> Entry:
    return Entry(
        messages[place.message.pk],
        number=place.number,
        count=len(place.siblings),
        earlier=place.earlier,
        later=place.later,
    )


def _asked_together(last: Place) -> list[Place]:
    """The drafts of one request among the replies in the last place; none if it was for one."""
    if last.message.role != Role.ASSISTANT:
        return []
    asked_at = last.message.queued_at
    together = [message for message in last.siblings if message.queued_at == asked_at]
    return [Place(each, last.siblings) for each in together] if len(together) > 1 else []


def _is_picked(prompt: ChatMessage, draft: Place) -> bool:
    """Whether one of the drafts under a prompt was picked after they were asked for."""
    choice, asked_at = getattr(prompt, "draft_choice", None), draft.message.queued_at
    return choice is not None and asked_at is not None and choice.created_at >= asked_at


def _shown(entries: Iterable[Entry]) -> list[Entry]:
    return [each for entry in entries for each in (entry.drafts or [entry])]


def _add_workers(entries: Iterable[Entry]) -> None:
    shown = _shown(entries)
    workers = Worker.objects.in_bulk({entry.message.worker_id for entry in shown} - {None})
    for entry in shown:
        entry.worker = workers.get(entry.message.worker_id)


def _add_queue(entries: Iterable[Entry], now: datetime) -> None:
    shown = _shown(entries)
    places = queueing.queue_places([entry.message for entry in shown], now=now)
    for entry in shown:
        entry.queue = places.get(entry.message.pk)


# Chats


@dataclass(frozen=True)
class Days:
    """Chats that were last changed in the same stretch of time."""

    label: str
    chats: list[Chat]


def sidebar(user: User, *, now: datetime) -> list[Days]:
    """The newest chats, by day."""
    own = Chat.objects.of(user).filter(archived=False).newest_first()
    return by_days(own[:CHATS_IN_SIDEBAR], now=now)


def by_days(chats: Iterable[Chat], *, now: datetime) -> list[Days]:
    """Newest first: today, yesterday, this week, earlier."""
    today = timezone.localtime(now).date()

    def label(chat: Chat) -> str:
        return _stretch(timezone.localtime(chat.modified_at).date(), today)

    return [Days(words, list(found)) for words, found in groupby(chats, key=label)]


def _stretch(day: date, today: date) -> str:
    if day >= today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    return _("Last 7 days") if day > today - timedelta(days=7) else _("Earlier")


@dataclass(frozen=True)
class Page:
    """One page of a list of chats."""

    chats: list[Chat]
    more: Cursor | None  # where the next begins


def page(found: ChatQuerySet, before: Cursor | None, *, size: int = CHATS_A_PAGE) -> Page:
    """What comes after a page that ended there; `found` is newest first."""
    return Page(*keyset.page(found, before, "modified_at", size=size))


# Models


def quantization_words(worker: Worker) -> str:
    """How a worker holds the weights."""
    if worker.quantization == Quantization.NONE:
        return _("full precision")
    return worker.get_quantization_display()


def _one_decimal(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True)
class Offer:
    """A model that people may choose, and who runs it."""

    model: ServedModel
    workers: list[Worker]

    @property
    def quantizations(self) -> list[str]:
        """How the weights are held, without repetition."""
        return sorted({quantization_words(worker) for worker in self.workers})

    @property
    def size(self) -> str:
        """Parameters in millions or billions."""
        count = self.model.parameter_count or 0
        if count >= 1_000_000_000:
            return _("%(n)s B parameters") % {"n": number_format(_one_decimal(count / 1e9))}
        return _("%(n)d M parameters") % {"n": round(count / 1e6)}

    @property
    def lineage(self) -> list[tuple[str, str]]:
        """What the checkpoint says of itself, flat values only."""
        kept = self.model.lineage.items()
        return [(name, f"{value}") for name, value in kept if isinstance(value, str | int | float)]


def offers(*, now: datetime) -> list[Offer]:
    """Every model on offer with its living workers. Two queries."""
    living = workers.alive(now=now)
    by_model: dict[Any, list[Worker]] = {}
    for worker in living.order_by("name"):
        by_model.setdefault(worker.model_id, []).append(worker)
    return [Offer(model, by_model.get(model.pk, [])) for model in catalogue.on_offer()]


_PRESET_TITLES = {
    "k50": _l("Balanced"),
    "k50-Creative": _l("Creative"),
    "k50-Precise": _l("Precise"),
    "k50-Original": _l("Daring"),
    "nucleus9": _l("Nucleus sampling"),
    "typical2": _l("Typical sampling, narrow"),
    "typical3": _l("Typical sampling, wide"),
}


def preset_title(name: str) -> str:
    """What people call a preset: those of the site have titles, their own ones a name."""
    return str(_PRESET_TITLES.get(name, name))
