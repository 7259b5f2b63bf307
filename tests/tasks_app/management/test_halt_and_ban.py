"""`manage.py halt_tree` and `manage.py ban_user`."""

import uuid
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from oasst.accounts.models import User
from tasks_app.enums import TreeState
from tasks_app.models import ModerationAction
from tests.factories import grow


def run(*args: str) -> str:
    out = StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_halt_tree_stops_a_tree_and_logs_why(db: None) -> None:
    grown = grow("P(A)")

    text = run("halt_tree", str(grown.tree.pk), "--reason", "flood of reports")

    assert text == f"Tree {grown.tree.pk} is halted. It was: Growing.\n"
    assert grown.refresh().tree.state == TreeState.HALTED_BY_MODERATOR
    logged = ModerationAction.objects.get()
    assert (logged.action, logged.actor, logged.reason) == ("halt_tree", None, "flood of reports")


def test_halt_tree_twice_does_nothing_more(db: None) -> None:
    grown = grow("P(A)")
    run("halt_tree", str(grown.tree.pk))

    assert "Nothing to do" in run("halt_tree", str(grown.tree.pk))
    assert ModerationAction.objects.count() == 1


def test_halt_tree_explains_wrong_ids(db: None) -> None:
    grown = grow("P(A)")

    for wrong, hint in (
        ("abc", "is no id"),
        (str(uuid.uuid4()), "There is no tree"),
        (str(grown[1].pk), f"Its tree has the id {grown.tree.pk}"),
    ):
        with pytest.raises(CommandError, match=hint):
            run("halt_tree", wrong)
    assert grown.refresh().tree.state == TreeState.GROWING


def test_ban_user_locks_out_and_logs_why(alice: User) -> None:
    text = run("ban_user", " Alice@example.org", "--reason", "spam")

    assert text == f"Alice ({alice.pk}) is banned now.\n"
    assert not User.objects.get(pk=alice.pk).is_active
    logged = ModerationAction.objects.get()
    assert (logged.action, logged.actor, logged.reason) == ("ban_user", None, "spam")


def test_ban_user_twice_does_nothing_more(trudy: User) -> None:
    assert "was banned before; nothing to do" in run("ban_user", trudy.email, "--reason", "again")
    assert not ModerationAction.objects.exists()


@pytest.mark.parametrize(
    ("email", "reason", "hint"),
    [
        ("nobody@example.org", "spam", "Nobody signs in with"),
        ("alice@example.org", "  ", "give a reason"),
        ("alice@example.org", "x" * 501, "at most 500"),
    ],
)
def test_ban_user_explains_what_is_wrong(alice: User, email: str, reason: str, hint: str) -> None:
    with pytest.raises(CommandError, match=hint):
        run("ban_user", email, "--reason", reason)

    assert User.objects.get(pk=alice.pk).is_active


def test_ban_user_needs_a_reason(alice: User) -> None:
    with pytest.raises(CommandError, match="--reason"):
        run("ban_user", alice.email)
