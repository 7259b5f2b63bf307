"""Questions to people as lines of a list on the desk's pages."""

from typing import Any

from django.db.models import QuerySet

from oasst.lib.desk.display import page_url
from tasks_app.models import Message, Question
from tasks_app.reading import Veil

MOST_ROWS = 15


def items(rows: QuerySet[Question]) -> list[dict[str, Any]]:
    """Questions for the template `_questions.html`, the newest first."""
    newest = rows.select_related("asked_by").order_by("-id")[:MOST_ROWS]
    return [{"row": row, "url": page_url(Question, row.pk)} for row in newest]


def about(message: Message, veil: Veil) -> list[dict[str, Any]]:
    """What the author was asked about a message; nothing if they are kept from the reader."""
    return [] if veil.task(message) else items(Question.objects.filter(message=message))
