"""The two groups, what they may do in the admin, and how people get in and out of them.

`is_staff` (may open /admin/) always follows the groups: `grant` and `revoke` set both, and whoever
edits groups by other means calls `sync_staff` afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig, apps

if TYPE_CHECKING:
    from oasst.accounts.models import User

MODERATORS = "moderators"
ADMINS = "admins"
ROLES = (MODERATORS, ADMINS)

# Everything else a moderator does (halt, delete, restore, ban) goes through logged domain
# functions; no permission to add or delete rows is ever needed for it.
_MODERATOR_ACTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "accounts": {"user": ("view", "change")},
    "tasks_app": {
        "message": ("view", "change"),
        "messagetree": ("view", "change"),
        "report": ("view", "change"),
        "bulkaction": ("view", "change"),
        "moderationaction": ("view", "change"),
        "golditem": ("view", "change"),
        "question": ("view", "change"),
        "*": ("view",),
    },
    "chat_app": {"chatreport": ("view", "change"), "servedmodel": ("view",), "worker": ("view",)},
    "training": {"*": ("view",)},
    "leaderboard_app": {
        "trollstats": ("view",),
        "pointentry": ("view",),
        "teamgoal": ("view", "change"),
    },
}
_ADMIN_APPS = {"accounts", "tasks_app"}
# Chats are private: nobody reads them here, whatever their role.
_ADMIN_ACTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "chat_app": {
        "chatreport": ("view", "change"),
        "servedmodel": ("view", "change"),
        "worker": ("view",),
    },
    "training": {
        "trainingrun": ("view", "change"),
        "checkpoint": ("view", "change"),
        "*": ("view",),
    },
    "leaderboard_app": {
        "trollstats": ("view",),
        "pointentry": ("view",),
        "teamgoal": ("view", "change"),
    },
}


def _codenames(role: str, app: AppConfig) -> set[str]:
    if role == ADMINS and app.label in _ADMIN_APPS:
        every = ("add", "change", "delete", "view")
        return {f"{a}_{m._meta.model_name}" for m in app.get_models() for a in every}
    table = (_ADMIN_ACTIONS if role == ADMINS else _MODERATOR_ACTIONS).get(app.label, {})
    return {
        f"{action}_{model._meta.model_name}"
        for model in app.get_models()
        for action in table.get(str(model._meta.model_name), table.get("*", ()))
    }


def give_permissions(sender: AppConfig, **_signal: Any) -> None:
    """After an app's migrations: both groups exist and hold their permissions of that app."""
    if not apps.is_installed("django.contrib.auth"):
        return
    from django.contrib.auth.models import Group, Permission  # needs the app registry

    for role in ROLES:
        group, _ = Group.objects.get_or_create(name=role)
        wanted = _codenames(role, sender)
        group.permissions.add(
            *Permission.objects.filter(content_type__app_label=sender.label, codename__in=wanted)
        )


def grant(user: User, role: str) -> None:
    """Put `user` into `role`."""
    user.groups.add(_group(role))
    sync_staff(user)


def revoke(user: User, role: str) -> None:
    """Take `user` out of `role`."""
    user.groups.remove(_group(role))
    sync_staff(user)


def sync_staff(user: User) -> None:
    """Make `is_staff` say what the groups say."""
    user.forget_groups()
    if user.is_staff != user.is_moderator:
        user.is_staff = user.is_moderator
        user.save(update_fields=["is_staff"])


def may_manage(actor: User, person: User) -> bool:
    """Whether `actor` may ban, mute, rename or annotate `person`.

    Moderators only people without a role, admins everybody but superusers; nobody themselves.
    """
    if actor.pk == person.pk:
        return False
    if actor.is_superuser:
        return True
    if actor.is_admin:
        return not person.is_superuser
    return actor.is_moderator and not person.is_moderator


def _group(role: str) -> Any:
    from django.contrib.auth.models import Group  # needs the app registry

    if role not in ROLES:
        raise ValueError(f"role {role!r}: expected one of {', '.join(ROLES)}")
    return Group.objects.get(name=role)
