"""`manage.py supervise` runs the real site: web server, worker and cron on the test database."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from oasst.lib import probe, services

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def supervised(port: int, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    parts = urlsplit(services.database_url())
    database = urlunsplit(parts._replace(path="/" + connection.settings_dict["NAME"]))
    variables = {"DATABASE_URL": database, "REDIS_URL": settings.REDIS_URL, "DEBUG": "true"}
    variables["DJANGO_SETTINGS_MODULE"] = "oasst.settings"
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "supervise", "--port", str(port), "--web-processes", "2"],
            cwd=settings.BASE_DIR,
            env={**os.environ, **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    yield process
    process.kill()
    process.wait()


def wait_for_text(path: Path, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in path.read_text():
        assert time.monotonic() < deadline, path.read_text()
        time.sleep(0.1)


def test_supervise_serves_runs_jobs_and_stops_on_ctrl_c(
    supervised: subprocess.Popen[bytes], port: int, tmp_path: Path
) -> None:
    output = tmp_path / "output"

    wait_for_text(output, "Open Assistant is ready")
    assert probe.is_ready(port)
    wait_for_text(output, "job tasks_app.jobs.release_expired_reservations took")

    counted = [_answered_requests(port) for _ in range(10)]
    assert counted == sorted(counted)  # the same two servers' sum, whichever was asked
    assert counted[-1] >= 9

    supervised.send_signal(signal.SIGINT)

    assert supervised.wait(30) == 0
    assert output.read_text().rstrip().endswith("Stopped.")
    assert not probe.is_ready(port)


def _answered_requests(port: int) -> float:
    """How many the site says it has answered; each question comes by a connection of its own."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        lines = page.read().decode().splitlines()
    name = "django_http_responses_before_middlewares_total "
    return float(next(line for line in lines if line.startswith(name)).split()[1])


def test_supervise_refuses_to_serve_with_nothing() -> None:
    with pytest.raises(CommandError, match="at least one"):
        call_command("supervise", "--web-processes", "0")


def test_supervise_refuses_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        with pytest.raises(CommandError, match=f"Port {port} of 127.0.0.1 cannot be used"):
            call_command("supervise", "--port", port)
