"""The public statistics as plots: which there are, what their words say, when data are too few."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from leaderboard_app import dataset_stats, estimates, spans
from leaderboard_app.dataset_stats import Curves, Days, Labels, People
from leaderboard_app.spans import Window
from leaderboard_app.stages import Stage
from oasst.lib import plots
from oasst.lib.languages import name as language_name
from oasst.lib.plots import Bin, Plot, Series, Table
from tasks_app import queue_health
from tasks_app.enums import STOPPED_STATES, ContributionKind, TreeState
from tasks_app.labels import FIVE_STEPS, LABELS, Label, Widget

# More languages than this are drawn as one curve.
MOST_LANGUAGES = 6
MOST_QUEUES = 12
MOST_COHORTS = 12

# From the goal back to the beginning, so that what is done lies at the bottom of the stack.
_STATES: dict[str, Collection[TreeState]] = {
    "ready": (TreeState.READY_FOR_EXPORT,),
    "ranking": (TreeState.RANKING, TreeState.READY_FOR_SCORING, TreeState.SCORING_FAILED),
    "growing": (TreeState.GROWING,),
    "waiting": (TreeState.PROMPT_LOTTERY_WAITING, TreeState.BACKLOG_RANKING),
    "review": (TreeState.INITIAL_PROMPT_REVIEW,),
    "ended": STOPPED_STATES,
}


@dataclass(frozen=True)
class Report:
    """All plots of the page, by name, and how fresh they are."""

    plots: dict[str, Plot]
    labels: list[Plot]  # small multiples, whose common table is that of the plot `labels`
    window: Window
    counted_at: datetime
    fewest_people: int = estimates.FEWEST_PEOPLE
    fewest_labels: int = estimates.FEWEST_LABELS

    @property
    def labels_table(self) -> Table:
        """The numbers of the small multiples."""
        return plots.together(_("Label"), self.labels)


def report(lang: str, span: str, *, now: datetime) -> Report | None:
    """Everything the page shows of one language, or of all; None before the first count."""
    extent = dataset_stats.extent()
    if extent is None:
        return None
    first, counted_at = extent
    window = spans.window(span, first=first, today=now.date())
    days = dataset_stats.days(window, lang)
    labels = dataset_stats.labels(window, lang)
    people = dataset_stats.people(window, lang)
    small = histograms(labels)
    drawn = [
        messages(window, lang),
        states(window, days.states),
        funnel(days),
        contributions(window, days),
        *queues(lang, now=now),
        marks(labels),
        correlations(labels),
        active(people),
        cohorts(people),
    ]
    return Report({plot.name: plot for plot in drawn}, small, window, counted_at)


# Growth


def messages(window: Window, lang: str) -> Plot:
    """Messages so far: of the languages with most, or of one language by role."""
    if lang:
        roles = {
            "prompts": _("Initial prompts"),
            "prompter_replies": _("Prompter replies"),
            "assistant_replies": _("Assistant replies"),
        }
        curves = dataset_stats.messages_by_role(window, lang)
        series = [Series(words, curves[role]) for role, words in roles.items()]
    else:
        series = _languages(dataset_stats.messages_by_language(window))
    total = sum(int(one.values[-1] or 0) for one in series)
    text = _("Messages written so far, those that were not accepted too; n = %(n)s.")
    plot = plots.line(
        "messages",
        _("Messages"),
        text % {"n": plots.plain(total)},
        across=_across(window),
        names=_names(window),
        series=series,
        whole=True,
    )
    return _dated(plot, window.points)


def _languages(curves: Curves) -> list[Series]:
    names = list(curves)
    shown = names if len(names) <= MOST_LANGUAGES + 1 else names[:MOST_LANGUAGES]
    series = [Series(language_name(lang), curves[lang]) for lang in shown]
    rest = [curves[lang] for lang in names if lang not in shown]
    if rest:
        count = len(rest)
        words = ngettext("%(n)d other language", "%(n)d other languages", count) % {"n": count}
        series.append(Series(words, [sum(each) for each in zip(*rest, strict=True)]))
    return series


def states(window: Window, curves: Curves) -> Plot:
    """Trees by state at the end of each point, stacked."""
    words = {
        "ready": TreeState.READY_FOR_EXPORT.label,
        "ranking": TreeState.RANKING.label,
        "growing": TreeState.GROWING.label,
        "waiting": _("Waiting to be drawn"),
        "review": TreeState.INITIAL_PROMPT_REVIEW.label,
        "ended": _("Not accepted or halted"),
    }
    nothing = [0] * len(window.points)
    series = []
    for group, members in _STATES.items():
        each = [curves.get(state, nothing) for state in members]
        series.append(Series(str(words[group]), [sum(n) for n in zip(*each, strict=True)]))
    trees = sum(int(one.values[-1] or 0) for one in series)
    plot = plots.stacked(
        "states",
        _("Conversation trees by state"),
        _("Trees at the end of each point; n = %(n)s today.") % {"n": plots.plain(trees)},
        across=_across(window),
        names=_names(window),
        series=series,
    )
    return _dated(plot, window.points)


def funnel(days: Days) -> Plot:
    """How many trees reached each stage within the span."""
    counts = [days.stages[stage] for stage in Stage]
    notes = [plots.plain(counts[0])]
    for before, count in pairwise(counts):
        of = f" · {plots.percent(count / before)}" if before else ""
        notes.append(plots.plain(count) + of)
    text = _(
        "Trees that reached each stage in this span, and their share of the stage before; "
        "n = %(n)s begun."
    )
    return plots.rows(
        "funnel",
        _("From prompt to export"),
        text % {"n": plots.plain(counts[0])},
        across=_("Stage"),
        names=[str(stage.label) for stage in Stage],
        parts=[Series(_("Trees"), counts)],
        notes=notes,
    )


def contributions(window: Window, days: Days) -> Plot:
    """What people did in each point."""
    words = {
        _("Messages written"): (ContributionKind.PROMPT, ContributionKind.REPLY),
        _("Reviews"): (ContributionKind.LABELS,),
        _("Rankings"): (ContributionKind.RANKING,),
    }
    nothing = [0] * len(window.points)
    series = []
    for name, kinds in words.items():
        each = [days.contributions.get(kind, nothing) for kind in kinds]
        series.append(Series(name, [sum(n) for n in zip(*each, strict=True)]))
    total = sum(int(n or 0) for one in series for n in one.values)
    plot = plots.stacked(
        "contributions",
        {"day": _("Contributions a day"), "week": _("Contributions a week")}.get(
            window.unit, _("Contributions a month")
        ),
        _("Messages, reviews and rankings by people; n = %(n)s.") % {"n": plots.plain(total)},
        across=_across(window),
        names=_names(window),
        series=series,
    )
    return _dated(plot, window.points)


# Queues


def queues(lang: str, *, now: datetime) -> list[Plot]:
    """What waits now: by kind, and, unless one language is wanted, by language."""
    found = queue_health.queues(now=now, langs=[lang] if lang else None)
    by_kind: dict[str, list[queue_health.Queue]] = defaultdict(list)
    by_lang: dict[str, list[queue_health.Queue]] = defaultdict(list)
    for queue in found:
        by_kind[str(queue.kind.label)].append(queue)
        by_lang[language_name(queue.lang)].append(queue)
    drawn = [_waiting("kinds", _("Open places by kind of task"), _("Kind"), by_kind)]
    if not lang:
        drawn.append(_waiting("languages", _("Open places by language"), _("Language"), by_lang))
    return drawn


def _waiting(
    name: str, title: str, across: str, groups: dict[str, list[queue_health.Queue]]
) -> Plot:
    rows = sorted(groups.items(), key=lambda item: -sum(queue.slots for queue in item[1]))
    rows = rows[:MOST_QUEUES]
    ages = [_("up to an hour"), _("up to a day"), _("up to a week"), _("longer")]
    parts = [
        Series(age, [sum(queue.by_age[at] for queue in group) for _name, group in rows])
        for at, age in enumerate(ages)
    ]
    notes = [
        f"{plots.plain(sum(queue.slots for queue in group))}"
        f" · {short_age(max(queue.age for queue in group))}"
        for _name, group in rows
    ]
    total = sum(queue.slots for group in groups.values() for queue in group)
    text = _("Free places now, by how long they wait, and the age of the oldest; n = %(n)s.")
    return plots.rows(
        name,
        title,
        text % {"n": plots.plain(total)},
        across=across,
        names=[row for row, _group in rows],
        parts=parts,
        notes=notes,
    )


def short_age(age: timedelta) -> str:
    """An age in its largest unit."""
    hours = int(age.total_seconds() // 3600)
    if hours >= 48:
        return _("%(n)d d") % {"n": hours // 24}
    return _("%(n)d h") % {"n": hours} if hours else _("%(n)d min") % {"n": age.seconds // 60}


# Labels


def histograms(labels: Labels) -> list[Plot]:
    """Small multiples: how often people chose each step of a scale."""
    return [
        _histogram(label, labels.values.get(label.name, [0] * 5))
        for label in LABELS.values()
        if label.widget == Widget.LIKERT
    ]


def _histogram(label: Label, counts: Sequence[int]) -> Plot:
    """As the form shows it: of what measures something bad, more is better here too."""
    n = sum(counts)
    words = [str(word) for _value, word in label.choices]
    counts = counts[::-1] if label.inverted else counts
    bins = [Bin(word, None) for word in words]
    text = _("n = %(n)s") % {"n": plots.plain(n)}
    mean = estimates.mean(counts, FIVE_STEPS)
    if n >= estimates.FEWEST_LABELS and mean:
        shares = [estimates.share(count, n) for count in counts]
        bins = [
            Bin(word, one.value, one.low, one.high, count)
            for word, one, count in zip(words, shares, counts, strict=True)
            if one
        ]
        text = _("mean %(mean).2f (%(low).2f – %(high).2f), n = %(n)s") % {
            "mean": mean.value,
            "low": mean.low,
            "high": mean.high,
            "n": plots.plain(n),
        }
    return plots.columns(
        f"label-{label.name}",
        str(label.title),
        text,
        across=_("Answer"),
        unit=_("share"),
        bins=bins,
        up=(0, 1),
        show=plots.percent,
        small=True,
    )


def marks(labels: Labels) -> Plot:
    """Shares of the labels that are answered with yes or no."""
    rows = []
    for label in LABELS.values():
        counts = labels.values.get(label.name, [0] * 5)
        one = estimates.share(counts[-1], sum(counts))
        if label.widget != Widget.LIKERT and one and one.n >= estimates.FEWEST_LABELS:
            rows.append((str(label.title), one))
    rows.sort(key=lambda row: -row[1].value)
    share = Series(
        _("share"),
        [one.value for _title, one in rows],
        low=[one.low for _title, one in rows],
        high=[one.high for _title, one in rows],
        counts=[one.n for _title, one in rows],
    )
    return plots.rows(
        "marks",
        _("How often a label is set"),
        _("Share of the label sets in which it was asked, with its 95 % interval."),
        across=_("Label"),
        names=[title for title, _one in rows],
        parts=[share],
        notes=[
            f"{plots.percent(one.value)} ({plots.percent(one.low)} – {plots.percent(one.high)})"
            for _title, one in rows
        ],
        show=plots.percent,
    )


def correlations(labels: Labels) -> Plot:
    """Pearson's r of each pair of labels that are asked together often enough."""
    names = [
        name
        for name in LABELS
        if sum(labels.values.get(name, ())) >= estimates.FEWEST_LABELS
        and sum(count > 0 for count in labels.values[name]) > 1
    ]
    cells = [[_cell(labels, a, b) for b in names[: at + 1]] for at, a in enumerate(names)]
    width = len(names)
    values = [[_value(one) for one in row] for row in cells]
    notes = [
        [f"{one.low:.2f} – {one.high:.2f}, n = {one.n}" if one else "" for one in row]
        for row in cells
    ]
    sets = max((one.n for row in cells for one in row if one), default=0)
    text = _(
        "Pearson’s r over label sets; blue: together, orange: the one without the other; "
        "up to n = %(n)s."
    )
    return plots.heatmap(
        "correlation",
        _("Which labels go together"),
        text % {"n": plots.plain(sets)},
        down=_("Label"),
        names=[f"{at + 1} {LABELS[name].title}" for at, name in enumerate(names)],
        columns=[str(at + 1) for at in range(width)],
        values=values,
        show=_two_digits,
        notes=notes,
    )


def _cell(labels: Labels, a: str, b: str) -> estimates.Estimate | None:
    if a == b:
        n = sum(labels.values[a])
        return estimates.Estimate(1.0, 1.0, 1.0, n)
    sums = labels.pairs.get(" ".join(sorted((a, b))))
    found = estimates.correlation(sums) if sums else None
    if found is None or found.n < estimates.FEWEST_LABELS:
        return None
    # Titles name the good end, so r goes by that too.
    if LABELS[a].inverted == LABELS[b].inverted:
        return found
    return estimates.Estimate(-found.value, -found.high, -found.low, found.n)


def _value(one: estimates.Estimate | None) -> float | None:
    return round(one.value, 3) if one else None


def _two_digits(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")


# People


def active(people: People) -> Plot:
    """People who contributed in each week, and those who did so for the first time."""
    new = [
        firsts.get(week.isoformat(), 0)
        for week, firsts in zip(people.weeks, people.by_first_week, strict=True)
    ]
    series = [
        Series(_("Active"), [estimates.of_people(n) for n in people.active]),
        Series(_("For the first time"), [estimates.of_people(n) for n in new]),
    ]
    plot = plots.line(
        "people",
        _("People who contribute, by week"),
        _("People who wrote, reviewed or ranked, from Monday to Sunday (UTC)."),
        across=_("Week"),
        names=[date_format(week, "j M") for week in people.weeks],
        series=series,
        whole=True,
    )
    return _dated(plot, people.weeks)


def cohorts(people: People) -> Plot:
    """Which share of those who began in a week contributed again in the weeks after."""
    places = {week.isoformat(): at for at, week in enumerate(people.weeks)}
    rows = []
    for week, at in list(places.items())[-MOST_COHORTS:]:
        size = people.by_first_week[at].get(week, 0)
        if estimates.of_people(size) is None:
            continue
        back = [people.by_first_week[later].get(week, 0) for later in range(at + 1, len(places))]
        rows.append((people.weeks[at], size, [estimates.retained(n, size) for n in back]))
    width = max((len(back) for _week, _size, back in rows), default=0)
    return plots.heatmap(
        "cohorts",
        _("Who comes back"),
        _("Share of those who began in a week that contributed again so many weeks later."),
        down=_("First week"),
        names=[f"{date_format(week, 'j M')}, n = {size}" for week, size, _back in rows],
        columns=[f"+{at + 1}" for at in range(width)],
        values=[[_value(one) for one in back] for _week, _size, back in rows],
        notes=[
            [f"{plots.percent(one.low)} – {plots.percent(one.high)}" if one else "" for one in back]
            for _week, _size, back in rows
        ],
        show=plots.percent,
    )


# Words of axes


def _across(window: Window) -> str:
    return {"day": _("Day"), "week": _("Week from")}.get(window.unit, _("Month from"))


def _names(window: Window) -> list[str]:
    form = "M Y" if window.unit == "month" else "j M"
    return [date_format(point, form) for point in window.points]


def _dated(plot: Plot, points: Sequence[date]) -> Plot:
    """Tables and files say dates in full; there is no room for them in the picture."""
    rows = tuple(
        (point.isoformat(), *row[1:]) for point, row in zip(points, plot.table.rows, strict=True)
    )
    return replace(plot, table=Table(plot.table.columns, rows))
