"""The world of the benchmark `crowd`: published messages and simulated people who judge them.

What people answer is what the crowd of `replay_trees` answers; the database is left out.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from tasks_app import labels
from tasks_app.config import TreeConfig
from tasks_app.enums import FormMode, SkillGroup
from tasks_app.export_format import BadLine, MessageTree, read_trees
from tasks_app.labels import SKILLS
from tasks_app.ranking import Groups
from tasks_app.reviews import acceptance, is_accepted
from tasks_app.simulation import opinions
from tasks_app.simulation.script import Line, lines_of

ROOT = Path(__file__).resolve().parents[2]
FILES = ("oasst1_en_validation", "oasst2_multilingual", "oasst_early_en_100")
CONFIG = TreeConfig()  # as the product ships
JURY = 3
JUNK = 0.25  # of all messages: spam of trolls, which nobody published
OBJECTIONS = frozenset({"spam", "lang_mismatch"})  # the labels that decide
P_LENIENT = 0.7  # that a lenient person swallows an objection
P_HARSH = 0.3  # that a harsh one makes one up
_TASTES = {"lenient": 0.5, "harsh": -0.5}  # by how much their scales of quality are off


@dataclass(frozen=True, eq=False)
class Item:
    """A message to be reviewed; junk stands in no file."""

    number: int
    line: Line | None

    @property
    def is_good(self) -> bool:
        return self.line is not None and self.line.verdict is True


@dataclass(frozen=True, eq=False)
class Set:
    """Replies to be ranked, and their published order."""

    number: int
    replies: tuple[tuple[str, Line | None], ...]

    @property
    def order(self) -> Groups[str]:
        placed = sorted((line.node.rank or 0, key) for key, line in self.replies if line)
        return [[key] for _, key in placed]


@dataclass(frozen=True)
class Condition:
    """Shares of the crowd that are not honest."""

    spammers: float = 0.0  # answer at random
    colluders: float = 0.0  # answer at random, all of them the same
    biased: float = 0.0  # let all pass or object to much; rank by length


@dataclass(frozen=True, eq=False)
class Person:
    """One contributor."""

    number: int
    character: str

    @property
    def is_honest(self) -> bool:
        return self.character == "honest"


@dataclass(frozen=True)
class World:
    """Everybody and everything there is to judge. Answers come from `rng` alone."""

    people: list[Person]
    items: list[Item]
    sets: list[Set]
    rng: Random
    ring: int  # what colluders have agreed upon

    def vote(self, person: Person, item: Item, turn: int) -> dict[str, float]:
        """What somebody answers to a message, as number `turn` of the published jury."""
        if person.character == "spammer":
            return _at_random(item, self.rng)
        if person.character == "colluder":
            return _at_random(item, Random(f"{self.ring} {item.number}"))
        return self._biased(person, self._honest(item, turn))

    def describe(self, person: Person, item: Item, turn: int) -> dict[str, float]:
        """What somebody says of a message besides: flags and scales, which decide nothing."""
        asked = [name for name in _form(item).valid if name not in OBJECTIONS]
        if person.character == "spammer":
            return opinions.at_random(asked, (), self.rng)
        if person.character == "colluder":
            return opinions.at_random(asked, (), Random(f"{self.ring} {item.number}"))
        if item.line is None:
            values = opinions.object_to(asked, self.rng)
        else:
            jury = opinions.Jury(JURY, threshold(item))
            values = opinions.review(item.line, turn, jury, asked, self.rng)
        return _shifted(values, _TASTES.get(person.character, 0.0))

    def rank(self, person: Person, shown: Set) -> Groups[str]:
        """Somebody's order of replies; empty if they say there is none."""
        keys = [key for key, _ in shown.replies]
        if person.character == "spammer":
            return opinions.rank_at_random(keys, self.rng)
        if person.character == "colluder":
            return opinions.rank_at_random(keys, Random(f"{self.ring} {shown.number}"))
        if person.character == "honest":
            return opinions.rank(shown.replies, self.rng)
        texts = [(key, line.node.text) for key, line in shown.replies if line]
        return opinions.rank_by(len, texts, self.rng)

    def _honest(self, item: Item, turn: int) -> dict[str, float]:
        asked = sorted(OBJECTIONS)
        if item.line is None:
            return opinions.object_to(asked, self.rng)
        jury = opinions.Jury(JURY, threshold(item))
        return opinions.review(item.line, turn, jury, asked, self.rng)

    def _biased(self, person: Person, values: dict[str, float]) -> dict[str, float]:
        if person.character == "lenient" and self.rng.random() < P_LENIENT:
            return dict.fromkeys(values, 0.0)
        if person.character == "harsh" and self.rng.random() < P_HARSH:
            return values | {"spam": 1.0}
        return values


def gather(condition: Condition, people: int, rng: Random) -> World:
    """A crowd, and the published messages with junk among them, in an order of their own."""
    lines = [line for tree in _trees() for line in lines_of(tree.prompt).below()]
    reviewed: list[Line | None] = [line for line in lines if line.verdict is not None]
    reviewed += [None] * round(len(reviewed) * JUNK / (1 - JUNK))
    rng.shuffle(reviewed)
    items = [Item(number, line) for number, line in enumerate(reviewed)]
    return World(_people(condition, people), items, _sets(lines), rng, rng.getrandbits(32))


def accepts(item: Item, answers: Sequence[dict[str, float]], weights: Sequence[float]) -> bool:
    """The verdict of these answers."""
    return is_accepted(acceptance(answers, weights), threshold(item))


def threshold(item: Item) -> float:
    """What an accepted message must score more than."""
    is_root = item.line is not None and item.line.parent is None
    return CONFIG.acceptance_threshold(is_root=is_root)


def _shifted(values: dict[str, float], by: float) -> dict[str, float]:
    """Scales as somebody with a taste for better, or worse, answers them."""
    merits = SKILLS[SkillGroup.QUALITY]
    return {k: min(1.0, max(0.0, v + by)) if k in merits else v for k, v in values.items()}


def _at_random(item: Item, rng: Random) -> dict[str, float]:
    form = _form(item)
    asked = [name for name in form.valid if name in OBJECTIONS]
    return opinions.at_random(asked, form.mandatory, rng)


def _form(item: Item) -> labels.LabelForm:
    role = item.line.node.role if item.line else "assistant"
    is_root = item.line is not None and item.line.parent is None
    return labels.form_for(labels.review_kind(role, is_root=is_root), FormMode.FULL)


def _people(condition: Condition, count: int) -> list[Person]:
    bad = (
        ["spammer"] * round(count * condition.spammers)
        + ["colluder"] * round(count * condition.colluders)
        + ["lenient", "harsh"] * round(count * condition.biased / 2)
    )
    return [Person(n, name) for n, name in enumerate(bad + ["honest"] * (count - len(bad)))]


def _sets(lines: list[Line]) -> list[Set]:
    ranked = [[r for r in line.replies if r.node.rank is not None] for line in lines]
    shown = [tuple((r.node.message_id, r) for r in found) for found in ranked if len(found) > 1]
    return [Set(number, replies) for number, replies in enumerate(shown)]


@cache
def _trees() -> list[MessageTree]:
    data = Path(os.environ.get("OASST_TEST_DATA") or ROOT.parent / "shared" / "data") / "oasst"
    if not data.is_dir():
        raise SystemExit(f"{data} is not there: set OASST_TEST_DATA")
    found = (tree for name in FILES for tree in read_trees(data / f"{name}.dev.trees.jsonl.gz"))
    return [tree for tree in found if not isinstance(tree, BadLine)]
