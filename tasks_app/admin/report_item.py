"""One report as a line of a list on the desk's pages."""

from collections.abc import Iterable
from typing import Any

from oasst.lib.desk.display import page_url
from tasks_app.forms.messages import ReportForm
from tasks_app.models import Report

# The words that people chose from.
CATEGORIES = dict(ReportForm.base_fields["category"].choices)


def category(report: Report) -> str:
    """What is said to be wrong, in words."""
    return str(CATEGORIES.get(report.category, report.category))


def items(reports: Iterable[Report]) -> list[dict[str, Any]]:
    """Reports for the template `_reports.html`."""
    return [
        {"row": report, "category": category(report), "url": page_url(Report, report.pk)}
        for report in reports
    ]
