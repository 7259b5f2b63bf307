"""The groups, what they may do, and that staff follows them."""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError

from oasst.accounts import roles
from oasst.accounts.models import User


def test_groups_exist_with_permissions(mona: User, root: User, alice: User) -> None:
    assert {g.name for g in Group.objects.all()} >= set(roles.ROLES)
    assert mona.has_perm("tasks_app.view_message")
    assert mona.has_perm("tasks_app.change_report")
    assert not mona.has_perm("tasks_app.delete_message")
    assert not mona.has_perm("accounts.delete_user")
    assert root.has_perm("accounts.delete_user")
    assert not alice.has_perm("tasks_app.view_message")


def test_grant_and_revoke_keep_staff_right(alice: User) -> None:
    roles.grant(alice, roles.MODERATORS)
    assert (alice.is_staff, alice.is_moderator, alice.is_admin) == (True, True, False)

    roles.grant(alice, roles.ADMINS)
    roles.revoke(alice, roles.MODERATORS)
    assert (alice.is_staff, alice.is_moderator, alice.is_admin) == (True, True, True)

    roles.revoke(alice, roles.ADMINS)
    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_moderator, alice.is_admin) == (False, False, False)


def test_unknown_role_is_refused(alice: User) -> None:
    with pytest.raises(ValueError, match="expected one of moderators, admins"):
        roles.grant(alice, "owners")


def test_superuser_counts_as_admin(db: None) -> None:
    user = User.objects.create_superuser("root@example.org")

    assert (user.is_moderator, user.is_admin, user.is_staff) == (True, True, True)
    assert not user.has_usable_password()


def test_address_is_kept_in_lower_case(alice: User) -> None:
    assert User.objects.create_user(" Carol@Example.org ").email == "carol@example.org"
    with pytest.raises(IntegrityError, match="accounts_user_email"):
        User(email="Alice@Example.org").save()


def test_deleted_account_cannot_be_active(alice: User) -> None:
    alice.deleted_at = alice.date_joined

    with pytest.raises(IntegrityError, match="accounts_user_deleted_is_inactive"):
        alice.save()
