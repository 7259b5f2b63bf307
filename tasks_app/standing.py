"""A person's standing as staff keeps it: role, name, notes and open sessions; and the tunables.
All of it is logged.

Bans and mutes are in `moderation`. The log holds no names or notes, so that erasing a person
leaves nothing of them behind.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from oasst.accounts import names, people, roles
from oasst.lib.errors import DomainError
from tasks_app import config
from tasks_app.config import ConfigChange
from tasks_app.enums import ModerationKind
from tasks_app.moderation import lock_person
from tasks_app.moderation_log import record, require_reason


class RoleNotYours(DomainError):
    """Somebody who is no admin gives or takes a role."""

    code = "role_not_yours"
    status = 403
    default_message = _("Only admins give and take roles.")


class UnknownRole(DomainError):
    """A role that does not exist."""

    code = "unknown_role"
    default_message = _("This role does not exist.")


@transaction.atomic
def set_role(user_id: uuid.UUID, role: str, *, actor: Any, reason: str, now: datetime) -> None:
    """Give a person exactly the role `role`, a group or "" for contributors.

    Raises RoleNotYours, UnknownRole, and what `lock_person` raises.
    """
    require_reason(reason)
    if role and role not in roles.ROLES:
        raise UnknownRole
    person = lock_person(user_id, actor)
    before = give_roles(person, [role] if role else [], actor=actor)
    data = {"from": before, "to": role}
    record(ModerationKind.SET_ROLE, actor=actor, reason=reason, now=now, user=person, data=data)


def give_roles(person: Any, wanted: Sequence[str], *, actor: Any) -> list[str]:
    """Give a person, who is locked, exactly these roles. Returns the ones before.

    Raises RoleNotYours.
    """
    if not actor.is_admin:
        raise RoleNotYours
    before = sorted(person.groups.filter(name__in=roles.ROLES).values_list("name", flat=True))
    for role in before:
        if role not in wanted:
            roles.revoke(person, role)
    for role in wanted:
        if role not in before:
            roles.grant(person, role)
    return before


@transaction.atomic
def rename(user_id: uuid.UUID, name: str, *, actor: Any, reason: str, now: datetime) -> None:
    """Give a person another display name. Raises names.BadName and what `lock_person` raises."""
    require_reason(reason)
    person = lock_person(user_id, actor)
    person.display_name = names.clean(name)
    person.save(update_fields=["display_name"])
    record(ModerationKind.RENAME_USER, actor=actor, reason=reason, now=now, user=person)


@transaction.atomic
def edit_notes(user_id: uuid.UUID, notes: str, *, actor: Any, now: datetime) -> None:
    """Replace what staff has noted about a person."""
    person = lock_person(user_id, actor)
    person.notes = notes.strip()
    person.save(update_fields=["notes"])
    record(ModerationKind.EDIT_NOTES, actor=actor, reason="", now=now, user=person)


@transaction.atomic
def change_setting(
    name: str, value: Any, *, actor: Any, reason: str, now: datetime
) -> ConfigChange:
    """Change a tunable (None: back to the default). Raises InvalidSetting."""
    change = config.change(name, value, actor=actor, reason=reason, now=now)
    told = "default" if change.value is None else change.value
    data = {"setting": f"{name}: {change.old_value} → {told}"}
    record(ModerationKind.CHANGE_SETTING, actor=actor, reason=reason, now=now, data=data)
    return change


@transaction.atomic
def end_sessions(user_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> None:
    """Sign a person out on every device."""
    require_reason(reason)
    person = lock_person(user_id, actor)
    people.end_all_sessions(person, now=now)
    record(ModerationKind.END_SESSIONS, actor=actor, reason=reason, now=now, user=person)
