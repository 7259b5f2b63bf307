"""What lies between an engine and a browser: how late each piece of text comes, through how many
sockets, at what cost of memory. A real daphne, a real worker, sockets that do nothing beside."""

import asyncio
import json
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import connection
from django.utils import timezone
from websockets.asyncio.client import ClientConnection, connect

from chat_app import catalogue, conversations
from chat_app.models import ChatMessage, ServedModel, Worker
from oasst.accounts.models import User
from oasst.lib import database
from tests import factories, stack
from tests.benchmarks.timing import percentile_ms
from tests.sessions import cookie_of

IDLE_SOCKETS_PER_PERSON = 20
CONNECT_AT_ONCE = 20
WORKER_TIMEOUT_S = 120
QUESTION = "Tell me a long story about a lighthouse, a storm and a cat."


@dataclass
class Load:
    """How much of everything."""

    sockets: int = 500
    streams: int = 50
    seconds: float = 15
    engine: str = "fake"
    tokens_per_s: float = 20
    settle_s: float = 3.0  # before the memory is looked at

    @property
    def prompt(self) -> str:
        """What each stream asks for."""
        is_fake = self.engine == "fake"
        return f"!long {int(self.seconds * self.tokens_per_s)}" if is_fake else QUESTION


@dataclass
class Stream:
    """What one browser saw of one reply."""

    reply: str = ""
    text: str = ""
    sent_at: float = 0.0
    created_at: float = 0.0
    first_at: float = 0.0
    state: str = ""
    # (characters so far, when)
    seen: list[tuple[int, float]] = field(default_factory=list)


def measure(load: Load, *, say: Callable[..., None]) -> dict[str, Any]:
    """Run the programs on a scratch database and load them."""
    with database.scratch("chat"), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = _model(load)
        cookies = _cookies(load)
        connection.close()
        trace = folder / "trace"
        with stack.web(folder) as (address, web), _worker(folder, trace, load) as worker:
            _wait_for_worker(model)
            played = asyncio.run(_play(address, cookies, load, _Watch(web.pid, worker.pid), say))
            texts, waits = _texts(), _waits()
        return _report(load, played, _emissions(trace), texts, say) | waits


def _model(load: Load) -> ServedModel:
    if load.engine == "fake":
        return ServedModel.objects.create(
            name="fake", title="Fake", source="fake", is_default=True, max_new_tokens=8000
        )
    model = catalogue.ensure_default(settings.MODELS_DIR, now=timezone.now())
    assert model is not None, "no model: run manage.py fetch_model smollm2-135m"
    tokens = int(load.seconds * load.tokens_per_s)
    ServedModel.objects.filter(pk=model.pk).update(max_new_tokens=tokens)
    return model


def _cookies(load: Load) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(chat, cookie) of every idle socket and of every stream."""
    idle = factories.crowd(-(-load.sockets // IDLE_SOCKETS_PER_PERSON), prefix="Idle")
    busy = factories.crowd(load.streams, prefix="Busy")
    per_idle = [_sign_in(user) for user in idle for _ in range(IDLE_SOCKETS_PER_PERSON)]
    return per_idle[: load.sockets], [_sign_in(user) for user in busy]


_cookie_of: dict[Any, str] = {}


def _sign_in(user: User) -> tuple[str, str]:
    chat = conversations.start(user, now=timezone.now())
    if user.pk not in _cookie_of:
        _cookie_of[user.pk] = cookie_of(user)
    return str(chat.pk), _cookie_of[user.pk]


def _worker(folder: Path, trace: Path, load: Load) -> Any:
    options = {"kind": load.engine, "max_batch": load.streams, "tokens_per_s": load.tokens_per_s}
    words = ["-m", "tests.benchmarks.traced_worker", str(trace), json.dumps(options)]
    return stack.running(words, folder / "worker.log", stack.environment())


def _wait_for_worker(model: ServedModel) -> None:
    deadline = time.monotonic() + WORKER_TIMEOUT_S
    while not Worker.objects.filter(model=model).exists():
        if time.monotonic() > deadline:
            raise RuntimeError("the worker did not start")
        time.sleep(0.1)
    connection.close()


# The browsers


@dataclass
class _Watch:
    """Looks at the two programs."""

    web_pid: int
    worker_pid: int

    def memory(self) -> int:
        return int(psutil.Process(self.web_pid).memory_info().rss)

    def cpu_s(self) -> tuple[float, float]:
        times = [psutil.Process(pid).cpu_times() for pid in (self.web_pid, self.worker_pid)]
        return times[0].user + times[0].system, times[1].user + times[1].system


@dataclass
class _Played:
    streams: list[Stream]
    kib_per_socket: float
    connect_s: float
    stream_s: float
    web_cpu_share: float
    worker_cpu_share: float


async def _play(
    address: str, cookies: Any, load: Load, watch: _Watch, say: Callable[..., None]
) -> _Played:
    idle, busy = cookies
    async with AsyncExitStack() as stack_of_sockets:
        await _open(address, busy[:2], stack_of_sockets)  # what the first sockets load once
        await asyncio.sleep(load.settle_s)
        before, began = watch.memory(), time.monotonic()
        await _open(address, idle, stack_of_sockets)
        connect_s = time.monotonic() - began
        await asyncio.sleep(load.settle_s)
        kib = (watch.memory() - before) / 1024 / max(1, len(idle))
        say(f"{len(idle)} sockets opened in {connect_s:.1f} s, {kib:.1f} KiB each")
        sockets = await _open(address, busy, stack_of_sockets)
        cpu, began = watch.cpu_s(), time.monotonic()
        asked = [_ask(socket, load.prompt, number) for number, socket in enumerate(sockets)]
        streams = await asyncio.gather(*asked)
        stream_s = time.monotonic() - began
        web, worker = (after - then for after, then in zip(watch.cpu_s(), cpu, strict=True))
    return _Played(streams, kib, connect_s, stream_s, web / stream_s, worker / stream_s)


async def _open(
    address: str, wanted: Sequence[tuple[str, str]], exits: AsyncExitStack
) -> list[ClientConnection]:
    gate = asyncio.Semaphore(CONNECT_AT_ONCE)

    async def open_one(chat: str, cookie: str) -> ClientConnection:
        async with gate:
            socket = await connect(
                f"{address.replace('http', 'ws')}/ws/chat/{chat}/",
                origin=address,
                additional_headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"},
                compression=None,
                open_timeout=30,
                ping_interval=None,
            )
            hello = json.loads(await socket.recv())
            assert hello["type"] == "hello", hello
            return socket

    sockets = await asyncio.gather(*(open_one(*each) for each in wanted))
    for socket in sockets:
        exits.push_async_callback(socket.close)
    return sockets


async def _ask(socket: ClientConnection, prompt: str, number: int) -> Stream:
    """Send one prompt and read its reply to the end."""
    await asyncio.sleep(number * 0.02)  # people do not press Enter in step
    stream = Stream(sent_at=time.time())
    await socket.send(json.dumps({"type": "prompt", "key": str(uuid.uuid4()), "text": prompt}))
    async for text in socket:
        frame, now = json.loads(text), time.time()
        if frame["type"] == "created":
            (stream.reply,), stream.created_at = frame["replies"], now
            await socket.send(json.dumps({"type": "watch", "replies": {stream.reply: ""}}))
        elif frame["type"] in ("delta", "snapshot"):
            stream.text = (
                frame["text"] if frame["type"] == "snapshot" else stream.text + frame["text"]
            )
            if stream.text:
                stream.first_at = stream.first_at or now
                stream.seen.append((len(stream.text), now))
        elif frame["type"] == "done":
            stream.state = frame["state"]
            return stream
        elif frame["type"] == "error":
            raise RuntimeError(frame)
    return stream


# The figures


def _emissions(trace: Path) -> dict[str, list[tuple[int, float]]]:
    """By reply: characters so far and when the engine gave the last of them."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in trace.read_text().splitlines():
        reply, chars, at = line.split()
        found[reply].append((int(chars), float(at)))
    return found


def _texts() -> dict[str, str]:
    rows = ChatMessage.objects.filter(role="assistant").values_list("pk", "text")
    return {str(pk): text for pk, text in rows}


def _waits() -> dict[str, float]:
    """Where the time before the first token went: until a worker took the reply, and after."""
    rows = ChatMessage.objects.filter(first_token_at__isnull=False)
    times = list(rows.values_list("queued_at", "started_at", "first_token_at"))
    return {
        "claimed_p50_ms": percentile_ms([(b - a).total_seconds() for a, b, _ in times], 0.50),
        "engine_p50_ms": percentile_ms([(c - b).total_seconds() for _, b, c in times], 0.50),
    }


def _delays(stream: Stream, given: list[tuple[int, float]]) -> tuple[list[float], int]:
    """How late each piece came, in seconds, and how many never came."""
    delays, place = [], 0
    for chars, at in given:
        while place < len(stream.seen) and stream.seen[place][0] < chars:
            place += 1
        if place == len(stream.seen):
            break
        delays.append(stream.seen[place][1] - at)
    return delays, len(given) - len(delays)


def _lost(stream: Stream, missing: int, stored: str, say: Callable[..., None]) -> int:
    """How much of a reply its reader lacks, which is told: pieces, the text, a good end."""
    lost = missing + (stream.text != stored) + (stream.state != "done")
    if lost:
        say(
            f"{stream.reply} is {stream.state}: {missing} pieces missing,"
            f" {len(stream.text)} of {len(stored)} characters"
        )
    return lost


def _report(
    load: Load,
    played: _Played,
    given: dict[str, list[tuple[int, float]]],
    texts: dict[str, str],
    say: Callable[..., None],
) -> dict[str, Any]:
    delays: list[float] = []
    lost = 0
    for stream in played.streams:
        late, missing = _delays(stream, given[stream.reply])
        delays += late
        lost += _lost(stream, missing, texts[stream.reply], say)
    first = [stream.first_at - stream.sent_at for stream in played.streams]
    created = [stream.created_at - stream.sent_at for stream in played.streams]
    events = sum(len(stream.seen) for stream in played.streams)
    return {
        "added_latency_p50_ms": percentile_ms(delays, 0.50),
        "added_latency_p95_ms": percentile_ms(delays, 0.95),
        "added_latency_p99_ms": percentile_ms(delays, 0.99),
        "ttft_p50_ms": percentile_ms(first, 0.50),
        "ttft_p95_ms": percentile_ms(first, 0.95),
        "created_p50_ms": percentile_ms(created, 0.50),
        "sockets": load.sockets,
        "streams": load.streams,
        "kib_per_socket": round(played.kib_per_socket, 1),
        "lost_events": lost,
        "engine": load.engine,
        "tokens": len(delays),
        "tokens_per_s": round(len(delays) / played.stream_s, 1),
        "events_per_s": round(events / played.stream_s, 1),
        "connect_s": round(played.connect_s, 1),
        "web_cpu_share": round(played.web_cpu_share, 2),
        "worker_cpu_share": round(played.worker_cpu_share, 2),
    }
