"""What became of a message, in words for those who read it and for the person who wrote it."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext

from tasks_app import reviewing
from tasks_app.config import TreeConfig
from tasks_app.enums import STOPPED_STATES, LabelKind, ModerationKind, ReportState, TreeState
from tasks_app.labels import LABELS
from tasks_app.models import Message, ModerationAction, Report, TextLabels

# Labels that count against acceptance; they are the reasons an author is told.
OBJECTIONS = ("spam", "lang_mismatch")
_REMOVALS = (ModerationKind.DELETE_MESSAGE, ModerationKind.AUTO_DELETE)
_DECISIONS = (*_REMOVALS, ModerationKind.DECIDE_SPLIT)


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
    needed = reviewing.needed(message, config)
    if message.deleted:
        return Status(_("Removed"), "bad", "trash-2")
    if message.held and message.findings:
        return Status(_("A moderator looks first"), "info", "hourglass")
    if message.review_result is False:
        return Status(_("Not accepted"), "bad", "circle-x")
    if reviewing.waits_for_moderator(message, config):
        return Status(_("A moderator decides"), "info", "hourglass")
    if message.review_result is None:
        # One is missing at least, whoever reviewed it.
        count = min(message.review_count, needed - 1)
        words = _("In review, %(count)d of %(needed)d")
        return Status(words % {"count": count, "needed": needed}, "info", "hourglass")
    if message.rank is not None:
        words = _("Place %(place)d of %(ranked)d") if ranked else _("Place %(place)d")
        return Status(words % {"place": message.rank + 1, "ranked": ranked}, "good", "award")
    return Status(_("Accepted"), "good", "circle-check")


def reasons(messages: Iterable[Message]) -> dict[uuid.UUID, list[str]]:
    """Why messages were removed, not accepted or accepted, by message: one reason at least for
    each that has an outcome. At most two queries."""
    decided = {m.pk: m for m in messages if m.deleted or m.review_result is not None}
    acts = _acts(decided)
    standing = [pk for pk, message in decided.items() if not message.deleted]
    judged = _reasons_of_verdicts([decided[pk] for pk in standing])
    found: dict[uuid.UUID, list[str]] = {}
    for pk, message in decided.items():
        if message.deleted:
            found[pk] = acts[pk] or [_("It went together with others.")]
        else:
            found[pk] = acts[pk] or judged[pk] or [_("That was decided before it came here.")]
    return found


def _acts(messages: Mapping[uuid.UUID, Message]) -> dict[uuid.UUID, list[str]]:
    """What moderators, or the automatic rules, gave as the reason of their last act."""
    found: dict[uuid.UUID, list[str]] = defaultdict(list)
    if not messages:
        return found
    acts = ModerationAction.objects.filter(message_id__in=list(messages), action__in=_DECISIONS)
    rows = acts.filter(undone_by=None).order_by("id").values_list("message_id", "action", "reason")
    for pk, action, reason in rows:
        if pk and messages[pk].deleted == (action in _REMOVALS):
            flagged = _("Several people reported it.")
            found[pk] = [flagged if action == ModerationKind.AUTO_DELETE else reason]
    return found


def _reasons_of_verdicts(messages: Sequence[Message]) -> dict[uuid.UUID, list[str]]:
    """What the reviewers said: objections, or that there were none."""
    found: dict[uuid.UUID, list[str]] = defaultdict(list)
    if not messages:
        return found
    counts: dict[uuid.UUID, Counter[str]] = defaultdict(Counter)
    reviews: Counter[uuid.UUID] = Counter()
    content: Counter[uuid.UUID] = Counter()
    rows = TextLabels.objects.counted().filter(message__in=messages, kind=LabelKind.TASK)
    for pk, values in rows.values_list("message", "values"):
        objected = [name for name in OBJECTIONS if values.get(name)]
        reviews[pk] += 1
        counts[pk].update(objected)
        content[pk] += not objected
    for message in messages:
        pk = message.pk
        if message.review_result:
            found[pk] = [_praise(content[pk], reviews[pk])] if content[pk] else []
        else:
            told = counts[pk].most_common()
            found[pk] = [_objection(name, count, reviews[pk]) for name, count in told]
    return found


def _praise(count: int, reviews: int) -> str:
    text = ngettext(
        "%(count)d of %(reviews)d reviewer found nothing against it",
        "%(count)d of %(reviews)d reviewers found nothing against it",
        reviews,
    )
    return text % {"count": count, "reviews": reviews}


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
    if TreeState(message.tree.state) in STOPPED_STATES:
        return str(_STORIES[TreeState(message.tree.state)])
    if reviewing.waits_for_moderator(message, config):
        return _("The reviewers differ, so a moderator decides.")
    missing = reviewing.needed(message, config) - message.review_count
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


def steps(message: Message, *, is_frozen: bool = False, has_taught: bool = False) -> list[Step]:
    """The way of a message from being written to the data, and beyond if it got there: into a
    snapshot and a model. Needs `message.tree`."""
    titles = _PROMPT_STEPS if message.is_root else _REPLY_STEPS
    state = TreeState(message.tree.state)
    failed = message.deleted or message.review_result is False or state in STOPPED_STATES
    done = _DONE[state][0 if message.is_root else 1] if message.review_result else 1
    if message.review_result is False:
        done = 1
    way = [Step(title, _step_state(place, done, failed)) for place, title in enumerate(titles)]
    beyond = ((is_frozen, _l("In a snapshot")), (has_taught, _l("Taught a model")))
    return way + [Step(title, "done") for reached, title in beyond if reached]


def _step_state(place: int, done: int, failed: bool) -> str:
    if place < done:
        return "done"
    if place > done:
        return "open"
    return "failed" if failed else "now"
