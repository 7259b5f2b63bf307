"""Moves what belongs to one account to another: every row that points to a person, in every app.

Rows that the other account has already, by a rule of uniqueness, stay where they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db.models import Exists, ForeignKey, Model, OuterRef, Q, QuerySet, UniqueConstraint

from oasst.accounts.models import EmailCode, OpenSession, User
from oasst.accounts.sessions import SessionStore

_FACTORS_SHOWN = "account_authentication_methods"  # as allauth calls it


def columns(skipping: Collection[str] = ()) -> Iterator[tuple[type[Model], str]]:
    """Every model with the name of a column that points to an account; `skipping`: `app.Model`."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.get_fields():
            points = isinstance(field, ForeignKey) and field.remote_field.model is User
            if points and model._meta.label not in skipping:
                yield model, field.name


def move(source: User, into: User, *, skipping: Collection[str] = ()) -> None:
    """Give everything of `source` to `into`. Caller holds both rows' locks."""
    mine = {EmailCode._meta.label, OpenSession._meta.label, "accounts.User_groups",
            "accounts.User_user_permissions"}  # fmt: skip
    EmailCode.objects.filter(user=source).delete()
    EmailAddress.objects.filter(user=source).update(primary=False)
    for model, field in columns(mine.union(skipping)):
        movable(model, field, source, into).update(**{field: into})
    _move_sessions(source, into)


def movable(model: type[Model], field: str, source: User, into: User) -> QuerySet[Any]:
    """The rows of `source` that `into` may have besides its own."""
    rows = model._base_manager.filter(**{field: source})
    for names, condition in _unique(model, field):
        same = {name: OuterRef(name) for name in names if name != field}
        taken = Exists(model._base_manager.filter(condition, **same, **{field: into}))
        rows = rows.exclude(pk__in=rows.filter(condition & Q(taken)).values("pk"))
    return rows


def _unique(model: type[Model], field: str) -> Iterator[tuple[Collection[str], Q]]:
    options = model._meta
    if getattr(options.get_field(field), "unique", False):
        yield [field], Q()
    together = [(names, Q()) for names in options.unique_together]
    rules = [each for each in options.constraints if isinstance(each, UniqueConstraint)]
    for names, condition in [*together, *((rule.fields, rule.condition or Q()) for rule in rules)]:
        if field in names:
            yield names, condition


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
