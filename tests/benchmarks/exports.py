"""How much memory the programs need that write a collection of any size to a file, how long they
take, and what a web server needs to hand such a file out, to a reader who is slow or comes back.
"""

import os
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.conf import settings

from oasst.lib import database
from tasks_app.models import Message
from tests import factories, stack
from tests.benchmarks import collection
from tests.sessions import cookie_of

SAMPLE_EVERY_S = 0.05
SNAPSHOT = "benchmark"
# What is asked for, the file, and the options of `export_trees`.
EXPORTS = {
    "trees": ("trees.jsonl", "trees"),
    "trees_compressed": ("trees.jsonl.gz", "trees"),
    "trees_with_votes": ("voted.jsonl", "trees", "--labels", "--events"),
    "trees_anonymous": ("anonymous.jsonl", "trees", "--events", "--anonymize-seed", "s"),
    "messages": ("messages.jsonl", "messages"),
    "sft": ("sft.jsonl", "sft"),
    "preference": ("preference.jsonl", "preference"),
    "parquet": ("messages.parquet", "parquet"),
}
BLOCK = 2**16
PAUSE_S = 2.0  # of a slow reader


def measure(
    messages: int, kinds: Sequence[str], folder: Path, *, say: Callable[..., None]
) -> dict[str, Any]:
    """Build a database of so many messages; export it in some kinds, freeze and download it."""
    with database.scratch("benchmark"):
        started = time.perf_counter()
        collection.build(messages)
        say(f"built {messages:,} messages in {time.perf_counter() - started:.0f} s")
        found: dict[str, Any] = {"messages": Message.objects.count(), "idle_mib": _idle(folder)}
        for name in kinds or EXPORTS:
            file, kind, *options = EXPORTS[name]
            found[name] = _export(folder / file, kind, *options)
            say(name, found[name])
        found["snapshot"] = _freeze(folder)
        say("snapshot", found["snapshot"])
        found["download"] = _download(folder)
        return found


def _idle(folder: Path) -> float:
    """MiB of a program of ours that has nothing to do."""
    return _run(folder, "check")["peak_mib"]


def _export(path: Path, kind: str, *options: str) -> dict[str, float]:
    figures = _run(path.parent, "export_trees", "--format", kind, "--out", str(path), *options)
    return figures | {"bytes": path.stat().st_size}


def _freeze(folder: Path) -> dict[str, float]:
    """Without the gate: it compares each text with all others, which here are of one phrase."""
    figures = _run(folder, "snapshot", "create", SNAPSHOT, "--no-gate")
    files = (folder / "snapshots" / SNAPSHOT).iterdir()
    return figures | {"bytes": sum(file.stat().st_size for file in files)}


def _run(folder: Path, *words: str) -> dict[str, float]:
    """Seconds and MiB at most of `manage.py …`."""
    started = time.perf_counter()
    env = stack.environment() | {"RUNS_DIR": str(folder)}
    log = folder / "program.log"
    with stack.running(["manage.py", *words], log, env) as process:
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _peak_mib(process.pid))
            time.sleep(SAMPLE_EVERY_S)
    assert process.returncode == 0, log.read_text(encoding="utf-8")[-3000:]
    return {"seconds": round(time.perf_counter() - started, 1), "peak_mib": peak}


def _peak_mib(pid: int) -> float:
    """What a process has needed at most so far, as Linux remembers it; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return round(int(found[0]) / 2**10, 1) if found else 0.0


# Handing it out


def _download(folder: Path) -> dict[str, float]:
    """The largest file of a snapshot: somebody slow breaks off half-way, and takes it up again."""
    path = max((folder / "snapshots" / SNAPSHOT).iterdir(), key=lambda file: file.stat().st_size)
    size = path.stat().st_size
    cookie = f"{settings.SESSION_COOKIE_NAME}={cookie_of(factories.root())}"
    with _web(folder) as (address, web):

        def read(least: int, **headers: str) -> tuple[bytes, Any]:
            url = f"{address}/training/snapshots/{SNAPSHOT}/files/{path.name}"
            asked = urllib.request.Request(url, headers={"Cookie": cookie, **headers})
            with urllib.request.urlopen(asked) as response:
                block = response.read(BLOCK)
                time.sleep(PAUSE_S)
                return block + response.read(least), response

        read(0)  # the first request pays for what is made once
        before = _peak_mib(web.pid)
        started = time.perf_counter()
        first, whole = read(size // 2)
        rest, part = read(size, Range=f"bytes={len(first)}-", **{"If-Range": whole.headers["ETag"]})
        assert (whole.status, part.status) == (200, 206), "the server begins at the beginning"
        assert first + rest == path.read_bytes()
        seconds = time.perf_counter() - started - 2 * PAUSE_S
        return {
            "bytes": size,
            "seconds": round(seconds, 2),
            "web_idle_mib": before,
            "web_peak_mib": _peak_mib(web.pid),
        }


@contextmanager
def _web(folder: Path) -> Iterator[tuple[str, stack.Process]]:
    """A web server whose snapshots are in `folder`."""
    with patch.dict(os.environ, RUNS_DIR=str(folder)), stack.web(folder) as running:
        yield running
