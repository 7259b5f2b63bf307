"""The log of staff's actions only grows, whoever tries to change it."""

import pytest
from django.db import IntegrityError, connection, transaction

from oasst.accounts.models import User
from tasks_app import config, moderation
from tasks_app.config import ConfigChange
from tasks_app.models import ModerationAction
from tests.factories import NOW


@pytest.fixture
def entry(alice: User, mona: User) -> ModerationAction:
    moderation.mute_user(alice.pk, until=NOW, actor=mona, reason="Rude.", now=NOW)
    return ModerationAction.objects.get()


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: ModerationAction.objects.update(reason="Nothing happened."),
        lambda: ModerationAction.objects.all().delete(),
        lambda: ConfigChange.objects.update(reason="Nothing happened."),
        lambda: ConfigChange.objects.all().delete(),
        lambda: _run("DELETE FROM tasks_app_moderationaction"),
        lambda: _run("UPDATE tasks_app_moderationaction SET actor_id = NULL, reason = ''"),
    ],
)
def test_entries_are_neither_changed_nor_deleted(
    entry: ModerationAction, root: User, attempt: object
) -> None:
    config.change("goal_tree_size", 9, actor=root, reason="Shorter.", now=NOW)

    with pytest.raises(IntegrityError, match="is append-only"), transaction.atomic():
        attempt()  # type: ignore[operator]

    assert ModerationAction.objects.get().reason == "Rude."
    assert ConfigChange.objects.get().reason == "Shorter."


def test_entries_outlive_their_actor(entry: ModerationAction) -> None:
    _run("UPDATE tasks_app_moderationaction SET actor_id = NULL")

    entry.refresh_from_db()
    assert (entry.actor, entry.reason) == (None, "Rude.")


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
