"""Backups: a folder with the database, the files that the site cannot make again, and what each
of them has to hash to.

A backup appears whole or not at all. Redis is left out, for it holds only what may be lost.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from oasst.lib import services

logger = logging.getLogger(__name__)

DATABASE = "database.dump"
MANIFEST = "manifest.json"
PREFIX = "oasst-"
_HALF = ".half"
# What of a run only serves to go on with it; the rest is its result.
_LEFT_OUT = frozenset({"checkpoints", "lock"})
_NIGHT = timedelta(hours=20)
# How PostgreSQL's programs are told where the database is and who asks.
_LIBPQ = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "passfile": "PGPASSFILE",
}


class BackupError(Exception):
    """It cannot be done; the text says why and what to do."""


@dataclass(frozen=True)
class Part:
    """One file of a backup."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: its parts by file name, and the last migration of each app."""

    made_at: str
    migrations: dict[str, str]
    parts: dict[str, Part]


def folders() -> dict[str, Path]:
    """The folders that are kept, by the name of their file in a backup."""
    return {
        "media.tar": Path(settings.MEDIA_ROOT),
        "runs.tar": Path(settings.RUNS_DIR),
        "models.tar": Path(settings.MODELS_DIR),
    }


def make(where: Path, *, now: datetime) -> Path:
    """Write a backup into a new folder below `where`. Raises BackupError.

    The database comes first: files are there before rows name them, so none is missing.
    """
    backup = where / f"{PREFIX}{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    half = backup.with_name(backup.name + _HALF)
    if backup.exists():
        raise BackupError(f"There is a backup of this second already: {backup}")
    half.mkdir(parents=True, mode=0o700)
    try:
        _postgres("pg_dump", "--format=custom", f"--file={half / DATABASE}")
        for name, folder in folders().items():
            _pack(folder, half / name)
        parts = {path.name: _part(path) for path in sorted(half.iterdir())}
        manifest = Manifest(now.isoformat(), _migrations(), parts)
        _write(half / MANIFEST, json.dumps(asdict(manifest), indent=1))
        half.rename(backup)
    except OSError as error:
        raise BackupError(f"The backup could not be written: {error}") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return backup


def check(backup: Path) -> Manifest:
    """Read the manifest and compare every part with it. Raises BackupError."""
    manifest = _manifest(backup)
    for name, part in manifest.parts.items():
        path = backup / name
        if not path.is_file() or _part(path) != part:
            raise BackupError(f"{path} is missing or not what was written: take another backup.")
    return manifest


def restore(backup: Path) -> Manifest:
    """Put a backup into an empty database and empty folders. Raises BackupError.

    Nothing is overwritten, and the database is filled in one transaction.
    """
    manifest = check(backup)
    _require_empty()
    _postgres(
        "pg_restore",
        "--exit-on-error",
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
        f"--dbname={connection.settings_dict['NAME']}",
        str(backup / DATABASE),
    )
    for name, folder in folders().items():
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(backup / name) as archive:
            archive.extractall(folder, filter="data")
    return manifest


def kept(where: Path) -> list[Path]:
    """The whole backups below a folder, the oldest first."""
    found = where.glob(f"{PREFIX}*/{MANIFEST}")
    return sorted(path.parent for path in found if path.parent.suffix != _HALF)


def prune(where: Path, keep: int) -> list[Path]:
    """Remove all but the `keep` newest backups, and tell which."""
    gone = kept(where)[: -max(keep, 1)]
    for backup in gone:
        shutil.rmtree(backup)
    return gone


def make_nightly() -> None:
    """Make the day's backup where BACKUP_DIR says, unless there is a fresh one."""
    if not settings.BACKUP_DIR:
        return
    where, now = Path(settings.BACKUP_DIR), timezone.now()
    newest = kept(where)[-1:]
    if newest and datetime.fromisoformat(_manifest(newest[0]).made_at) > now - _NIGHT:
        return
    logger.info("backup: %s", make(where, now=now))
    prune(where, settings.BACKUP_KEEP)


def _manifest(backup: Path) -> Manifest:
    try:
        read = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
        parts = {name: Part(**part) for name, part in read["parts"].items()}
        return Manifest(read["made_at"], read["migrations"], parts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{backup} is no backup: {MANIFEST} cannot be read ({error})") from error


def _require_empty() -> None:
    if connection.introspection.table_names():
        raise BackupError(
            "The database is not empty. Make a new one (createdb) and name it in DATABASE_URL; "
            "the site's own stays as it is until you drop it."
        )
    for folder in folders().values():
        if any(_files(folder)):
            raise BackupError(f"{folder} is not empty: move it away, then try again.")


def _migrations() -> dict[str, str]:
    rows = MigrationRecorder(connection).migration_qs.order_by("id")
    return dict(rows.values_list("app", "name"))


# Files


def _files(folder: Path) -> Iterator[Path]:
    """The files to keep below a folder. What is half written or links elsewhere is left out."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        names = path.relative_to(folder).parts
        if path.is_file() and not path.is_symlink() and not _is_left_out(names):
            yield path


def _is_left_out(names: tuple[str, ...]) -> bool:
    return any(name in _LEFT_OUT or name.endswith(_HALF) for name in names)


def _pack(folder: Path, path: Path) -> None:
    with path.open("xb") as file, tarfile.open(fileobj=file, mode="w|") as archive:
        for found in _files(folder):
            try:
                archive.add(found, arcname=str(found.relative_to(folder)))
            except FileNotFoundError:  # removed since it was listed
                continue
    _flush(path)


def _part(path: Path) -> Part:
    with path.open("rb") as file:
        return Part(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    _flush(path)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


# PostgreSQL's programs


def _postgres(name: str, *arguments: str) -> None:
    """Run a program on the site's database. Raises BackupError with what it printed."""
    given = connection.get_connection_params()
    login = {variable: str(given[key]) for key, variable in _LIBPQ.items() if given.get(key)}
    done = subprocess.run(  # noqa: S603 - our program and our arguments
        [_program(name), *arguments],
        env=os.environ | login,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{name} failed: {done.stderr.strip()}")


def _program(name: str) -> str:
    """The first one that is not older than the server, which it has to understand."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        server = int(cursor.fetchone()[0]) // 10_000
    for found in (shutil.which(name), services.postgres_program(name)):
        if found and _major(found) >= server:
            return found
    raise BackupError(
        f"{name} of PostgreSQL {server} or newer is needed (Debian: postgresql-client)."
    )


def _major(program: str) -> int:
    told = subprocess.run(  # noqa: S603 - our program
        [program, "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"(\d+)", told.stdout)
    return int(found[1]) if found else 0
