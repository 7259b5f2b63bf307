"""The supervisor, with real child processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from oasst.lib import env
from oasst.lib.supervisor import pause_before_restart

pytestmark = pytest.mark.slow

SUPERVISE = """
import sys
from oasst.lib.supervisor import Program, supervise
programs = [
    Program(f"child{number}", [sys.executable, "-c", code])
    for number, code in enumerate(sys.argv[1:])
]
supervise(programs, each_tick=lambda: None)
print("supervisor ends")
"""
SLEEPER = "import os, time; print('pid', os.getpid()); time.sleep(60)"


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started = []

    def start(*codes: str) -> subprocess.Popen[str]:
        with (tmp_path / "output").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISE, *codes],
                cwd=env.BASE_DIR,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def pids(tmp_path: Path) -> list[int]:
    lines = (tmp_path / "output").read_text().splitlines()
    return [int(line.split("pid ")[1]) for line in lines if "| pid " in line]


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_pause_doubles_up_to_half_a_minute_with_each_early_death() -> None:
    assert [pause_before_restart(n) for n in (0, 1, 2, 3, 6, 60)] == [0, 1, 2, 4, 30, 30]


def test_a_child_that_is_killed_starts_again(supervise: Callable, tmp_path: Path) -> None:
    supervise(SLEEPER)
    wait_for(lambda: pids(tmp_path))
    first = pids(tmp_path)[0]

    os.kill(first, signal.SIGKILL)

    wait_for(lambda: len(pids(tmp_path)) == 2)
    assert pids(tmp_path)[1] != first


def test_a_child_that_fails_at_once_does_not_disturb_the_others(
    supervise: Callable, tmp_path: Path
) -> None:
    supervise(SLEEPER, "raise SystemExit('broken')")

    wait_for(lambda: (tmp_path / "output").read_text().count("child1 | broken") == 2)

    assert len(pids(tmp_path)) == 1
    assert is_alive(pids(tmp_path)[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_children(
    number: signal.Signals, supervise: Callable, tmp_path: Path
) -> None:
    supervisor = supervise(SLEEPER, SLEEPER)
    wait_for(lambda: len(pids(tmp_path)) == 2)

    supervisor.send_signal(number)

    assert supervisor.wait(20) == 0
    assert not any(is_alive(pid) for pid in pids(tmp_path))
    assert "supervisor ends" in (tmp_path / "output").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a kill")
def test_children_end_with_a_supervisor_that_is_killed(supervise: Callable, tmp_path: Path) -> None:
    supervisor = supervise(SLEEPER)
    wait_for(lambda: pids(tmp_path))

    supervisor.kill()

    wait_for(lambda: not is_alive(pids(tmp_path)[0]))
