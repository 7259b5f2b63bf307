"""The embedded PostgreSQL and Valkey, with real processes in a folder of their own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from oasst.lib import services

ENSURE = "from oasst.lib import services; services.ensure()"
IS_ROOT = os.geteuid() == 0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A short folder that every user may enter, for all tests that need no new instance."""
    yield from _folder()


@pytest.fixture
def used_var(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An instance that may have run before; it is stopped after each test."""
    yield from _instance(home / "var", monkeypatch)


@pytest.fixture
def var(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder like that with nothing in it yet."""
    for folder in _folder():
        yield from _instance(folder / "var", monkeypatch)


def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="oasst-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _instance(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("OASST_VAR_DIR", str(folder))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    yield folder
    services.stop()


def run(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], cwd=services.env.BASE_DIR)


def query(places: services.Places, sql: str) -> list[tuple]:
    with psycopg.connect(places.database_url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def postmaster(places: services.Places) -> psutil.Process:
    process = services._postmaster(places)
    assert process is not None
    return process


def test_services_started_by_several_processes_at_once_run_once(var: Path) -> None:
    starters = [run(ENSURE) for _ in range(4)]

    assert [starter.wait(60) for starter in starters] == [0, 0, 0, 0]

    places = services.locate()
    assert [entry.running for entry in services.status()] == [True, True]
    pid = postmaster(places).pid
    services.ensure()
    assert postmaster(places).pid == pid
    assert query(places, "SHOW synchronous_commit") == [("on",)]


def test_services_outlive_a_kill_of_the_process_that_started_them(used_var: Path) -> None:
    starter = run(ENSURE + "; import time; time.sleep(60)")
    while not (services.locate().record.exists() and all(e.running for e in services.status())):
        time.sleep(0.05)

    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()

    assert [entry.running for entry in services.status()] == [True, True]


def test_database_keeps_what_was_committed_when_it_is_killed(used_var: Path) -> None:
    places = services.ensure()
    query(places, "CREATE TABLE killed AS SELECT 1 AS number")

    postmaster(places).kill()
    services._valkey(places).shutdown(nosave=True)
    services.ensure()

    assert query(places, "SELECT number FROM killed") == [(1,)]
    assert [entry.running for entry in services.status()] == [True, True]


def test_a_pid_file_that_names_a_stranger_does_not_stop_the_start(used_var: Path) -> None:
    places = services.ensure()
    services.stop()
    stranger = os.getpid()
    (places.postgres_data / "postmaster.pid").write_text(f"{stranger}\n{places.postgres_data}\n")

    services.ensure()

    assert postmaster(places).pid != stranger


def test_services_stopped_leave_no_process_and_start_again_with_their_data(used_var: Path) -> None:
    places = services.ensure()
    query(places, "CREATE TABLE stopped AS SELECT 1 AS number")
    server = postmaster(places)

    services.stop()

    assert [entry.running for entry in services.status()] == [False, False]
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    services.ensure()
    assert query(places, "SELECT number FROM stopped") == [(1,)]


def test_services_in_use_are_left_running_when_asked_politely(used_var: Path) -> None:
    places = services.ensure()
    with psycopg.connect(places.database_url):
        assert services.stop(only_if_unused=True) is False

    assert [entry.running for entry in services.status()] == [True, True]
    assert services.stop(only_if_unused=True) is True


def test_a_long_folder_gets_its_sockets_elsewhere(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OASST_VAR_DIR", str(var / ("long" * 30)))

    places = services.ensure()

    assert places.postgres_data.is_relative_to(var)
    assert len(str(places.sockets)) < services.MAX_SOCKET_FOLDER_LENGTH
    assert query(places, "SELECT 1") == [(1,)]
    services.stop()
    shutil.rmtree(places.sockets)


@pytest.mark.skipif(not IS_ROOT, reason="only root starts PostgreSQL as another user")
def test_a_folder_closed_to_others_gets_its_database_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as closed:
        instance = _instance(Path(closed) / "var", monkeypatch)
        next(instance)

        places = services.ensure()

        assert query(places, "SELECT 1") == [(1,)]
        assert str(places.postgres_data) in capfd.readouterr().err
        assert Path(closed).stat().st_mode & 0o077 == 0
        next(instance, None)
        shutil.rmtree(places.postgres_data.parent)


@pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")
def test_services_run_for_a_user_who_is_not_root(var: Path) -> None:
    var.parent.chmod(0o777)
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            services.ensure()
            is_fine = all(entry.running for entry in services.status())
            services.stop()
        except BaseException:  # noqa: BLE001 – the child must not go on running pytest
            is_fine = False
        os._exit(0 if is_fine else 1)

    assert os.waitpid(pid, 0)[1] == 0


def test_external_servers_are_left_alone(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/oasst")
    monkeypatch.setenv("REDIS_URL", "redis://cache.example:6379/0")

    services.ensure()
    services.stop()

    assert not var.exists()
    assert services.database_url() == "postgresql://db.example/oasst"
    assert services.redis_url() == "redis://cache.example:6379/0"
