"""Reads the statistics of a span of days as plain numbers, from the rows that `daily` writes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from django.db.models import F, Sum
from django.db.models.functions import Trunc

from leaderboard_app.models import DailyStatistics, WeeklyLabels, WeeklyPeople
from leaderboard_app.spans import Window, monday

Curves = dict[str, list[int]]
Number = TypeVar("Number", int, float)
_MESSAGES = F("prompts") + F("prompter_replies") + F("assistant_replies")
_ROLES = ("prompts", "prompter_replies", "assistant_replies")


@dataclass
class Days:
    """What happened in one language, or in all, up to the end of each point of a window."""

    states: Curves  # trees in each state at the end of the point
    contributions: Curves  # how many within the point
    stages: Counter[int]  # trees that reached each stage within the window


@dataclass
class Labels:
    """Sums of the labels of a window."""

    values: dict[str, list[int]] = field(default_factory=dict)
    pairs: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class People:
    """Who contributed in each week of a window: how many, and when they began."""

    weeks: list[date]
    active: list[int]
    by_first_week: list[dict[str, int]]


def languages() -> list[str]:
    """The languages there are statistics of."""
    rows = DailyStatistics.objects.exclude(lang="").order_by("lang")
    return list(rows.values_list("lang", flat=True).distinct())


def extent() -> tuple[date, datetime] | None:
    """The first day that is counted, and when was counted last; None before the first count."""
    rows = DailyStatistics.objects.filter(lang="")
    last = rows.order_by("-day").values_list("counted_at", flat=True).first()
    first = rows.order_by("day").values_list("day", flat=True).first()
    return (first, last) if first and last else None


def messages_by_language(window: Window) -> Curves:
    """Messages written up to the end of each point, the language with most first."""
    rows = DailyStatistics.objects.exclude(lang="").order_by()
    before = rows.filter(day__lt=window.points[0]).values_list("lang").annotate(n=Sum(_MESSAGES))
    within = rows.filter(day__range=(window.points[0], window.last))
    per_point = within.annotate(point=Trunc("day", window.unit)).values_list("lang", "point")
    curves = _summed(dict(before), per_point.annotate(n=Sum(_MESSAGES)), window)
    return dict(sorted(curves.items(), key=lambda item: (-item[1][-1], item[0])))


def messages_by_role(window: Window, lang: str) -> Curves:
    """Messages of one language, up to the end of each point."""
    rows = DailyStatistics.objects.filter(lang=lang).order_by()
    sums = {f"n_{role}": Sum(role) for role in _ROLES}
    before = rows.filter(day__lt=window.points[0]).aggregate(**sums)
    within = rows.filter(day__range=(window.points[0], window.last))
    per_point = within.annotate(point=Trunc("day", window.unit)).values_list("point")
    steps = [
        (role, point, number)
        for point, *numbers in per_point.annotate(**sums)
        for role, number in zip(_ROLES, numbers, strict=True)
    ]
    return _summed({role: before[f"n_{role}"] or 0 for role in _ROLES}, steps, window)


def days(window: Window, lang: str) -> Days:
    """States, contributions and stages. One query."""
    rows = DailyStatistics.objects.filter(lang=lang, day__lte=window.last).order_by("day")
    points = window.points
    states: dict[str, Counter[date]] = defaultdict(Counter)
    before: Counter[str] = Counter()
    done: dict[str, Counter[date]] = defaultdict(Counter)
    stages: Counter[int] = Counter()
    for day, changes, reached, made in rows.values_list("day", "states", "stages", "contributions"):
        if day < points[0]:
            before.update(changes)
            continue
        point = window.start_of(day)
        for state, change in changes.items():
            states[state][point] += change
        for kind, number in made.items():
            done[kind][point] += number
        if day >= window.first:
            stages.update({int(stage): number for stage, number in reached.items()})
    steps = [(state, point, n) for state, by in states.items() for point, n in by.items()]
    return Days(
        states=_summed(dict(before), steps, window),
        contributions={kind: [by[point] for point in points] for kind, by in done.items()},
        stages=stages,
    )


def labels(window: Window, lang: str) -> Labels:
    """Sums over the weeks that the window touches."""
    found = Labels()
    rows = WeeklyLabels.objects.filter(
        lang=lang, week__range=(monday(window.first), window.last)
    ).values_list("values", "pairs")
    for values, pairs in rows:
        for label, counts in values.items():
            found.values[label] = _added(found.values.get(label), counts)
        for pair, sums in pairs.items():
            found.pairs[pair] = _added(found.pairs.get(pair), sums)
    return found


def people(window: Window, lang: str) -> People:
    """The weeks that the window touches, also those in which nobody came."""
    start = monday(window.first)
    rows = WeeklyPeople.objects.filter(lang=lang, week__range=(start, window.last))
    by_week = {row.week: row for row in rows}
    weeks = [date.fromordinal(n) for n in range(start.toordinal(), window.last.toordinal() + 1, 7)]
    return People(
        weeks=weeks,
        active=[by_week[week].active if week in by_week else 0 for week in weeks],
        by_first_week=[by_week[week].by_first_week if week in by_week else {} for week in weeks],
    )


def _added(sofar: list[Number] | None, more: list[Number]) -> list[Number]:
    return [a + b for a, b in zip(sofar, more, strict=True)] if sofar else list(more)


def _summed(
    before: dict[str, int], steps: Iterable[tuple[str, date, int]], window: Window
) -> Curves:
    """Running totals at the end of each point, from what was there before the window."""
    changes: dict[str, Counter[date]] = defaultdict(Counter)
    for name in before:
        changes[name] = Counter()
    for name, point, number in steps:
        changes[name][point] += number
    points: Sequence[date] = window.points
    curves: Curves = {}
    for name, by_point in changes.items():
        total = before.get(name) or 0
        curves[name] = []
        for point in points:
            total += by_point[point]
            curves[name].append(total)
    return curves
