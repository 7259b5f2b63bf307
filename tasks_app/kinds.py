"""How pages present the kinds of task: where they stand, their words, and how long one takes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tasks_app.config import TreeConfig
from tasks_app.enums import RANDOM, TaskType


class Section(TextChoices):
    """What one does, in one word."""

    WRITE = "write", _("Write")
    REVIEW = "review", _("Review")
    RANK = "rank", _("Rank")


@dataclass(frozen=True)
class Kind:
    """One kind of task, as a card or a heading shows it."""

    code: str
    section: Section | None
    title: str | Promise
    text: str | Promise
    icon: str
    minutes: int  # what a careful person needs, as a promise of the size of the work
    guide: str  # the part of the guidelines that tells how


def _kind(
    type_: TaskType, section: Section, text: str | Promise, icon: str, *, minutes: int, guide: str
) -> Kind:
    return Kind(type_.value, section, type_.label, text, icon, minutes, guide)


_REVIEW_TEXT = _("Read one message and say whether it belongs here and how good it is.")
_RANK_TEXT = _("Read replies to the same message and put them in order, best first.")

ANY = Kind(
    RANDOM,
    None,
    _("Surprise me"),
    _("Whatever is needed most in your languages right now."),
    "shuffle",
    2,
    "general",
)

KINDS = {
    kind.code: kind
    for kind in (
        _kind(
            TaskType.INITIAL_PROMPT,
            Section.WRITE,
            _("Begin a conversation: ask what you would really ask an assistant."),
            "message-square-plus",
            minutes=2,
            guide="initial_prompt",
        ),
        _kind(
            TaskType.PROMPTER_REPLY,
            Section.WRITE,
            _("Take the part of the person who asked and say what they would say next."),
            "user-round",
            minutes=2,
            guide="prompter_reply",
        ),
        _kind(
            TaskType.ASSISTANT_REPLY,
            Section.WRITE,
            _("Be the assistant: give the answer you would be glad to get."),
            "sparkles",
            minutes=8,
            guide="assistant_reply",
        ),
        _kind(
            TaskType.LABEL_INITIAL_PROMPT,
            Section.REVIEW,
            _REVIEW_TEXT,
            "message-square-plus",
            minutes=1,
            guide="label",
        ),
        _kind(
            TaskType.LABEL_PROMPTER_REPLY,
            Section.REVIEW,
            _REVIEW_TEXT,
            "user-round",
            minutes=1,
            guide="label",
        ),
        _kind(
            TaskType.LABEL_ASSISTANT_REPLY,
            Section.REVIEW,
            _REVIEW_TEXT,
            "sparkles",
            minutes=1,
            guide="label",
        ),
        _kind(
            TaskType.RANK_ASSISTANT_REPLIES,
            Section.RANK,
            _RANK_TEXT,
            "list-ordered",
            minutes=3,
            guide="rank",
        ),
        _kind(
            TaskType.RANK_PROMPTER_REPLIES,
            Section.RANK,
            _RANK_TEXT,
            "list-ordered",
            minutes=3,
            guide="rank",
        ),
        _kind(
            TaskType.RANK_INITIAL_PROMPTS,
            Section.RANK,
            _("Read prompts that wait for replies and put them in order, best first."),
            "list-ordered",
            minutes=3,
            guide="rank",
        ),
    )
}


_LATEST_FIRST: list[Section | None] = [Section.RANK, Section.REVIEW, Section.WRITE, None]


def find(code: str) -> Kind | None:
    """The kind a URL names: one of TaskType, or "random"."""
    return ANY if code == RANDOM else KINDS.get(code)


def on_offer(config: TreeConfig) -> Iterable[Kind]:
    """The kinds of which there can be tasks: prompters' messages are ranked only if so set."""
    return [kind for code, kind in KINDS.items() if not config.is_switched_off(TaskType(code))]


def best_next(available: Mapping[TaskType, int], *, is_new: bool) -> Kind | None:
    """What to propose: for a newcomer the shortest kind there is, else the latest step of a tree.

    Ranking completes a tree, reviewing decides on a message, writing starts either.
    """
    kinds = [kind for code, kind in KINDS.items() if available.get(TaskType(code))]
    if is_new:
        return min(kinds, key=lambda kind: kind.minutes, default=None)
    return min(kinds, key=lambda kind: _LATEST_FIRST.index(kind.section), default=None)
