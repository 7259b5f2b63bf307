"""A whole site under its supervisor, on the current database and Redis, with people and traffic."""

import signal
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from django.utils import timezone

from oasst.accounts import jobs, magic_link
from oasst.accounts.enums import CodePurpose
from oasst.accounts.models import User
from tests import stack

START_TIMEOUT_S = 90
# Whoever asks again too soon keeps a starting site from ever being ready.
PROBE_TIMEOUT_S = 15
# What a program's command line has.
PROGRAMS = {
    "web": "oasst.asgi:application",
    "worker": "rqworker default",
    "long": "rqworker long",
    "inference": "inference_worker",
    "cron": "manage.py cron",
}


class Site:
    """The programs by name, as the supervisor runs them."""

    def __init__(self, supervisors: Sequence[stack.Process], port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self._supervisors = [psutil.Process(each.pid) for each in supervisors]

    def program(self, name: str) -> psutil.Process | None:
        """The process of a program, or one of them, if it runs at this moment."""
        return next(self._running(name), None)

    def _running(self, name: str) -> Iterator[psutil.Process]:
        for supervisor in self._supervisors:
            for process in supervisor.children():
                with suppress(psutil.Error):
                    # Not while the launcher has yet to become the program.
                    words = process.cmdline()
                    if words[1:2] != ["-c"] and PROGRAMS[name] in " ".join(words):
                        yield process

    def programs(self) -> dict[str, psutil.Process]:
        """All that run; of several web servers the second is called `web 2`."""
        found: dict[str, psutil.Process] = {}
        for name in PROGRAMS:
            for number, process in enumerate(self._running(name), start=1):
                found[name if number == 1 else f"{name} {number}"] = process
        return found

    def family(self) -> set[int]:
        """The numbers of all processes that the supervisors started, and theirs."""
        found = {supervisor.pid for supervisor in self._supervisors}
        for supervisor in self._supervisors:
            found |= {child.pid for child in supervisor.children(recursive=True)}
        return found

    def send(self, name: str, number: signal.Signals) -> psutil.Process:
        """Signal a program, which must run."""
        process = self.program(name)
        assert process is not None, f"{name} does not run"
        process.send_signal(number)
        return process

    def is_ready(self) -> bool:
        """Whether the web server answers well."""
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=PROBE_TIMEOUT_S):
                return True
        except OSError:
            return False

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            assert time.monotonic() < deadline, "the site does not answer"
            time.sleep(0.1)


@contextmanager
def running(folder: Path, *, model: str = "", **variables: str) -> Iterator[Site]:
    """A site that answers, with a worker that plays `model` if one is named."""
    port = stack.free_port()
    words = [["manage.py", "supervise", "--port", str(port)]]
    if model:
        words.append(["-m", "tests.load.inference", model])
    env = stack.environment(f"http://127.0.0.1:{port}")
    env |= {"DJANGO_SETTINGS_MODULE": "tests.load.settings", **variables}
    log = folder / "site.log"
    with ExitStack() as exits:
        logs = [log, log.with_name("inference.log")]
        running = [
            exits.enter_context(stack.running(each, name, env))
            for each, name in zip(words, logs, strict=False)
        ]
        site = Site(running, port)
        try:
            site.wait_until_ready()
            yield site
        except BaseException:
            sys.stderr.write(log.read_text(errors="replace")[-20_000:])
            raise


def sign_in_links(people: Sequence[User]) -> list[str]:
    """The path of a link for each, as mails have it."""
    now = timezone.now()
    links = []
    for user in people:
        asked = magic_link.prepare(user.email, CodePurpose.SIGN_IN, now=now, user=user)
        made = magic_link.issue(asked, now=now)
        asked.sent_at = now
        asked.save(update_fields=["sent_at"])
        links.append("/" + jobs.link_for(asked, made.token).split("/", 3)[3])
    return links
