"""Lists that are cut by where a page ended, so that the thousandth costs what the first does and
rows that come meanwhile move nothing. Rows have a moment, and ids tell those of one moment apart.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from django import forms
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _

M = TypeVar("M", bound=Model)
Rows = TypeVar("Rows", bound=QuerySet[Any])

_YEAR_3000 = 32_503_680_000_000_000


@dataclass(frozen=True)
class Cursor:
    """The last row of a page: the next page holds what is older."""

    moment: datetime
    id: uuid.UUID

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read what `str()` wrote. Raises ValueError."""
        moment, _, key = text.partition("-")
        microseconds = int(moment)
        if not 0 <= microseconds < _YEAR_3000:
            raise ValueError(text)
        seconds, rest = divmod(microseconds, 1_000_000)
        read = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
        return cls(read, uuid.UUID(key))

    def __str__(self) -> str:
        whole = int(self.moment.replace(microsecond=0).timestamp()) * 1_000_000
        return f"{whole + self.moment.microsecond}-{self.id.hex}"


class CursorField(forms.CharField):
    """Where the page before ended; None for the first page."""

    def to_python(self, value: Any) -> Any:
        """What `parse` makes of the text."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            return self.parse(text)
        except ValueError as error:
            raise forms.ValidationError(_("This page does not exist.")) from error

    def parse(self, text: str) -> Any:
        """A cursor. Raises ValueError."""
        return Cursor.parse(text)

    def run_validators(self, value: Any) -> None:
        """A cursor is valid or was not parsed."""


def older(rows: Rows, last: Cursor, moment: str, *, ids_fall: bool = False) -> Rows:
    """Rows that come after the last of a page, newest first by the column `moment`, then by id."""
    beyond = {"id__lt" if ids_fall else "id__gt": last.id}
    same_moment = Q(**{moment: last.moment}, **beyond)
    return rows.filter(Q(**{f"{moment}__lt": last.moment}) | same_moment)


def page(
    rows: QuerySet[M],
    before: Cursor | None,
    moment: str,
    *,
    size: int,
    ids_fall: bool = False,
) -> tuple[list[M], Cursor | None]:
    """So many of `rows`, which are in that order, and where the next page begins, if there is one.

    One query.
    """
    rows = older(rows, before, moment, ids_fall=ids_fall) if before else rows
    found = list(rows[: size + 1])
    shown: list[Any] = found[:size]
    more = Cursor(getattr(shown[-1], moment), shown[-1].pk) if len(found) > size else None
    return shown, more
