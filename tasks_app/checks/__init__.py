"""Whether the data is sound: every invariant of trees, messages, votes, tasks and the journal.

Reads only, in bulk, as of one moment; fit for any database.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from oasst.lib import database
from tasks_app.checks import agreement, derived, rows
from tasks_app.config import TreeConfig


@dataclass(frozen=True)
class Broken:
    """One thing that breaks a rule: the rule's name, the id of a row, and what is wrong."""

    rule: str
    id: str
    detail: str


def broken_invariants() -> Iterator[Broken]:
    """Everything that is wrong, rule by rule."""
    with database.one_moment():
        for rule in rows.RULES:
            for pk, detail in rows.broken_by(rule):
                yield Broken(rule.name, pk, detail)
        for pk, move in rows.illegal_transitions():
            yield Broken("transitions_are_legal", pk, move)
        for name, pk, detail in derived.findings(TreeConfig.current()):
            yield Broken(name, pk, detail)
        for name, pk, detail in agreement.findings():
            yield Broken(name, pk, detail)
