"""Moves what belongs to one account to another: every row that points to a person, in every app.

Rows that the other account has already, by a rule of uniqueness, stay where they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db.models import Exists, ForeignKey, Model, OuterRef, Q, QuerySet, UniqueConstraint
from django.db.models.lookups import IsNull

from oasst.accounts.models import EmailCode, OpenSession, User
from oasst.accounts.sessions import SessionStore

_FACTORS_SHOWN = "account_authentication_methods"  # as allauth calls it
_AT_ONCE = 1000


class Moved:
    """What a merge gave to which account: keys by model, column and new owner."""

    def __init__(self) -> None:
        self.keys: dict[tuple[type[Model], str, User], list[Any]] = defaultdict(list)

    def give(self, rows: QuerySet[Any], field: str, to: User) -> None:
        """Let `to` stand in a column of these rows, and remember which were somebody else's."""
        model = rows.model
        keys = list(rows.exclude(**{field: to}).values_list("pk", flat=True))
        for chunk in _chunks(keys):
            model._base_manager.filter(pk__in=chunk).update(**{field: to})
        if keys and model._meta.get_field(field).primary_key:
            keys = [to.pk]  # a row that has its person's key has got another one
        self.keys[model, field, to] += keys

    def chunks(self) -> Iterator[tuple[type[Model], str, User, list[Any]]]:
        for (model, field, to), keys in self.keys.items():
            for chunk in _chunks(keys):
                yield model, field, to, chunk


def _chunks(keys: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


def columns(skipping: Collection[str] = ()) -> Iterator[tuple[type[Model], str]]:
    """Every model with the name of a column that points to an account; `skipping`: `app.Model`."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.get_fields():
            points = isinstance(field, ForeignKey) and field.remote_field.model is User
            if points and model._meta.label not in skipping:
                yield model, field.name


def move(source: User, into: User, moved: Moved, *, skipping: Collection[str] = ()) -> None:
    """Give everything of `source` to `into`. Caller holds both rows' locks.

    Sessions are not remembered: they end when a merge is undone.
    """
    mine = {EmailCode._meta.label, OpenSession._meta.label, "accounts.User_groups",
            "accounts.User_user_permissions"}  # fmt: skip
    EmailCode.objects.filter(user=source).delete()
    EmailAddress.objects.filter(user=source).update(primary=False)
    for model, field in columns(mine.union(skipping)):
        moved.give(movable(model, field, source, into), field, into)
    _move_sessions(source, into)


def movable(model: type[Model], field: str, source: User, into: User) -> QuerySet[Any]:
    """The rows of `source` that `into` may have besides its own."""
    rows = model._base_manager.filter(**{field: source})
    for same in _doubled(model, field, source, into):
        rows = rows.exclude(pk__in=same.values("pk"))
    return rows


def taken(model: type[Model], field: str, source: User, into: User) -> set[Any]:
    """The keys of the others: rows of `source` that `into` has already."""
    doubled = _doubled(model, field, source, into)
    return {key for rows in doubled for key in rows.values_list("pk", flat=True)}


def _doubled(model: type[Model], field: str, source: User, into: User) -> Iterator[QuerySet[Any]]:
    """Rows of `source` that `into` has already, by each rule of uniqueness."""
    for names, condition, nulls_distinct in _unique(model, field):
        theirs = model._base_manager.filter(condition, **{field: into})
        for name in names:
            if name != field:
                theirs = theirs.filter(_same(name, nulls_distinct))
        yield model._base_manager.filter(condition & Q(Exists(theirs)), **{field: source})


def _same(name: str, nulls_distinct: bool) -> Q:
    """The column is as in the outer query."""
    same = Q(**{name: OuterRef(name)})
    if nulls_distinct:
        return same
    return same | Q(**{f"{name}__isnull": True}) & Q(IsNull(OuterRef(name), True))


def _unique(model: type[Model], field: str) -> Iterator[tuple[Collection[str], Q, bool]]:
    """Columns, condition, and whether empty columns are never the same."""
    options = model._meta
    if getattr(options.get_field(field), "unique", False):
        yield [field], Q(), True
    together: list[tuple[Collection[str], Q, bool]] = [
        (names, Q(), True) for names in options.unique_together
    ]
    rules = [each for each in options.constraints if isinstance(each, UniqueConstraint)]
    for rule in rules:
        together.append((rule.fields, rule.condition or Q(), rule.nulls_distinct is not False))
    yield from (each for each in together if field in each[0])


def _move_sessions(source: User, into: User) -> None:
    """Let the devices of `source` be signed in as `into`, and show a second factor anew."""
    for row in OpenSession.objects.filter(user=source):
        store = SessionStore()
        data = row.get_decoded() | {
            SESSION_KEY: str(into.pk),
            HASH_SESSION_KEY: into.get_session_auth_hash(),
        }
        data.pop(_FACTORS_SHOWN, None)
        row.user, row.session_data = into, store.encode(data)
        row.save(update_fields=["user", "session_data"])
