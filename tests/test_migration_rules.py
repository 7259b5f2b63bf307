"""Migrations since the first release let the previous release go on working."""

from typing import Any

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from tests import migration_rules
from tests.migration_rules import RULES

OURS = frozenset({"accounts", "tasks_app", "leaderboard_app", "chat_app", "training"})
# What came before there was a rule: no release knows the time between them.
LAST_BEFORE_RULES = {
    "accounts": "0012", "tasks_app": "0036", "leaderboard_app": "0007", "chat_app": "0006",
    "training": "0007",
}  # fmt: skip

TEXT = models.TextField(default="")
INDEX = models.Index(fields=["text"], name="message_text")
CONSTRAINT = models.CheckConstraint(condition=~models.Q(text=""), name="message_says_something")


def migration(*operations: Any, atomic: bool = True, **attributes: Any) -> Migration:
    made = type("Migration", (Migration,), {"operations": operations, "atomic": atomic})
    for name, value in attributes.items():
        setattr(made, name, value)
    found: Migration = made("0099_made_up", "tasks_app")
    return found


def before() -> ProjectState:
    """One table with two columns."""
    fields = [("id", models.BigAutoField(primary_key=True)), ("text", TEXT)]
    state = ProjectState()
    state.add_model(ModelState("tasks_app", "Message", fields))
    return state


def rules_broken_by(*operations: Any, **attributes: Any) -> list[str]:
    told = migration_rules.broken(migration(*operations, **attributes), before())
    return [line.split(": ")[1] for line in told]


def nothing(apps: Any, schema_editor: Any) -> None: ...


def test_new_migrations_let_the_previous_release_go_on() -> None:
    loader = MigrationLoader(None)
    new = [
        found
        for (app, name), found in sorted(loader.disk_migrations.items())
        if app in OURS and name[:4] > LAST_BEFORE_RULES[app]
    ]

    told = {
        found.name: migration_rules.broken(found, loader.project_state(key, at_end=False))
        for found in new
        for key in [(found.app_label, found.name)]
    }
    assert {name: lines for name, lines in told.items() if lines} == {}


@pytest.mark.parametrize(
    ("rule", "operation"),
    [
        ("index", migrations.AddIndex("message", INDEX)),
        ("constraint", migrations.AddConstraint("message", CONSTRAINT)),
        ("default", migrations.AddField("message", "more", TEXT)),
        ("alter", migrations.AlterField("message", "text", models.CharField(max_length=9))),
        ("contract", migrations.RemoveField("message", "text")),
        ("contract", migrations.RenameField("message", "text", "words")),
        ("contract", migrations.DeleteModel("Message")),
        ("rows", migrations.RunPython(nothing, nothing)),
        ("reverse", migrations.RunSQL("UPDATE tasks_app_message SET text = ''")),
    ],
)
def test_operation_that_others_would_feel_is_named_with_what_to_do(
    rule: str, operation: Any
) -> None:
    assert migration_rules.broken(migration(operation), before()) == [
        f"tasks_app.0099_made_up: {rule}: {RULES[rule]}"
    ]


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("message", "more", models.TextField(db_default="")),
        migrations.AddField("message", "more", models.TextField(null=True)),
        migrations.AddField("message", "more", models.ManyToManyField("tasks_app.Task")),
        migrations.AlterField("message", "text", models.TextField("its text", default="?")),
        AddConstraintNotValid("message", CONSTRAINT),
        migrations.RunSQL("SELECT 1", migrations.RunSQL.noop),
    ],
)
def test_operation_that_nobody_feels_is_allowed(operation: Any) -> None:
    assert rules_broken_by(operation) == []


def test_rows_and_indexes_are_for_migrations_without_a_transaction() -> None:
    backfill = migrations.RunPython(nothing, migrations.RunPython.noop)

    assert rules_broken_by(AddIndexConcurrently("message", INDEX), backfill, atomic=False) == []


def test_new_table_comes_with_all_that_belongs_to_it() -> None:
    create = migrations.CreateModel("Note", [("id", models.BigAutoField(primary_key=True))])
    text = migrations.AddField("note", "text", TEXT)
    index = migrations.AddIndex("note", models.Index(fields=["text"], name="note_text"))

    assert rules_broken_by(create, text, index) == []


def test_lock_is_the_last_that_a_transaction_takes() -> None:
    create = migrations.CreateModel("Note", [("id", models.BigAutoField(primary_key=True))])
    column = migrations.AddField("message", "more", models.TextField(null=True))
    again = migrations.AddField("message", "less", models.TextField(null=True))
    other = migrations.AddField("task", "more", models.TextField(null=True))

    assert rules_broken_by(create, column, again) == []
    assert rules_broken_by(column, create) == ["locks"]
    assert rules_broken_by(column, other) == ["locks"]
    assert rules_broken_by(column, other, atomic=False) == []


def test_what_is_done_to_the_state_alone_counts_for_nothing() -> None:
    removed = migrations.RemoveField("message", "text")

    assert rules_broken_by(migrations.SeparateDatabaseAndState([], [removed])) == []
    assert rules_broken_by(migrations.SeparateDatabaseAndState([removed])) == ["contract"]


def test_migration_may_say_why_a_rule_does_not_hold_for_it() -> None:
    remove = migrations.RemoveField("message", "text")

    assert rules_broken_by(remove, accepted={"contract": "unread since 2026-12"}) == []
    assert rules_broken_by(remove, accepted={"index": "small"}) == ["contract"]
