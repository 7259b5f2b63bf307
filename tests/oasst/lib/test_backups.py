"""A backup restored into an empty place is the site as it was."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from oasst.lib import backups
from tests.factories import grow

pytestmark = pytest.mark.slow

NOW = timezone.now()


@pytest.fixture
def site(transactional_db: None, settings: Settings, tmp_path: Path) -> Path:
    """A little data, and files as a running site has them."""
    keep_in(tmp_path, settings)
    grow("P(A(P) A A)")
    write(tmp_path, "runs/sft/final/model.safetensors", "weights")
    write(tmp_path, "runs/sft/checkpoints/10/optimizer.pt", "only to go on with")
    write(tmp_path, "runs/snapshots/new.half/trees.jsonl", "not whole")
    write(tmp_path, "models/tiny/config.json", "{}")
    return tmp_path


@pytest.fixture
def empty_database(site: Path) -> Iterator[str]:
    """A second database on the same server, named to Django by `elsewhere`."""
    name = f"{connection.settings_dict['NAME']}_restored"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}"')
    yield name
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def keep_in(folder: Path, settings: Settings) -> None:
    settings.MEDIA_ROOT, settings.RUNS_DIR = folder / "media", folder / "runs"
    settings.MODELS_DIR = folder / "models"


def write(site: Path, name: str, text: str) -> None:
    path = site / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def move_to(database: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = database


def contents() -> dict[str, tuple[int, str]]:
    """How many rows each table has, and what they hash to."""
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names()):
            cursor.execute(f'SELECT t::text FROM "{table}" t ORDER BY 1')
            rows = [row[0] for row in cursor.fetchall()]
            found[table] = (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
    return found


def test_restored_backup_is_the_site_as_it_was(
    site: Path, empty_database: str, settings: Settings
) -> None:
    before = contents()
    backup = backups.make(site / "backups", now=NOW)
    keep_in(site / "restored", settings)
    first = connection.settings_dict["NAME"]
    try:
        move_to(empty_database)
        call_command("restore", str(backup))
        after = contents()
        call_command("migrate", "--check")
    finally:
        move_to(first)

    assert before["tasks_app_message"][0] == 5
    assert after == before
    assert (site / "restored/runs/sft/final/model.safetensors").read_text() == "weights"
    assert (site / "restored/models/tiny/config.json").read_text() == "{}"
    assert not (site / "restored/runs/sft/checkpoints").exists()
    assert not (site / "restored/runs/snapshots").exists()


def test_nothing_is_restored_over_a_site_with_data(site: Path) -> None:
    backup = backups.make(site / "backups", now=NOW)

    with pytest.raises(CommandError, match="The database is not empty"):
        call_command("restore", str(backup))


def test_damaged_backup_is_told_before_anything_is_touched(site: Path) -> None:
    backup = backups.make(site / "backups", now=NOW)
    with (backup / "runs.tar").open("r+b") as file:
        file.seek(600)
        file.write(b"X")

    with pytest.raises(CommandError, match=r"runs\.tar is missing or not what was written"):
        call_command("restore", str(backup))
    with pytest.raises(CommandError, match=r"runs\.tar"):
        call_command("backup", str(backup), "--check")


def test_backup_that_fails_leaves_nothing_behind(site: Path) -> None:
    name = connection.settings_dict["NAME"]
    connection.ensure_connection()
    try:
        connection.settings_dict["NAME"] = "there-is-no-such-database"
        with pytest.raises(backups.BackupError, match="pg_dump failed"):
            backups.make(site / "backups", now=NOW)
    finally:
        connection.settings_dict["NAME"] = name

    assert list((site / "backups").iterdir()) == []


def test_a_backup_is_made_once_a_night_and_old_ones_go(site: Path, settings: Settings) -> None:
    settings.BACKUP_DIR, settings.BACKUP_KEEP = str(site / "backups"), 2
    old = [backups.make(site / "backups", now=NOW - timedelta(days=days)) for days in (3, 2)]

    backups.make_nightly()
    backups.make_nightly()

    found = backups.kept(site / "backups")
    assert len(found) == 2
    assert old[0] not in found
    assert found[0] == old[1]


def test_without_a_folder_there_is_no_nightly_backup(site: Path) -> None:
    backups.make_nightly()

    assert not (site / "backups").exists()


@pytest.mark.parametrize("arguments", [[], ["/somewhere", "--keep", "0"]])
def test_command_says_what_it_needs(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"Name a folder|--keep"):
        call_command("backup", *arguments)
