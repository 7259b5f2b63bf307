"""What became of a message, in words for those who read it and for the person who wrote it."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext

from tasks_app.config import TreeConfig
from tasks_app.enums import LabelKind, ModerationKind, ReportState, TreeState
from tasks_app.labels import LABELS
from tasks_app.models import Message, ModerationAction, Report, TextLabels

# Labels that count against acceptance; they are the reasons an author is told.
OBJECTIONS = ("spam", "lang_mismatch")
_REMOVALS = (ModerationKind.DELETE_MESSAGE, ModerationKind.AUTO_DELETE)
_STOPPED = {TreeState.HALTED_BY_MODERATOR, TreeState.ABORTED_LOW_GRADE}


@dataclass(frozen=True)
class Status:
    """Where a message stands: words, with an icon and a tone so that colour is never alone."""

    label: str
    tone: str
    icon: str


@dataclass(frozen=True)
class Step:
    """One step of a message's way: `state` is done, now, failed or open."""

    title: str | Promise
    state: str

    @property
    def icon(self) -> str:
        """Shape for the state."""
        return _STEP_ICONS[self.state]


_STEP_ICONS = {"done": "circle-check", "now": "hourglass", "failed": "circle-x", "open": "circle"}


def status(message: Message, config: TreeConfig, *, ranked: int = 0) -> Status:
    """A few words for a badge. `ranked` is how many siblings have a rank, if that is known."""
    needed = config.reviews_needed(is_root=message.is_root)
    if message.deleted:
        return Status(_("Removed"), "bad", "trash-2")
    if message.review_result is False:
        return Status(_("Not accepted"), "bad", "circle-x")
    if message.review_result is None and message.review_count < needed:
        words = _("In review, %(count)d of %(needed)d")
        return Status(
            words % {"count": message.review_count, "needed": needed}, "info", "hourglass"
        )
    if message.rank is not None:
        words = _("Place %(place)d of %(ranked)d") if ranked else _("Place %(place)d")
        return Status(words % {"place": message.rank + 1, "ranked": ranked}, "good", "award")
    if message.review_result:
        return Status(_("Accepted"), "good", "circle-check")
    return Status(_("Not reviewed"), "", "circle-dashed")


def reasons(messages: Iterable[Message]) -> dict[uuid.UUID, list[str]]:
    """Why messages were removed or not accepted, by message. At most two queries."""
    removed = [message.pk for message in messages if message.deleted]
    rejected = [
        message.pk for message in messages if message.review_result is False and not message.deleted
    ]
    return _reasons_of_removal(removed) | _reasons_of_rejection(rejected)


def _reasons_of_removal(ids: list[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    if not ids:
        return {}
    actions = ModerationAction.objects.filter(message_id__in=ids, action__in=_REMOVALS)
    rows = actions.values_list("message_id", "reason")
    return {pk: [reason] for pk, reason in rows if pk and reason}


def _reasons_of_rejection(ids: list[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    if not ids:
        return {}
    counts: dict[uuid.UUID, Counter[str]] = defaultdict(Counter)
    reviews: Counter[uuid.UUID] = Counter()
    rows = TextLabels.objects.filter(message__in=ids, kind=LabelKind.TASK)
    for pk, values in rows.values_list("message", "values"):
        reviews[pk] += 1
        counts[pk].update(name for name in OBJECTIONS if values.get(name))
    return {
        pk: [_objection(name, count, reviews[pk]) for name, count in counts[pk].most_common()]
        for pk in counts
    }


def _objection(name: str, count: int, reviews: int) -> str:
    text = ngettext(
        "%(count)d of %(reviews)d reviewers marked it as: %(label)s",
        "%(count)d of %(reviews)d reviewers marked it as: %(label)s",
        reviews,
    )
    return text % {"count": count, "reviews": reviews, "label": LABELS[name].title}


def story(message: Message, config: TreeConfig) -> str:
    """One kind sentence for the author. Needs `message.tree`."""
    if message.deleted:
        return _("It was taken out, or a message above it was.")
    if message.review_result is False:
        return _("The reviewers did not take it in. The next one may well fit.")
    if message.review_result is None:
        return _waiting(message, config)
    state = TreeState(message.tree.state)
    if state == TreeState.READY_FOR_EXPORT and message.rank is not None:
        return _("Finished and part of the data: it took place %(place)d.") % {
            "place": message.rank + 1
        }
    return str(_STORIES[state])


def _waiting(message: Message, config: TreeConfig) -> str:
    if TreeState(message.tree.state) in _STOPPED:
        return str(_STORIES[TreeState(message.tree.state)])
    missing = config.reviews_needed(is_root=message.is_root) - message.review_count
    if missing <= 0:
        return _("It was never reviewed here.")
    return ngettext(
        "Waits for %(count)d more review.", "Waits for %(count)d more reviews.", missing
    ) % {"count": missing}


def of_report(report: Report) -> tuple[Status, str]:
    """What became of a report, for the person who made it: a badge and a kind sentence.

    Moderators' notes are for moderators.
    """
    label, tone, icon, words = _REPORTS[ReportState(report.state)]
    if report.state == ReportState.RESOLVED and report.message.deleted:
        words = _l("Thank you: the message was removed.")
    return Status(str(label), tone, icon), str(words)


_REPORTS = {
    ReportState.OPEN: (_l("Waiting"), "info", "hourglass", _l("A moderator will look at it.")),
    ReportState.RESOLVED: (
        _l("Acted upon"),
        "good",
        "circle-check",
        _l("Thank you: a moderator has looked at it and acted upon it."),
    ),
    ReportState.DISMISSED: (
        _l("No action needed"),
        "",
        "circle-dashed",
        _l("A moderator has looked at it and found that it can stay. Thank you for looking out."),
    ),
    ReportState.INCONCLUSIVE: (
        _l("Could not be decided"),
        "",
        "circle-question-mark",
        _l("A moderator has looked at it and could not tell. For now it stays; thank you."),
    ),
}

_STORIES = {
    TreeState.INITIAL_PROMPT_REVIEW: _l("Accepted by the reviewers."),
    TreeState.PROMPT_LOTTERY_WAITING: _l("Accepted. It waits to be drawn; then people answer it."),
    TreeState.GROWING: _l("Accepted. The conversation around it is growing."),
    TreeState.RANKING: _l("Accepted. The replies of its conversation are being ranked."),
    TreeState.READY_FOR_SCORING: _l("Accepted. The ranks are being counted."),
    TreeState.READY_FOR_EXPORT: _l("Finished and part of the data."),
    TreeState.SCORING_FAILED: _l("Accepted. Counting the ranks failed and will be tried again."),
    TreeState.ABORTED_LOW_GRADE: _l("Its conversation was stopped after reviews or reports."),
    TreeState.HALTED_BY_MODERATOR: _l("A moderator has stopped its conversation."),
    TreeState.BACKLOG_RANKING: _l("Accepted. Its conversation waits to be ranked."),
}

_PROMPT_STEPS = (
    _l("Written"),
    _l("Reviewed"),
    _l("Drawn"),
    _l("Answered"),
    _l("Ranked"),
    _l("In the data"),
)
_REPLY_STEPS = (_l("Written"), _l("Reviewed"), _l("Ranked"), _l("In the data"))
# How many steps of a prompt's and of an accepted reply's way are done, by the tree's state.
_DONE = {
    TreeState.INITIAL_PROMPT_REVIEW: (2, 2),
    TreeState.PROMPT_LOTTERY_WAITING: (2, 2),
    TreeState.GROWING: (3, 2),
    TreeState.RANKING: (4, 2),
    TreeState.BACKLOG_RANKING: (4, 2),
    TreeState.READY_FOR_SCORING: (5, 3),
    TreeState.SCORING_FAILED: (5, 3),
    TreeState.READY_FOR_EXPORT: (6, 4),
    TreeState.ABORTED_LOW_GRADE: (2, 2),
    TreeState.HALTED_BY_MODERATOR: (2, 2),
}


def steps(message: Message) -> list[Step]:
    """The way of a message from being written to the data. Needs `message.tree`."""
    titles = _PROMPT_STEPS if message.is_root else _REPLY_STEPS
    state = TreeState(message.tree.state)
    failed = message.deleted or message.review_result is False or state in _STOPPED
    done = _DONE[state][0 if message.is_root else 1] if message.review_result else 1
    if message.review_result is False:
        done = 1
    return [Step(title, _step_state(place, done, failed)) for place, title in enumerate(titles)]


def _step_state(place: int, done: int, failed: bool) -> str:
    if place < done:
        return "done"
    if place > done:
        return "open"
    return "failed" if failed else "now"
