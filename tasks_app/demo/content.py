"""Reads the demonstration's conversations from `content/*.yaml`. Pure: no database.

A file holds the trees of one language. Replies stand in the order people end up ranking them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tasks_app.enums import Role, TreeState

FOLDER = Path(__file__).parent / "content"
STORY_KEYS = ("key", "goal", "rankings", "halt_reason")


@dataclass(frozen=True)
class ReportLine:
    """A report that waits in the moderators' queue."""

    by: str
    category: str
    text: str = ""


@dataclass(frozen=True)
class DraftLine:
    """An unfinished reply of somebody who has the task open."""

    by: str
    text: str


@dataclass(frozen=True)
class SkipLine:
    """Somebody who was asked to reply and gave the task back."""

    by: str
    reason: str


@dataclass(frozen=True)
class EditLine:
    """A correction by a moderator."""

    find: str
    replace: str
    reason: str


@dataclass(frozen=True)
class Line:
    """One message: what is said, by whom, and what others think of it."""

    text: str
    author: str = ""
    model: str = ""  # a synthetic reply, instead of an author
    labels: Mapping[str, float] = field(default_factory=dict)
    reviews: int | None = None  # stop after so many; None: as many as are needed
    disputed: bool = False  # reviewers differ, so it waits for a moderator
    replies: tuple["Line", ...] = ()
    reactions: Mapping[str, int] = field(default_factory=dict)
    reports: tuple[ReportLine, ...] = ()
    draft: DraftLine | None = None
    skip: SkipLine | None = None
    edit: EditLine | None = None
    delete_reason: str = ""

    @property
    def is_rejected(self) -> bool:
        """True if reviewers turn it down."""
        return bool(self.labels.get("spam") or self.labels.get("lang_mismatch"))

    @property
    def is_accepted(self) -> bool:
        """True if reviewers have finished and nothing was wrong."""
        is_open = self.reviews is not None or self.disputed
        return not (is_open or self.is_rejected or self.delete_reason)


@dataclass(frozen=True)
class Story:
    """One tree and the state in which the demonstration leaves it."""

    key: str
    lang: str
    state: TreeState
    prompt: Line
    goal: int | None = None  # None: what is accepted if the tree is complete, else the default
    rankings: int | None = None  # stop after so many per parent; None: as many as are needed
    halt_reason: str = ""

    def lines(self) -> Iterator[tuple[Line, Line | None, Role]]:
        """Every message with its parent and role, parents first."""
        yield from _walk(self.prompt, None, Role.PROMPTER)

    @property
    def authors(self) -> set[str]:
        """Who writes in it."""
        return {line.author for line, _, _ in self.lines()}

    @property
    def is_disputed(self) -> bool:
        """True if a moderator has to decide about something in it."""
        return any(line.disputed for line, _, _ in self.lines())

    @property
    def accepted_size(self) -> int:
        """How many messages end up accepted, root included."""
        return sum(line.is_accepted for line, _, _ in self.lines())


def _walk(line: Line, parent: Line | None, role: Role) -> Iterator[tuple[Line, Line | None, Role]]:
    yield line, parent, role
    for reply in line.replies:
        yield from _walk(reply, line, role.other)


@cache
def stories() -> tuple[Story, ...]:
    """All trees, in the order of the files. Raises ValueError if a file has an unknown key."""
    return tuple(story for path in sorted(FOLDER.glob("*.yaml")) for story in read(path))


def read(path: Path) -> Iterator[Story]:
    """The trees of one file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for tree in content["trees"]:
        yield _story(dict(tree), content["lang"])


def _story(tree: dict[str, Any], lang: str) -> Story:
    """`tree` holds the story's own keys beside those of its prompt."""
    own = {name: tree.pop(name) for name in STORY_KEYS if name in tree}
    state = TreeState(tree.pop("state"))
    return Story(lang=lang, state=state, prompt=_line(tree, own["key"]), **own)


def _line(values: dict[str, Any], where: str) -> Line:
    if unknown := set(values) - {item.name for item in fields(Line)}:
        raise ValueError(f"{where}: unknown keys {sorted(unknown)}")
    parts: dict[str, Any] = {
        **values,
        "text": values["text"].strip(),
        "replies": tuple(_line(reply, where) for reply in values.get("replies", [])),
        "reports": tuple(ReportLine(**report) for report in values.get("reports", [])),
    }
    for name, kind in (("draft", DraftLine), ("skip", SkipLine), ("edit", EditLine)):
        if name in values:
            parts[name] = kind(**values[name])
    return Line(**parts)
