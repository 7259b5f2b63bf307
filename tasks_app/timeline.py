"""The way of a message, event by event: written, reviewed and why, ranked, in snapshots, in models.

Its author is told reasons and numbers; everybody else the public part of it. Nobody is told who
reviewed or ranked.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app import fate, reviewing, usage
from tasks_app.config import TreeConfig
from tasks_app.enums import STOPPED_STATES, LabelKind, ModerationKind, TreeState
from tasks_app.models import Message, ModerationAction, RankingConsensus, TextLabels
from tasks_app.reviews import deciding_review

if TYPE_CHECKING:
    from tasks_app.reading import Card

_REMOVALS = (ModerationKind.DELETE_MESSAGE, ModerationKind.AUTO_DELETE)


@dataclass(frozen=True)
class Event:
    """One thing that happened, or comes next; `state` is that of a step."""

    title: str
    state: str = "done"
    at: datetime | None = None
    notes: Sequence[str] = ()
    snapshot: str = ""  # the name of a snapshot
    models: Sequence[str] = ()  # names of models

    @property
    def icon(self) -> str:
        """Shape for the state."""
        return fate.Step(self.title, self.state).icon


@dataclass(frozen=True)
class Told:
    """What one message's page and list entry show."""

    events: list[Event]
    steps: list[fate.Step]
    reasons: Sequence[str]


@dataclass(frozen=True)
class _Review:
    at: datetime
    values: dict[str, float]


@dataclass
class _Facts:
    """What belongs to some messages, read in a few queries."""

    reasons: dict[uuid.UUID, list[str]]
    reviews: dict[uuid.UUID, list[_Review]]  # those that count, in the order given
    decisions: dict[uuid.UUID, datetime]  # of moderators, where reviewers differed
    removed: dict[uuid.UUID, datetime]
    ranked: dict[uuid.UUID, int] = field(default_factory=dict)
    consensus: dict[uuid.UUID, tuple[int, datetime]] = field(default_factory=dict)
    uses: dict[uuid.UUID, list[usage.Use]] = field(default_factory=dict)


def of(
    messages: Iterable[Message], config: TreeConfig, *, is_author: bool
) -> dict[uuid.UUID, Told]:
    """The way of each message, which needs `tree`. Nine queries at most, however many there are.

    Without `is_author` neither reasons nor numbers of reviewers are told.
    """
    told = list(messages)
    facts = _load(told, with_reasons=is_author)
    return {message.pk: _tell(message, facts, config, is_author) for message in told}


def of_card(card: "Card", config: TreeConfig) -> list[Event] | None:
    """The way of one message as its reader may know it: the author all, others who may read it the
    public part, nobody else."""
    if card.is_hidden and not card.is_own:
        return None
    message = card.message
    return of([message], config, is_author=card.is_own)[message.pk].events


def _load(messages: list[Message], *, with_reasons: bool) -> _Facts:
    ids = [message.pk for message in messages]
    parents = {m.parent_id for m in messages if m.parent_id and m.rank is not None}
    reviews: dict[uuid.UUID, list[_Review]] = defaultdict(list)
    counted = TextLabels.objects.counted().filter(message__in=ids, kind=LabelKind.TASK)
    for pk, at, values in counted.order_by("id").values_list("message", "created_at", "values"):
        reviews[pk].append(_Review(at, values))
    deleted = [message.pk for message in messages if message.deleted]
    acts = ModerationAction.objects.filter(message_id__in=deleted, action__in=_REMOVALS)
    split = [message.pk for message in messages if reviewing.is_settled(message)]
    decided = ModerationAction.objects.filter(message_id__in=split, undone_by=None)
    decided = decided.filter(action=ModerationKind.DECIDE_SPLIT).order_by("id")
    siblings = Message.objects.filter(parent__in=parents, rank__isnull=False).order_by()
    agreed = RankingConsensus.objects.filter(parent__in=parents)
    return _Facts(
        reasons=fate.reasons(messages) if with_reasons else {},
        reviews=reviews,
        decisions=_pairs(decided.values_list("message_id", "created_at")),
        removed=_pairs(acts.order_by("id").values_list("message_id", "created_at")),
        ranked=_pairs(siblings.values("parent").annotate(n=Count("pk")).values_list("parent", "n")),
        consensus={
            pk: (n, at) for pk, n, at in agreed.values_list("pk", "rankings", "computed_at")
        },
        uses=usage.uses(messages),
    )


def _pairs(rows: Iterable[Any]) -> dict[uuid.UUID, Any]:
    return {key: value for key, value in rows if key}


def _tell(message: Message, facts: _Facts, config: TreeConfig, is_author: bool) -> Told:
    uses = facts.uses.get(message.pk, [])
    has_taught = any(use.models for use in uses)
    return Told(
        events=list(_events(message, facts, config, is_author)),
        steps=fate.steps(message, is_frozen=bool(uses), has_taught=has_taught),
        reasons=facts.reasons.get(message.pk, []),
    )


def _events(
    message: Message, facts: _Facts, config: TreeConfig, is_author: bool
) -> Iterable[Event]:
    yield Event(_("Written"), at=message.created_at)
    if message.review_result is not None:
        yield _verdict(message, facts, config, is_author)
    if message.is_root and message.tree.won_prompt_lottery_at:
        yield Event(_("Drawn, to be answered"), at=message.tree.won_prompt_lottery_at)
    if message.rank is not None:
        yield _place(message, message.rank, facts)
    for use in facts.uses.get(message.pk, []):
        yield from _use(use)
    if message.deleted:
        notes = facts.reasons.get(message.pk, []) if is_author else []
        yield Event(_("Removed"), "failed", facts.removed.get(message.pk), notes)
    elif TreeState(message.tree.state) in STOPPED_STATES and message.review_result is not False:
        yield Event(_("Its conversation was stopped"), "failed", message.tree.state_since)
    elif message.review_result is not False and not _is_finished(message):
        yield Event(fate.story(message, config), "now")


def _is_finished(message: Message) -> bool:
    return TreeState(message.tree.state) == TreeState.READY_FOR_EXPORT and bool(
        message.review_result
    )


def _verdict(message: Message, facts: _Facts, config: TreeConfig, is_author: bool) -> Event:
    given = facts.reviews.get(message.pk, [])
    count, at = len(given), facts.decisions.get(message.pk)
    if given and at is None:
        at = _decided_at(message, given, config)
    state = "done" if message.review_result else "failed"
    if not is_author or not count:
        title = _("Reviewed and accepted") if message.review_result else _("Not accepted")
    elif message.review_result:
        title = ngettext(
            "Reviewed by %d person, accepted", "Reviewed by %d people, accepted", count
        ) % (count)
    else:
        title = ngettext(
            "Reviewed by %d person, not accepted", "Reviewed by %d people, not accepted", count
        ) % (count)
    is_told = is_author and not message.deleted
    return Event(title, state, at, facts.reasons.get(message.pk, []) if is_told else [])


def _decided_at(message: Message, given: list[_Review], config: TreeConfig) -> datetime:
    """When the verdict was reached that stands; late reviews may have confirmed it since."""
    number = deciding_review(
        [review.values for review in given],
        bool(message.review_result),
        least=reviewing.needed(message, config),
        threshold=config.acceptance_threshold(is_root=message.is_root),
    )
    return given[number].at


def _place(message: Message, rank: int, facts: _Facts) -> Event:
    if message.parent_id is None:
        return Event(_("Ranked: place %d") % (rank + 1))
    words = {"place": rank + 1, "of": facts.ranked.get(message.parent_id, rank + 1)}
    count, at = facts.consensus.get(message.parent_id, (0, None))
    if not count:
        return Event(_("Ranked: place %(place)d of %(of)d") % words)
    title = ngettext(
        "Ranked by %(count)d person: place %(place)d of %(of)d",
        "Ranked by %(count)d people: place %(place)d of %(of)d",
        count,
    )
    return Event(title % (words | {"count": count}), at=at)


def _use(use: usage.Use) -> Iterable[Event]:
    old = _("Something in it was withdrawn since, so nothing new learns from it.")
    notes = [old] if use.snapshot.superseded_at else []
    title = _("Part of a snapshot of the data")
    yield Event(title, at=use.snapshot.made_at, notes=notes, snapshot=use.snapshot.name)
    if use.models:
        count = len(use.models)
        title = ngettext("A model learned from it", "%d models learned from it", count)
        names = [model.name for model in use.models]
        newest = use.models[-1].trained_at
        live = [model.served_as for model in use.models if model.served_as]
        answers = _("It lives on in what the chat offers as %s.")
        told = [answers % name for name in live]
        yield Event(title % count if "%d" in title else title, at=newest, notes=told, models=names)
