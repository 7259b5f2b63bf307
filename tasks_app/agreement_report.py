"""What the pages tell about agreement: estimates from the sums, and what people differ most about.

Reads the sums that `agreement_sums` keeps, never the votes.
"""

import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import isnan
from typing import Self

import numpy as np
from django.db.models import Q

from tasks_app import agreement_units
from tasks_app.agreement import NOTHING, ROUNDS, Estimate, Level, Profile, estimate_ratio, estimates
from tasks_app.agreement_sums import ALL
from tasks_app.agreement_tables import AgreementCell, AgreementDissent, AgreementUnit
from tasks_app.agreement_units import ASKED, RANKINGS
from tasks_app.labels import LABELS, Label
from tasks_app.models import Message

# With fewer messages than this nothing is said about how much people agree.
MIN_UNITS = 20
PAGE_SIZE = 20
# Of the bootstrap of one week: there are many weeks, and their band need not be as sharp.
WEEK_ROUNDS = 200
_WEEK = re.compile(r"(20\d\d)-W(\d\d)", re.ASCII)
_SEED = 2011  # so that the same data always has the same interval

Profiles = Mapping[str, int]  # profile as text, how many units have it


@dataclass(frozen=True)
class Filter:
    """Which votes are asked about; without language, kind or time all of them."""

    lang: str = ALL
    kind: str = ALL
    since: date | None = None  # the first week
    week: date | None = None  # the only one

    @property
    def weeks(self) -> dict[str, date]:
        """The weeks asked for, as conditions of a query."""
        asked = {"week": self.week, "week__gte": self.since}
        return {name: monday for name, monday in asked.items() if monday}


@dataclass(frozen=True)
class LabelRow:
    """How much people agree on one label. `n` messages got `answers` from two people or more."""

    label: Label
    level: Level
    alpha: Estimate
    percent: Estimate
    n: int
    answers: int

    @property
    def is_enough(self) -> bool:
        """Whether there are enough messages to say anything."""
        return self.n >= MIN_UNITS


@dataclass(frozen=True)
class RankingRow:
    """How much people agree on the order of replies, over `n` parents and `pairs` of people."""

    tau: Estimate
    w: Estimate
    n: int
    pairs: int

    @property
    def is_enough(self) -> bool:
        """Whether there are enough parents to say anything."""
        return self.n >= MIN_UNITS


@dataclass(frozen=True)
class Week:
    """One week's estimate: α of a label, or the mean τ of rankings."""

    week: date
    estimate: Estimate


@dataclass(frozen=True)
class Report:
    """Everything one page shows. `weeks` and `levels` are those of the measure asked for."""

    labels: list[LabelRow]
    rankings: RankingRow
    weeks: list[Week]
    levels: dict[Level, Estimate]


def report(measure: str, wanted: Filter) -> Report:
    """What the sums say. One query."""
    by_week = _by_week(wanted)
    total: dict[str, Counter[str]] = defaultdict(Counter)
    for profiles in by_week.values():
        for name, counted in profiles.items():
            total[name].update(counted)
    return Report(
        labels=[_label_row(LABELS[name], total[name]) for name in ASKED],
        rankings=_ranking_row(total[RANKINGS]),
        weeks=_weeks(measure, by_week),
        levels={} if measure == RANKINGS else _levels(measure, total[measure]),
    )


def langs() -> list[str]:
    """The languages of which there are sums. One query."""
    found = AgreementCell.objects.exclude(lang=ALL).filter(kind=ALL)
    return list(found.order_by("lang").values_list("lang", flat=True).distinct())


def since(weeks: int, today: date) -> date:
    """The Monday with which the last so many weeks begin."""
    return today - timedelta(days=today.weekday(), weeks=weeks - 1)


def code_of(week: date) -> str:
    """How addresses name the week that begins on this Monday: `2026-W48` (ISO 8601)."""
    year, number, _day = week.isocalendar()
    return f"{year}-W{number:02}"


def week_of_code(text: str) -> date:
    """The Monday of the week that `code_of` names so. Raises ValueError."""
    found = _WEEK.fullmatch(text)
    if not found:
        raise ValueError("expected a week such as 2026-W48")
    return date.fromisocalendar(int(found[1]), int(found[2]), 1)


def _by_week(wanted: Filter) -> dict[date, dict[str, Profiles]]:
    cells = AgreementCell.objects.filter(lang=wanted.lang, kind=wanted.kind, **wanted.weeks)
    return dict(cells.order_by("week").values_list("week", "profiles"))


def _label_row(label: Label, counted: Profiles) -> LabelRow:
    level = agreement_units.level(label.name)
    profiles = _read(counted)
    alpha, percent = _estimates(label.name, profiles, level)
    answers = sum(sum(profile) * times for profile, times in profiles.items())
    return LabelRow(label, level, alpha, _in_percent(percent), sum(counted.values()), answers)


def _levels(measure: str, counted: Profiles) -> dict[Level, Estimate]:
    """α of a label at each level that says something about it."""
    profiles = _read(counted)
    asked = list(Level) if len(LABELS[measure].steps) > 2 else [Level.NOMINAL]
    return {level: _estimates(measure, profiles, level)[0] for level in asked}


def _weeks(measure: str, by_week: Mapping[date, Mapping[str, Profiles]]) -> list[Week]:
    """Every week from the first to the last with votes, those without any too."""
    counted = {week: profiles[measure] for week, profiles in by_week.items() if measure in profiles}
    if not counted:
        return []
    first, last = min(counted), max(counted)
    all_weeks = (first + timedelta(weeks=n) for n in range((last - first).days // 7 + 1))
    return [Week(week, _headline(measure, counted.get(week, {}))) for week in all_weeks]


def _headline(measure: str, counted: Profiles) -> Estimate:
    if measure == RANKINGS:
        return _ranking_row(counted, rounds=WEEK_ROUNDS).tau
    level = agreement_units.level(measure)
    return _estimates(measure, _read(counted), level, rounds=WEEK_ROUNDS)[0]


def _read(counted: Profiles) -> dict[Profile, int]:
    return {
        tuple(int(number) for number in agreement_units.read(text)): times
        for text, times in counted.items()
    }


def _estimates(
    measure: str, profiles: Mapping[Profile, int], level: Level, *, rounds: int = ROUNDS
) -> tuple[Estimate, Estimate]:
    n = sum(profiles.values())
    if n < MIN_UNITS:
        return replace(NOTHING, n=n), replace(NOTHING, n=n)
    return estimates(profiles, LABELS[measure].steps, level, _chance(), rounds=rounds)


def _ranking_row(counted: Profiles, *, rounds: int = ROUNDS) -> RankingRow:
    rows, times = [agreement_units.read(text) for text in counted], list(counted.values())
    n = sum(times)
    people = round(sum(row[0] * number for row, number in zip(rows, times, strict=True)))
    if n < MIN_UNITS:
        return RankingRow(replace(NOTHING, n=n), replace(NOTHING, n=n), n, people)
    pairs, taus, ws = zip(*rows, strict=True)
    known = [(w, number) for w, number in zip(ws, times, strict=True) if not isnan(w)]
    tau = estimate_ratio(taus, pairs, times, _chance(), rounds=rounds)
    values, numbers = [w for w, _ in known], [number for _, number in known]
    w = estimate_ratio(values, [1.0] * len(known), numbers, _chance(), rounds=rounds)
    return RankingRow(tau, w, n, people)


def _in_percent(share: Estimate) -> Estimate:
    value, low, high = (
        None if x is None else 100 * x for x in (share.value, share.low, share.high)
    )
    return Estimate(value, low, high, share.n)


def _chance() -> np.random.Generator:
    return np.random.default_rng(_SEED)


@dataclass(frozen=True)
class Cursor:
    """The last message of a page: the next one holds those with less dissent."""

    dissent: float
    message_id: uuid.UUID

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str()` wrote. Raises ValueError."""
        dissent, _, key = text.partition("~")
        if not 0 <= float(dissent) <= 1:
            raise ValueError(text)
        return cls(float(dissent), uuid.UUID(key))

    def __str__(self) -> str:
        return f"{self.dissent!r}~{self.message_id.hex}"


@dataclass(frozen=True)
class Disputed:
    """A message about which people differ; `votes` says how many gave each step of a label."""

    dissent: AgreementDissent
    message: Message
    votes: Profile


def worst(
    measure: str, wanted: Filter, after: Cursor | None = None
) -> tuple[list[Disputed], Cursor | None]:
    """A page of what people differ most about, and the cursor of the next page. Three queries."""
    rows = AgreementDissent.objects.filter(measure=measure, **wanted.weeks)
    asked = {"lang": wanted.lang, "kind": wanted.kind}
    rows = rows.filter(**{name: value for name, value in asked.items() if value})
    if after:
        tied = Q(dissent=after.dissent, message_id__gt=after.message_id)
        rows = rows.filter(Q(dissent__lt=after.dissent) | tied, dissent__lte=after.dissent)
    page = list(rows.order_by("-dissent", "message_id")[: PAGE_SIZE + 1])
    shown = page[:PAGE_SIZE]
    more = Cursor(shown[-1].dissent, shown[-1].message_id) if len(page) > PAGE_SIZE else None
    return _disputed(measure, shown), more


def disputed_measures() -> set[str]:
    """The measures in which anything is disputed. One query."""
    return set(AgreementDissent.objects.values_list("measure", flat=True).distinct())


def _disputed(measure: str, rows: Iterable[AgreementDissent]) -> list[Disputed]:
    ids = [row.message_id for row in rows]
    messages = Message.objects.in_bulk(ids)
    profiles = {
        unit.message_id: unit.profiles[measure]
        for unit in AgreementUnit.objects.filter(message_id__in=ids)
        if measure in unit.profiles
    }
    return [
        Disputed(row, messages[row.message_id], _votes(measure, profiles.get(row.message_id, "")))
        for row in rows
        if row.message_id in messages
    ]


def _votes(measure: str, text: str) -> Profile:
    return () if measure == RANKINGS else tuple(int(n) for n in agreement_units.read(text))
