"""Which contributors agree with which. For staff."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, takewhile
from typing import Any
from unicodedata import east_asian_width

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from oasst.lib import plots
from oasst.lib.plots import Column, Plot, Table
from tasks_app import agreement_people, agreement_report
from tasks_app.agreement_pairs import Shared
from tasks_app.agreement_people import MIN_SHARED, MOST_VOTES, Company
from tasks_app.agreement_units import RANKINGS
from tasks_app.forms.agreement import MEASURES, PeopleForm
from tasks_app.views.agreement import csv_file
from tasks_app.views.edges import FORM_INVALID, contributor

NAME_LENGTH = 18  # of a name beside the picture, in Latin letters


@require_safe
@contributor
def people(request: HttpRequest) -> HttpResponse:
    """How often each two of the most active people agree."""
    if not request.user.is_staff:
        raise PermissionDenied
    form = PeopleForm(request.GET, langs=agreement_report.langs())
    if not form.is_valid():
        return render(request, "tasks/agreement_people.html", {"form": form}, status=FORM_INVALID)
    measure = form.cleaned_data["measure"]
    wanted = form.filter(timezone.now().date())
    company = agreement_people.company(measure, wanted, form.cleaned_data["people"])
    if form.cleaned_data["format"] == "csv":
        return csv_file(f"agreement-people-{measure}.csv", _file(measure, company))
    context = {
        "form": form,
        "company": company,
        "plot": _plot(measure, company),
        "unit": _unit(measure),
        "places": 2 if measure == RANKINGS else 0,
        "rows": _rows(measure, company),
        "min_shared": MIN_SHARED,
        "csv_url": f"?{form.query(measure=measure, format='csv')}",
        "back": f"?{form.query(measure=measure, people='')}",
    }
    return render(request, "tasks/agreement_people.html", context)


def _unit(measure: str) -> str:
    return _("Mean τ") if measure == RANKINGS else _("Same answer, %")


def _value(measure: str, shared: Shared | None) -> float | None:
    """The number that is shown; None where too little is shared."""
    if shared is None or shared.n < MIN_SHARED:
        return None
    return shared.mean if measure == RANKINGS else 100 * shared.mean


def _rows(measure: str, company: Company) -> list[dict[str, Any]]:
    """The people, each with how much they agree with the others."""
    return [
        {
            "person": one,
            "value": _value(measure, one.others),
            "n": one.others.n if one.others else 0,
        }
        for one in company.people
    ]


def _plot(measure: str, company: Company) -> Plot:
    names = [_numbered(at, str(one.user)) for at, one in enumerate(company.people)]
    halves = [[company.pairs.get((a, b)) for a in range(b)] for b in range(len(names))]
    is_ranking = measure == RANKINGS
    plot = plots.heatmap(
        f"agreement-people-{measure}",
        _("Who agrees with whom: %(what)s") % {"what": dict(MEASURES)[measure]},
        _text(is_ranking) % {"n": plots.plain(company.votes), "most": plots.plain(MOST_VOTES)},
        down=_("Person"),
        names=names,
        columns=names[:-1],
        marks=[str(at + 1) for at in range(len(names) - 1)],
        values=[[_value(measure, one) for one in row] for row in halves],
        counts=[[one.n if one else 0 for one in row] for row in halves],
        notes=[[_note(one) for one in row] for row in halves],
        most=1 if is_ranking else 100,
        show=_two_digits if is_ranking else _whole,
    )
    return replace(plot, table=_table(measure, company))


def _text(is_ranking: bool) -> str:
    if is_ranking:
        return _(
            "Mean of Kendall’s τ of two people who ranked the same replies, and below it how many "
            "messages’ replies they did; n = %(n)s rankings, the newest %(most)s at most"
        )
    return _(
        "How many answers of two people who reviewed the same messages are the same, in %%, and "
        "below it how many messages these are; n = %(n)s reviews, the newest %(most)s at most"
    )


def _note(shared: Shared | None) -> str:
    if shared is None:
        return _("nothing in common")
    n = f"n = {plots.plain(shared.n)}"
    return n if shared.n >= MIN_SHARED else _("not enough data, %(n)s") % {"n": n}


def _numbered(at: int, name: str) -> str:
    return f"{at + 1} {_isolated(_shortened(name))}"


def _shortened(name: str) -> str:
    """What there is room for; Chinese, Japanese and Korean letters are twice as wide."""
    widths = accumulate(2 if east_asian_width(letter) in "WF" else 1 for letter in name)
    room = sum(1 for _ in takewhile(lambda width: width <= NAME_LENGTH, widths))
    return name if room == len(name) else f"{name[:room]}…"


def _isolated(name: str) -> str:
    """A name that leaves the direction of what stands around it alone."""
    return f"\u2068{name}\u2069"


def _two_digits(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")


def _whole(value: float) -> str:
    return str(round(value))


def _least_first(measure: str, company: Company) -> Iterator[tuple[str, str, float | None, int]]:
    """Both people, how much they agree, n: first who agrees least, last of whom nothing is said."""
    said = {pair: _value(measure, shared) for pair, shared in company.pairs.items()}
    for a, b in sorted(said, key=lambda pair: (said[pair] is None, said[pair] or 0.0, pair)):
        one, other = (str(company.people[at].user) for at in (a, b))
        yield one, other, said[a, b], company.pairs[a, b].n


def _table(measure: str, company: Company) -> Table:
    nothing = _("not enough data")
    rows = tuple(
        (f"{_isolated(one)} · {_isolated(other)}", nothing if value is None else value, n)
        for one, other, value, n in _least_first(measure, company)
    )
    unit = _unit(measure)
    return Table((Column(_("Two people")), Column(unit), Column(unit, "n")), rows)


def _file(measure: str, company: Company) -> Table:
    unit = _unit(measure)
    columns = (Column(_("Person")), Column(_("Other person")), Column(unit), Column(unit, "n"))
    return Table(columns, tuple(_least_first(measure, company)))
