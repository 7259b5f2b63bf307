"""What a migration may do while the previous release goes on working, as a check of its operations.

The rules are told in docs/migrations.md. A migration may say why one does not hold for it:
`accepted = {"rule": "why"}` on the class.
"""

from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    NotInTransactionMixin,
    ValidateConstraint,
)
from django.db import migrations
from django.db.migrations import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import ManyToManyField
from django.db.models.fields import NOT_PROVIDED

# rule -> what to do
RULES = {
    "index": "build the index of a table that is there with AddIndexConcurrently",
    "constraint": "add the constraint of a table that is there with AddConstraintNotValid, and"
    " validate it in the next migration; an index first where it is to be unique",
    "default": "give the new column a db_default, or let it be null: the previous release does"
    " not know it",
    "alter": "add a column of the other kind, write both, fill it, read it, and remove the old one",
    "contract": "remove or rename only what the previous release reads and writes no more",
    "locks": "change one table that is there at a time, last in the migration, or set"
    " `atomic = False`: a lock is held until the transaction ends",
    "rows": "change rows in a migration with `atomic = False`, some at a time, or in a job",
    "reverse": "say how to go back: reverse_sql, reverse_code, or noop",
}
_CONTRACTING = (
    migrations.DeleteModel,
    migrations.RemoveField,
    migrations.RenameField,
    migrations.RenameModel,
    migrations.AlterModelTable,
)
# What takes no lock that others wait for.
_HARMLESS = (
    migrations.CreateModel,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.RunPython,
    migrations.RunSQL,
    NotInTransactionMixin,
    ValidateConstraint,
)


def broken(migration: Migration, before: ProjectState) -> list[str]:
    """The rules that a migration breaks, each once, with what to do instead.

    `before` are the models as the migration finds them.
    """
    accepted = getattr(migration, "accepted", {})
    operations = [
        op for op in _flat(migration.operations) if not _is_in_words(op, before, migration)
    ]
    found = dict.fromkeys(
        rule for rule in _broken(operations, is_atomic=migration.atomic) if rule not in accepted
    )
    return [f"{migration.app_label}.{migration.name}: {rule}: {RULES[rule]}" for rule in found]


def _broken(operations: list[Operation], *, is_atomic: bool) -> Iterator[str]:
    new = {op.name_lower for op in operations if isinstance(op, migrations.CreateModel)}
    for operation in operations:
        yield from _of_one(operation, new, is_atomic=is_atomic)
    if is_atomic and _holds_locks(operations, new):
        yield "locks"


def _flat(operations: list[Operation]) -> Iterator[Operation]:
    """What is done to the database: of an operation with a state apart, only the one side."""
    for operation in operations:
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


def _is_in_words(operation: Operation, before: ProjectState, migration: Migration) -> bool:
    """Whether only texts, choices and the like of a column change, unseen by the database."""
    if not isinstance(operation, migrations.AlterField):
        return False
    model = before.models.get((migration.app_label, operation.model_name_lower))
    old = model.fields.get(operation.name) if model else None
    return old is not None and _stored(old) == _stored(operation.field)


def _stored(field: Any) -> tuple[str, list[Any], dict[str, Any]]:
    """Its kind and what of it the database knows."""
    _name, path, arguments, options = field.deconstruct()
    left_out = {*field.non_db_attrs, "default"}
    return path, arguments, {key: value for key, value in options.items() if key not in left_out}


def _of_one(operation: Operation, new: set[str], *, is_atomic: bool) -> Iterator[str]:
    if isinstance(operation, (migrations.RunPython, migrations.RunSQL)):
        if not operation.reversible:
            yield "reverse"
        if isinstance(operation, migrations.RunPython) and is_atomic:
            yield "rows"
    elif _table(operation) not in new:
        yield from _of_a_table_that_is_there(operation)


def _of_a_table_that_is_there(operation: Operation) -> Iterator[str]:
    match operation:
        case AddIndexConcurrently() | AddConstraintNotValid():
            return
        case migrations.AddIndex():
            yield "index"
        case migrations.AddConstraint():
            yield "constraint"
        case migrations.AddField() if not _can_be_left_out(operation):
            yield "default"
        case migrations.AlterField():
            yield "alter"
        case operation if isinstance(operation, _CONTRACTING):
            yield "contract"


def _can_be_left_out(operation: migrations.AddField) -> bool:
    field: Any = operation.field
    given = field.db_default is not NOT_PROVIDED or field.null
    return bool(given or isinstance(field, ManyToManyField))


def _holds_locks(operations: list[Operation], new: set[str]) -> bool:
    """Whether a table that is there stays locked while something else is done."""
    locked: str | None = None
    for operation in operations:
        if locked is not None and _table(operation) != locked:
            return True
        if not isinstance(operation, _HARMLESS) and _table(operation) not in new:
            locked = _table(operation)
    return False


def _table(operation: Operation) -> str:
    name = getattr(operation, "model_name", None) or getattr(operation, "name", "")
    return str(name).lower()
