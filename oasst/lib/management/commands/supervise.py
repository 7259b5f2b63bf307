"""`manage.py supervise`: web server, workers and cron in one terminal, Ctrl-C stops them all."""

import argparse
import io
import logging
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from oasst.lib import services
from oasst.lib.probe import is_ready
from oasst.lib.supervisor import STOP_TIMEOUT_S, Program, supervise

logger = logging.getLogger(__name__)
CHECK_SERVICES_EVERY_S = 5.0
BACKLOG = 128
LINK_MINUTES = 24 * 60
# What is asked to end has to before the supervisor loses its patience.
DRAIN_S = int(STOP_TIMEOUT_S - 5)


class Command(BaseCommand):
    help = "Run the web server, the workers and cron until Ctrl-C."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--sign-in",
            nargs="*",
            default=[],
            metavar="EMAIL",
            help="print a one-time sign-in link for each once the site answers",
        )
        parser.add_argument(
            "--web-processes",
            type=int,
            default=settings.WEB_PROCESSES,
            help="web servers that share the port (WEB_PROCESSES)",
        )
        parser.add_argument("--model", help="also run an inference worker for this model")

    def handle(
        self,
        *,
        bind: str,
        port: int,
        sign_in: list[str],
        web_processes: int,
        model: str | None,
        **options: object,
    ) -> None:
        if web_processes < 1:
            raise CommandError("--web-processes: at least one is needed.")
        listening = _listen(bind, port)
        with tempfile.TemporaryDirectory(prefix="oasst-metrics-") as counts:
            programs = _web_servers(listening, web_processes, counts) + _others(model)
            watch = _Watch(self, partial(is_ready, port, bind), sign_in)
            supervise(programs, each_tick=watch.tick)
        connections.close_all()
        services.stop(only_if_unused=True)
        self.stdout.write("Stopped.")


def _web_servers(listening: socket.socket, number: int, counts: str) -> list[Program]:
    """Servers that take connections from one port, so that while one starts again another answers,
    or whoever connects waits instead of being refused. In `counts` they add up their metrics."""
    words = [sys.executable, "-m", "daphne", "--fd", str(listening.fileno()), "--no-server-name"]
    words += ["--access-log", os.devnull]  # paths of sign-in links are secrets
    words.append("oasst.asgi:application")
    env = {"WEB_DRAIN_S": str(DRAIN_S)}
    if number > 1:
        env["PROMETHEUS_MULTIPROC_DIR"] = counts
    names = [f"web {n}" for n in range(1, number + 1)] if number > 1 else ["web"]
    return [Program(name, words, env=env, files=[listening.fileno()]) for name in names]


def _others(model: str | None) -> list[Program]:
    """Workers and cron, and an inference worker if there is a model for one."""
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    programs = [
        Program("worker", [*manage, "rqworker", "default", "--with-scheduler", "-v", "0"]),
        Program("long", [*manage, "rqworker", "long", "--with-scheduler", "-v", "0"]),
        Program("training", [*manage, "rqworker", "training", "-v", "0"]),
        Program("cron", [*manage, "cron"]),
    ]
    if model:
        drain = ["--drain-s", str(DRAIN_S)]
        work = [*manage, "inference_worker", "--model", model, *drain]
        programs.append(Program("inference", work))
    return programs


class _Watch:
    """Greets once the site answers, and restarts embedded services that were killed."""

    def __init__(
        self, command: BaseCommand, answers: Callable[[], bool], sign_in: list[str]
    ) -> None:
        self.command = command
        self.answers = answers
        self.sign_in = sign_in
        self.is_greeted = False
        self.next_check_s = 0.0

    def tick(self) -> None:
        now = time.monotonic()
        if now >= self.next_check_s:
            self.next_check_s = now + CHECK_SERVICES_EVERY_S
            _ensure_services()
        if not self.is_greeted and self.answers():
            self.is_greeted = True
            self._greet()

    def _greet(self) -> None:
        lines = ["", f"  Open Assistant is ready: {settings.SITE_URL}/", ""]
        for email in self.sign_in:
            out = io.StringIO()
            call_command("login_link", email, minutes=LINK_MINUTES, stdout=out)
            lines.append(f"  {email:<24} {out.getvalue().strip()}")
        if settings.DEBUG and settings.EMAIL_BACKEND.endswith("MailboxBackend"):
            lines.append(f"  {'mails to anybody else':<24} {settings.SITE_URL}/dev/mailbox/")
        lines += ["", "  Each link works once. Ctrl-C stops everything.", ""]
        self.command.stdout.write("\n".join(lines))


def _listen(bind: str, port: int) -> socket.socket:
    """Open the port. Raises CommandError if somebody has it."""
    try:
        return socket.create_server((bind, port), backlog=BACKLOG)
    except OSError as error:
        message = f"Port {port} of {bind} cannot be used ({error.strerror}): choose another."
        raise CommandError(message) from None


def _ensure_services() -> None:
    try:
        services.ensure()
    except services.ServiceError as error:
        logger.error("%s", error)  # tried again in a moment
