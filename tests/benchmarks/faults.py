"""What people notice, and what is lost, while parts of a site are killed, stopped and restarted.

A site of its own under its supervisor, with a PostgreSQL and a Valkey of its own; people who look
around, work and chat over HTTP; and somebody who breaks things.
"""

import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import connection
from redis import Redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from chat_app.enums import Hold, MessageState, Role
from chat_app.models import ChatMessage
from oasst.accounts.models import User
from oasst.lib import database, queue, services
from tasks_app import checks
from tasks_app.models import Message, Task
from tests import factories
from tests.benchmarks import collection
from tests.chat_app import given
from tests.load import site as sites
from tests.load.crowd import Crowd
from tests.load.site import Site
from tests.sessions import cookie_of

WORKERS, CHATTERS, CHATS_EACH = 4, 2, 60
RECOVERY_TIMEOUT_S = 120
# What people meet when nothing is broken, to compare with.
CALM_S = 20
Say = Callable[..., None]


class Saboteur:
    """Breaks one thing after the other."""

    def __init__(self, site: Site, rng: random.Random, *, times: int, outage_s: float) -> None:
        self.site, self.rng = site, rng
        self.times, self.outage_s = times, outage_s
        self.figures: dict[str, Any] = {}
        self.places = services.locate()

    # R9

    def kill(self) -> None:
        """End each program as a power cut would, again and again."""
        names = ["web", "worker", "web", "inference", "web", "cron"]
        back_s = []
        for number in range(self.times):
            name, began = names[number % len(names)], time.monotonic()
            self.site.send(name, signal.SIGKILL)
            self._wait_for_programs()
            self.site.wait_until_ready()
            if name == "web":
                back_s.append(time.monotonic() - began)
            time.sleep(self.rng.uniform(3, 6))
        self.figures |= {"kills": self.times, "web_back_s": _least_and_most(back_s)}

    # R12

    def redis(self) -> None:
        """Let Redis forget all, hang, and be gone."""
        for _ in range(self.times):
            self._redis().flushall()
            time.sleep(1)
        valkey = self._valkey()
        valkey.send_signal(signal.SIGSTOP)
        time.sleep(self.outage_s)
        valkey.send_signal(signal.SIGCONT)
        time.sleep(5)
        valkey.kill()
        time.sleep(self.outage_s)
        services.ensure()
        time.sleep(5)
        self.figures |= {"flushes": self.times, "outages_s": [self.outage_s, self.outage_s]}

    def _redis(self) -> Redis:
        return Redis.from_url(settings.REDIS_URL)

    def _valkey(self) -> psutil.Process:
        return psutil.Process(self._redis().info("server")["process_id"])

    # R13

    def database(self) -> None:
        """Cut connections, stall for two seconds, hang for long, restart, be gone."""
        for _ in range(self.times):
            _cut_others()
            time.sleep(self.rng.uniform(1, 2))
            self._stall(2.0)
            time.sleep(2)
        self._stall(self.outage_s)
        self._time_recovery("after_hanging_s")
        services._run_pg_ctl(self.places, "stop")
        services.ensure()
        self._time_recovery("after_restart_s")
        services._run_pg_ctl(self.places, "stop")
        time.sleep(self.outage_s)
        services.ensure()
        self._time_recovery("after_outage_s")
        self.figures |= {"cuts": self.times, "stalls": self.times, "outage_s": self.outage_s}

    def _stall(self, seconds: float) -> None:
        postmaster = services._postmaster(self.places)
        assert postmaster is not None
        stopped = [postmaster, *postmaster.children(recursive=True)]
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        time.sleep(seconds)
        for process in [*stopped, *postmaster.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def _time_recovery(self, name: str) -> None:
        began = time.monotonic()
        self.site.wait_until_ready()
        self.figures[name] = round(time.monotonic() - began, 1)
        time.sleep(3)

    # R18

    def shutdown(self) -> None:
        """Ask the programs to end and let them start again, one after the other."""
        codes: Counter[str] = Counter()
        ended: dict[str, list[float]] = defaultdict(list)
        user = factories.person("Idle")
        chat, cookie = given.chat(user).pk, cookie_of(user)
        connection.close()
        for _ in range(self.times):
            for name in ("web", "worker", "inference"):
                with self._socket(chat, cookie) as idle:
                    began = time.monotonic()
                    process = self.site.send(name, signal.SIGTERM)
                    if name == "web":
                        codes[_close_code(idle)] += 1
                    with suppress(psutil.NoSuchProcess):
                        process.wait(60)
                    ended[name].append(time.monotonic() - began)
                self._wait_for_programs()
                self.site.wait_until_ready()
                time.sleep(self.rng.uniform(1, 3))
        self.figures |= {"restarts": 3 * self.times, "close_codes": dict(codes)}
        self.figures["ending_s"] = {name: _least_and_most(took) for name, took in ended.items()}

    def _socket(self, chat: Any, cookie: str) -> Any:
        return connect(
            f"{self.site.address.replace('http', 'ws')}/ws/chat/{chat}/",
            origin=self.site.address,  # type: ignore[arg-type]
            additional_headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"},
            open_timeout=30,
        )

    def _wait_for_programs(self) -> None:
        deadline = time.monotonic() + RECOVERY_TIMEOUT_S
        while len(self.site.programs()) < len(sites.PROGRAMS):
            assert time.monotonic() < deadline, self.site.programs()
            time.sleep(0.1)


SCENARIOS = ("kill", "redis", "database", "shutdown")


def measure(
    scenarios: tuple[str, ...], folder: Path, *, times: int, outage_s: float, say: Say
) -> dict[str, Any]:
    """Play each scenario on the same site, and check after each that nothing is lost or stuck."""
    report = {}
    with database.scratch("faults"):
        collection.build(1_000)
        given.served()
        with sites.running(folder, model="tiny", WEB_PROCESSES="1") as site:
            for number, name in enumerate(scenarios):
                saboteur = Saboteur(site, random.Random(number), times=times, outage_s=outage_s)
                report[name] = _play(site, saboteur, name, number)
                say(name, report[name])
                _show_errors(folder / "site.log", report[name], say)
        _cut_others()  # what a killed program had begun may still hold a connection
    return report


def _show_errors(log: Path, figures: dict[str, Any], say: Say) -> None:
    """Show what the programs wrote around each answer that told of a fault of ours."""
    lines = log.read_text(errors="replace").splitlines()
    for number, line in enumerate(lines):
        if "500" in figures["troubles"] and "Internal Server Error" in line:
            say("\n".join(lines[number : number + 60]))


def _cut_others() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    connection.close()


def _play(site: Site, saboteur: Saboteur, name: str, number: int) -> dict[str, Any]:
    people = factories.crowd(WORKERS, prefix=f"Worker {number}")
    chatters = factories.crowd(CHATTERS, prefix=f"Chatter {number}")
    links = sites.sign_in_links(people)
    chats = [
        [(given.chat(user).pk, cookie_of(user)) for _ in range(CHATS_EACH)] for user in chatters
    ]
    connection.close()
    crowd = Crowd(site.address, site.port)
    with crowd.at_work(links, chats):
        time.sleep(CALM_S)
        calm = crowd.record.take_slowest()
        getattr(saboteur, name)()
        time.sleep(5)
    return {
        **crowd.record.figures(),
        **saboteur.figures,
        **_check(site, crowd, people),
        "slowest_answer_before_s": calm,
        "failures": crowd.failures,
    }


def _check(site: Site, crowd: Crowd, people: list[User]) -> dict[str, Any]:
    """What is lost, what is stuck, and what is not as somebody was told."""
    answers = crowd.answers
    done = set(Task.objects.filter(done_at__isnull=False).values_list("pk", flat=True))
    texts = [answer.text for answer in answers if answer.text]
    stored = Counter(Message.objects.filter(user__in=people).values_list("text", flat=True))
    return {
        "answers": len(answers),
        "lost_answers": sum(answer.task not in {str(pk) for pk in done} for answer in answers),
        "lost_texts": sum(stored[text] == 0 for text in texts),
        "texts_stored_twice": sum(count > 1 for count in stored.values()),
        **_check_chats(crowd),
        "jobs_run": _job_runs(),
        "strays": _strays(site),
        "broken_rules": _broken_rules(),
    }


def _check_chats(crowd: Crowd) -> dict[str, Any]:
    began = time.monotonic()
    unfinished = ChatMessage.objects.filter(state__in=[MessageState.QUEUED, MessageState.RUNNING])
    while unfinished.exists() and time.monotonic() - began < RECOVERY_TIMEOUT_S:
        time.sleep(0.5)
    settled_s, wrong, lost = time.monotonic() - began, 0, 0
    for visit in crowd.visits:
        if not visit.reply:
            continue
        reply = ChatMessage.objects.filter(pk=visit.reply, chat_id=visit.chat_id).first()
        prompts = ChatMessage.objects.filter(chat_id=visit.chat_id, role=Role.PROMPTER)
        lost += reply is None or prompts.count() != 1
        if reply is not None and visit.state and reply.hold != Hold.HELD:
            wrong += (reply.state, reply.text) != (visit.state, visit.text)
    states = Counter(visit.state or "unfinished" for visit in crowd.visits)
    return {
        "chats": len(crowd.visits),
        "chat_states": dict(states),
        "lost_chats": lost,
        "replies_not_as_shown": wrong,
        "wrongs": [wrong for visit in crowd.visits for wrong in visit.wrongs],
        "stuck_replies": unfinished.count(),
        "replies_settled_s": round(settled_s, 1),
    }


def _job_runs() -> bool:
    """Whether the worker takes a new job within a while."""
    marker = f"faults:{time.time()}"
    queue.redis_client.cache_clear()
    queue.enqueue_now("tests.load.jobs.note", marker)
    deadline = time.monotonic() + RECOVERY_TIMEOUT_S
    while time.monotonic() < deadline:
        if queue.redis_client().exists(marker):
            return True
        time.sleep(0.2)
    return False


def _strays(site: Site) -> list[str]:
    """Programs that run on although what started them is gone."""
    database_name = str(connection.settings_dict["NAME"])
    family, found = site.family(), []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_ours = f"/{database_name}?" in process.environ().get("DATABASE_URL", "")
            # A child of the family may be younger than the list of its members.
            if is_ours and not {process.pid, process.ppid()} & family:
                found.append(" ".join(process.cmdline())[-80:])
    return found


def _broken_rules() -> list[str]:
    return [f"{each.rule}: {each.detail}" for each in checks.broken_invariants()][:10]


def _least_and_most(values: Sequence[float]) -> list[float]:
    return [round(min(values), 1), round(max(values), 1)] if values else []


def _close_code(socket: Any) -> str:
    try:
        while True:
            socket.recv(timeout=45)
    except ConnectionClosed as closed:
        return str(closed.rcvd.code if closed.rcvd else "none")
    except TimeoutError:
        return "never"
