"""Files of snapshots by a real server: readers who are slow, and readers who come back."""

import time
from pathlib import Path

import psutil
import pytest
import requests
from django.conf import settings
from django.utils import timezone

from tests import factories, stack
from tests.sessions import cookie_of
from training.models import Snapshot

MIB = 2**20
SIZE = 200 * MIB

pytestmark = [pytest.mark.slow, pytest.mark.full, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trees of a snapshot, 200 MiB of them."""
    monkeypatch.setenv("RUNS_DIR", str(tmp_path))
    folder = tmp_path / "snapshots" / "large"
    folder.mkdir(parents=True)
    Snapshot.objects.create(
        name="large",
        sha256="0" * 64,
        path="snapshots/large",
        filter={},
        counts={"trees": 1, "messages": 1},
        created_at=timezone.now(),
    )
    path = folder / "trees.jsonl.gz"
    with path.open("wb") as file:
        for number in range(SIZE // MIB):
            file.write(number.to_bytes(4, "big") * (MIB // 4))
    return path


@pytest.fixture
def admin(tmp_path: Path) -> requests.Session:
    browser = requests.Session()
    browser.cookies.set(settings.SESSION_COOKIE_NAME, cookie_of(factories.root()))
    return browser


def rss(process: stack.Process) -> int:
    memory: int = psutil.Process(process.pid).memory_info().rss
    return memory


def test_server_holds_little_of_a_large_file_for_a_slow_reader_who_then_gets_the_rest(
    large: Path, admin: requests.Session, tmp_path: Path
) -> None:
    with stack.web(tmp_path / "web") as (address, process):
        url = f"{address}/training/snapshots/large/files/{large.name}"
        assert admin.head(url, timeout=30).headers["Content-Length"] == str(SIZE)
        before = rss(process)

        with admin.get(url, stream=True, timeout=30) as slow:
            first = slow.raw.read(MIB)
            time.sleep(3)  # long enough to read the whole file many times over
            held = rss(process) - before
        rest = admin.get(
            url,
            headers={"Range": f"bytes={MIB}-", "If-Range": slow.headers["ETag"]},
            timeout=60,
        )

        assert held < 20 * MIB
        assert rss(process) - before < 40 * MIB
    assert (slow.status_code, rest.status_code) == (200, 206)
    assert rest.headers["Content-Range"] == f"bytes {MIB}-{SIZE - 1}/{SIZE}"
    assert first + rest.content == large.read_bytes()


def test_many_slow_downloads_leave_the_database_to_the_pages(
    large: Path, admin: requests.Session, tmp_path: Path
) -> None:
    with stack.web(tmp_path / "web") as (address, _process):
        url = f"{address}/training/snapshots/large/files/{large.name}"
        # More than there are connections to the database.
        readers = [admin.get(url, stream=True, timeout=30) for _ in range(12)]

        page = admin.get(f"{address}/training/snapshots/", timeout=10)

        for reader in readers:
            assert reader.raw.read(10) == large.read_bytes()[:10]
            reader.close()
    assert page.status_code == 200
    assert "large" in page.text
