"""What a step of a bulk action changed in a tree and how that was before, as plain JSON values.

Times keep their microseconds, so that what comes back equals what went.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model

from tasks_app.models import Message, MessageTree, Offer, RankingConsensus, Task

# The columns of a message that a step may change.
COLUMNS = ("deleted", "held", "review_count", "review_result", "ranking_count", "rank", "emojis")

Image = dict[str, Any]
Row = TypeVar("Row", bound=Model)


def take(tree: MessageTree) -> Image:
    """The tree as it is now. Caller holds its row lock. Four queries."""
    messages = Message.objects.filter(tree=tree).values_list("pk", *COLUMNS)
    offers = Offer.objects.filter(tree=tree)
    consensus = RankingConsensus.objects.filter(parent__tree=tree)
    held = Task.objects.filter(tree=tree, holds_slot=True)
    return {
        "state": tree.state,
        "state_since": tree.state_since.isoformat(),
        "messages": {str(pk): list(columns) for pk, *columns in messages},
        "offers": {str(row.pk): plain(row) for row in offers},
        "consensus": {str(row.pk): plain(row) for row in consensus},
        "slots": sorted(str(pk) for pk in held.values_list("pk", flat=True)),
    }


def difference(before: Image, after: Image) -> Image:
    """What of `before` is not so any more, with the state that the tree has now. Pure."""
    changed: Image = {
        part: {pk: row for pk, row in before[part].items() if after[part].get(pk) != row}
        for part in ("messages", "offers", "consensus")
    }
    changed["slots"] = sorted(set(before["slots"]) - set(after["slots"]))
    changed |= {name: before[name] for name in ("state", "state_since")}
    return changed | {"state_after": after["state"]}


def plain(row: Model) -> dict[str, Any]:
    """Every column of a row."""
    fields = row._meta.concrete_fields
    return {field.attname: _plain(getattr(row, field.attname)) for field in fields}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value


def row_of(model: type[Row], columns: dict[str, Any]) -> Row:
    """The row that `plain` gave these columns of; columns it lacks get their default."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    known = {name: value for name, value in columns.items() if name in fields}
    return model(**{name: fields[name].to_python(value) for name, value in known.items()})


def put_back(
    model: type[Row], kept: Sequence[dict[str, Any]], *, once_per: Iterable[str]
) -> list[Row]:
    """Store rows again, but for those that people have replaced meanwhile. Gives those stored."""
    names = list(once_per)
    stored = []
    for columns in kept:
        row = row_of(model, columns)
        same = {name: getattr(row, name) for name in names}
        if not model._default_manager.filter(**same).exists():
            row.save(force_insert=True)
            stored.append(row)
    return stored
