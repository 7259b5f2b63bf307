"""A task in the hands of its person: what its page shows, whether it still counts, what was sent.

Reads only; `interactions` does what people ask for.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from string import ascii_uppercase
from typing import TYPE_CHECKING

from django.utils.functional import Promise

from oasst.lib.errors import DomainError
from tasks_app.enums import STOPPED_STATES, TaskType, TreeState
from tasks_app.errors import NoLongerNeeded, TaskExpired, TaskNotFound, TaskSkipped
from tasks_app.gold import Comparison, comparisons
from tasks_app.labels import LABELS
from tasks_app.models import GoldAnswer, Message, Offer, Ranking, Task, TextLabels

if TYPE_CHECKING:
    from oasst.accounts.models import User


def find(task_id: uuid.UUID, user: "User") -> Task:
    """The task with what belongs to it. Raises TaskNotFound, also for other people's tasks."""
    related = ("tree", "message__tree", "draft", "result__tree")
    task = Task.objects.select_related(*related).filter(pk=task_id, user=user).first()
    if task is None:
        raise TaskNotFound
    return task


@dataclass
class Material:
    """The messages a task is about."""

    thread: list[Message] = field(default_factory=list)  # from the root to the task's message
    replies: list[Message] = field(default_factory=list)  # to be ranked, in the order shown


def material(task: Task) -> Material:
    """What the page of `task` shows. At most two queries."""
    if task.message is None:
        return Material(replies=_replies(task))
    thread = Message.objects.select_related("tree").thread(task.message)
    return Material(thread, _replies(task))


def _replies(task: Task) -> list[Message]:
    if not task.shown_ids:
        return []
    found = {str(reply.pk): reply for reply in Message.objects.filter(pk__in=task.shown_ids)}
    return [found[pk] for pk in task.shown_ids if pk in found]


def why_ended(task: Task, shown: Material, *, now: datetime) -> DomainError | None:
    """Why an answer would be refused or is not needed any more; None while it is welcome."""
    if task.skipped_at:
        return TaskSkipped()
    if task.is_expired(now):
        return TaskExpired()
    if task.tree and TreeState(task.tree.state) in STOPPED_STATES:
        return NoLongerNeeded()
    if any(message.deleted or message.held for message in (*shown.thread, *shown.replies)):
        return NoLongerNeeded()
    return None


@dataclass(frozen=True)
class Hold:
    """Whether the place for an answer is kept."""

    until: datetime | None  # None: the reservation has ended
    is_free: bool  # held, or still to be had


def hold(task: Task, *, now: datetime) -> Hold:
    """How safe the task's place is. One query if its reservation has ended."""
    if task.type == TaskType.INITIAL_PROMPT or not task.type.is_reply:
        # Prompts have no place to lose, and reviews and rankings count even when they are late.
        return Hold(task.reserved_until if task.reserved_until > now else None, True)
    if task.holds_slot and task.reserved_until > now:
        return Hold(task.reserved_until, True)
    offers = Offer.objects.filter(message=task.message_id, kind=task.kind, slots__gt=0)
    return Hold(None, task.holds_slot or offers.exists())


@dataclass(frozen=True)
class Stored:
    """What somebody submitted for a task."""

    message: Message | None = None
    labels: list[tuple[str | Promise, str | Promise]] = field(default_factory=list)
    places: list[list[Message]] = field(default_factory=list)
    not_rankable: bool = False
    gold: GoldAnswer | None = None
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def tells_origin(self) -> bool:
        """True if models wrote some of what was ranked: now that it is done, whose is which."""
        return has_synthetic(reply for group in self.places for reply in group)

    @property
    def is_first_synthetic(self) -> bool | None:
        """Whether a model's reply alone stands first, or a person's; None if they share it."""
        if not self.places or self.not_rankable:
            return None
        origins = {reply.synthetic for reply in self.places[0]}
        return origins.pop() if len(origins) == 1 else None


def stored(task: Task, shown: Material) -> Stored:
    """What was submitted, to be shown again. At most one query."""
    if task.gold_id:
        return _beside_gold(task)
    if task.type.is_labeling:
        return Stored(labels=_answers(TextLabels.objects.filter(task=task).first()))
    if task.type.is_ranking:
        return _order(Ranking.objects.filter(task=task).first(), shown)
    return Stored(message=task.result)


def _beside_gold(task: Task) -> Stored:
    """The answer to a gold item, with the right one and why; now that it is given."""
    given = GoldAnswer.objects.select_related("item").filter(task=task).first()
    if given is None:
        return Stored()
    return Stored(gold=given, comparisons=comparisons(given))


def _answers(given: TextLabels | None) -> list[tuple[str | Promise, str | Promise]]:
    if given is None:
        return []
    return [
        (LABELS[name].title, dict(LABELS[name].choices).get(value, f"{value:g}"))
        for name, value in given.values.items()
        if name in LABELS
    ]


def _order(ranking: Ranking | None, shown: Material) -> Stored:
    if ranking is None:
        return Stored()
    replies = {str(reply.pk): reply for reply in shown.replies}
    places = [[replies[pk] for pk in group if pk in replies] for group in ranking.groups]
    return Stored(places=places, not_rankable=ranking.not_rankable)


@dataclass(frozen=True)
class Lettered:
    """A reply to be ranked, with the letter that the page calls it by."""

    letter: str
    message: Message
    is_same_as_above: bool  # its text is that of the one before


def lettered(replies: Sequence[Message]) -> list[Lettered]:
    """The replies in the order of the page, where identical texts stand together."""
    ordered = [
        (reply, place > 0) for group in same_texts(replies) for place, reply in enumerate(group)
    ]
    return [Lettered(_letter(number), *each) for number, each in enumerate(ordered)]


def _letter(number: int) -> str:
    return ascii_uppercase[number] if number < len(ascii_uppercase) else str(number + 1)


def same_texts(replies: Sequence[Message]) -> list[list[Message]]:
    """Replies grouped so that identical texts stand together, else in the order given."""
    groups: dict[str, list[Message]] = {}
    for reply in replies:
        groups.setdefault(" ".join(reply.text.split()), []).append(reply)
    return list(groups.values())


def has_synthetic(replies: Iterable[Message]) -> bool:
    """True if a model wrote some of them. Nobody is told before they have ranked them."""
    return any(reply.synthetic for reply in replies)
