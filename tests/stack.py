"""The real programs of a site as subprocesses, on the database and Redis of whoever asks."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

from oasst.lib import services

START_TIMEOUT_S = 60
Process = subprocess.Popen[bytes]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(address: str = "http://127.0.0.1") -> dict[str, str]:
    """What makes a program use the current database and Redis."""
    parts = urlsplit(services.database_url())
    database = urlunsplit(parts._replace(path="/" + connection.settings_dict["NAME"]))
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.site",
        "DEBUG": "true",
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": database,
        "REDIS_URL": settings.REDIS_URL,
        "SITE_URL": address,
        "LOG_LEVEL": "WARNING",
    }


@contextmanager
def web(folder: Path) -> Iterator[tuple[str, Process]]:
    """A daphne that answers: its address and its process."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    words = ["-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "--access-log", os.devnull]
    log = folder / f"web-{port}.log"
    with running([*words, "oasst.asgi:application"], log, environment(address)) as process:
        _wait_until_ready(f"{address}/readyz", process, log)
        yield address, process


@contextmanager
def inference_worker(folder: Path, *options: str) -> Iterator[Process]:
    """A worker with these options; it may not be ready yet."""
    words = ["manage.py", "inference_worker", *options]
    with running(words, folder / f"inference-{free_port()}.log", environment()) as process:
        yield process


@contextmanager
def running(words: Sequence[str], log: Path, env: dict[str, str]) -> Iterator[Process]:
    folder = log.parent
    folder.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=settings.BASE_DIR,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(url: str, process: Process, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the site did not start:\n{log.read_text()[-3000:]}")
