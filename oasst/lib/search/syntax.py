"""What somebody typed into the search box: words, phrases, and conditions such as `lang:de`.

Pure, and at ease with anything: what makes no sense as an operator is a word like any other.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

FIELDS = ("lang", "role", "state", "author", "after", "before")
# More ask for nothing that fewer do not, and each costs a search.
MOST_TERMS = 20
_QUOTES = str.maketrans("“”„‟«»", '""""""')
_PART = re.compile(
    r'(?P<minus>-*)(?:(?P<field>[A-Za-z]+):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))'
)
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")
_YEARS = range(1970, 3000)


@dataclass(frozen=True)
class Term:
    """A word, or words that stand side by side."""

    text: str
    is_negated: bool = False


Groups = Sequence[Sequence[Term]]


@dataclass(frozen=True)
class Condition:
    """A field that must have, or not have, a value. `typed` is how it was written."""

    field: str
    value: str
    is_negated: bool
    typed: str


@dataclass(frozen=True)
class Asked:
    """A search, taken apart: all groups and conditions hold, of each group one term at least."""

    groups: Groups = ()
    conditions: Sequence[Condition] = ()
    parts: Sequence[str] = ()  # as they were typed
    is_cut: bool = False  # more terms than are looked at

    def without(self, condition: Condition) -> str:
        """The search as it would be typed without a condition."""
        return " ".join(part for part in self.parts if part != condition.typed)


@dataclass
class Conditions:
    """Conditions taken together."""

    values: dict[str, list[str]] = field(default_factory=dict)  # by field: those allowed
    is_mine: bool = False
    after: date | None = None  # this day and later
    before: date | None = None  # the days before
    misunderstood: list[Condition] = field(default_factory=list)


def parse(text: str, fields: Collection[str] = FIELDS) -> Asked:
    """Take apart what was typed. Fields other than `fields` are words."""
    groups: list[list[Term]] = []
    conditions: list[Condition] = []
    parts: list[str] = []
    is_or = False
    for found in _PART.finditer(text.translate(_QUOTES)):
        parts.append(found[0])
        if found[0] in ("OR", "|"):
            is_or = bool(groups)
            continue
        condition = _condition(found, fields)
        if condition:
            conditions.append(condition)
        elif term := _term(found):
            if is_or:
                groups[-1].append(term)
            else:
                groups.append([term])
        is_or = False
    return _cut(groups, conditions, parts)


def _condition(found: re.Match, fields: Collection[str]) -> Condition | None:
    name = (found["field"] or "").lower()
    value = (found["phrase"] if found["word"] is None else found["word"]).strip()
    if name not in fields or not value:
        return None
    return Condition(name, value, bool(found["minus"]), found[0])


def _term(found: re.Match) -> Term | None:
    text = found[0].lstrip("-").replace('"', " ").strip()
    if not any(character.isalnum() for character in text):
        return None
    return Term(text, bool(found["minus"]))


def _cut(groups: list[list[Term]], conditions: list[Condition], parts: list[str]) -> Asked:
    kept: list[list[Term]] = []
    left = MOST_TERMS
    for group in groups:
        if left > 0:
            kept.append(group[:left])
        left -= len(group)
    return Asked(kept, conditions, parts, is_cut=left < 0)


def combine(conditions: Iterable[Condition], there: Mapping[str, Sequence[str]]) -> Conditions:
    """What conditions allow of the values that `there` are for fields such as `lang`.

    Those on one field add up (`lang:de lang:fr`), those on several narrow each other down.
    """
    found = Conditions()
    wanted: dict[str, set[str]] = {}
    refused: dict[str, set[str]] = {}
    for condition in conditions:
        values = {
            each
            for each in there.get(condition.field, ())
            if each.lower() == condition.value.lower()
        }
        if values:
            chosen = refused if condition.is_negated else wanted
            chosen.setdefault(condition.field, set()).update(values)
        elif condition.field in there or not _apply(condition, found):
            found.misunderstood.append(condition)
    for name in wanted.keys() | refused.keys():
        allowed = wanted.get(name, set(there[name])) - refused.get(name, set())
        found.values[name] = [each for each in there[name] if each in allowed]
    return found


def _apply(condition: Condition, found: Conditions) -> bool:
    """Apply a condition on author or time; False if it makes no sense."""
    if condition.is_negated:
        return False
    if condition.field == "author":
        found.is_mine = condition.value.lower() == "me"
        return found.is_mine
    limit = day(condition.value)
    if limit is None:
        return False
    if condition.field == "after":
        found.after = max(found.after or limit, limit)
    else:
        found.before = min(found.before or limit, limit)
    return True


def day(text: str) -> date | None:
    """The day that `2026-11-30` names, or the first of `2026-11` or of `2026`; None if none."""
    match = _DAY.fullmatch(text)
    if match is None or int(match[1]) not in _YEARS:
        return None
    try:
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return None
