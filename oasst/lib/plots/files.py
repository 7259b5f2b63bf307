"""The numbers of a plot as a CSV file. Pure."""

import csv
import io

from oasst.lib.plots.parts import Cell, Table

# Spreadsheets take texts that begin so for formulas. Source: OWASP, "CSV Injection".
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(table: Table) -> str:
    """One line for each row; gaps are empty, numbers are whole or have all their digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        _safe(column.name if column.part == "value" else f"{column.name} {column.part}")
        for column in table.columns
    )
    writer.writerows([_safe(value) for value in row] for row in table.rows)
    return out.getvalue()


def _safe(value: Cell) -> Cell:
    if isinstance(value, int | float) or value is None:
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
