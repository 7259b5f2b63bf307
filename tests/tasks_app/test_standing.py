"""Roles, names, notes and sessions: who may change whose, and that it is logged."""

import pytest

from oasst.accounts import roles
from oasst.accounts.models import User
from tasks_app import moderation, standing
from tasks_app.enums import ModerationKind
from tasks_app.errors import ReasonMissing
from tasks_app.models import ModerationAction
from tests.factories import NOW, person


def logged() -> list[tuple]:
    rows = ModerationAction.objects.order_by("id")
    return list(rows.values_list("action", "actor", "user_id", "reason"))


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_admin_makes_a_contributor_moderator(alice: User, root: User) -> None:
    standing.set_role(alice.pk, roles.MODERATORS, actor=root, reason="helps a lot", now=NOW)

    assert fresh(alice).is_moderator
    assert fresh(alice).is_staff
    assert not fresh(alice).is_admin
    assert logged() == [(ModerationKind.SET_ROLE, root.pk, alice.pk, "helps a lot")]


def test_a_new_role_replaces_the_old_one(mona: User, root: User) -> None:
    standing.set_role(mona.pk, roles.ADMINS, actor=root, reason="takes over", now=NOW)

    assert list(fresh(mona).groups.values_list("name", flat=True)) == [roles.ADMINS]


def test_without_a_role_nobody_is_staff(mona: User, root: User) -> None:
    standing.set_role(mona.pk, "", actor=root, reason="leaves", now=NOW)

    assert not fresh(mona).is_staff
    assert not fresh(mona).is_moderator


def test_moderator_gives_no_role(alice: User, mona: User) -> None:
    with pytest.raises(standing.RoleNotYours):
        standing.set_role(alice.pk, roles.MODERATORS, actor=mona, reason="friend", now=NOW)

    assert not fresh(alice).is_moderator
    assert logged() == []


def test_unknown_role_is_refused(alice: User, root: User) -> None:
    with pytest.raises(standing.UnknownRole):
        standing.set_role(alice.pk, "emperors", actor=root, reason="why not", now=NOW)


def test_admin_keeps_the_own_role(root: User) -> None:
    with pytest.raises(moderation.NotYours):
        standing.set_role(root.pk, "", actor=root, reason="tired", now=NOW)

    assert fresh(root).is_admin


def test_names_and_notes_are_changed_but_not_logged(alice: User, mona: User) -> None:
    standing.rename(alice.pk, "Alice B.", actor=mona, reason="insulting name", now=NOW)
    standing.edit_notes(alice.pk, " warned once ", actor=mona, now=NOW)

    assert fresh(alice).display_name == "Alice B."
    assert fresh(alice).notes == "warned once"
    assert logged() == [
        (ModerationKind.RENAME_USER, mona.pk, alice.pk, "insulting name"),
        (ModerationKind.EDIT_NOTES, mona.pk, alice.pk, ""),
    ]
    assert list(ModerationAction.objects.values_list("data", flat=True)) == [{}, {}]


def test_ending_sessions_needs_a_reason(alice: User, mona: User) -> None:
    with pytest.raises(ReasonMissing):
        standing.end_sessions(alice.pk, actor=mona, reason="  ", now=NOW)
    assert fresh(alice).session_epoch == 0

    standing.end_sessions(alice.pk, actor=mona, reason="stolen laptop", now=NOW)
    assert fresh(alice).session_epoch == 1


@pytest.mark.parametrize(
    ("actor", "target", "may"),
    [
        ("mona", "alice", True),
        ("mona", "max", False),
        ("mona", "root", False),
        ("mona", "super", False),
        ("root", "mona", True),
        ("root", "rita", True),
        ("root", "super", False),
        ("super", "root", True),
        ("super", "super", False),
        ("alice", "bob", False),
    ],
)
def test_who_may_manage_whom(db: None, actor: str, target: str, may: bool) -> None:
    cast = {
        "alice": person("Alice"),
        "bob": person("Bob"),
        "mona": person("Mona", role=roles.MODERATORS),
        "max": person("Max", role=roles.MODERATORS),
        "root": person("Root", role=roles.ADMINS),
        "rita": person("Rita", role=roles.ADMINS),
        "super": person("Super", is_superuser=True, is_staff=True),
    }

    assert roles.may_manage(cast[actor], cast[target]) is may


def test_moderator_cannot_ban_an_admin(mona: User, root: User) -> None:
    with pytest.raises(moderation.NotYours):
        moderation.ban_user(root.pk, actor=mona, reason="coup", now=NOW)

    assert fresh(root).is_active


def test_ban_ends_sessions_and_a_second_one_changes_nothing(alice: User, mona: User) -> None:
    moderation.ban_user(alice.pk, actor=mona, reason="spam", now=NOW)
    moderation.ban_user(alice.pk, actor=mona, reason="spam again", now=NOW)

    assert not fresh(alice).is_active
    assert fresh(alice).session_epoch == 1
    assert logged() == [(ModerationKind.BAN_USER, mona.pk, alice.pk, "spam")]
