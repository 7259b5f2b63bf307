"""Downloads: whole files, and the rest of one that broke off."""

from collections.abc import Callable
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponseBase
from django.test import RequestFactory

from oasst.lib import downloads

TEXT = bytes(range(200)) * 2000  # several blocks, and no two that are alike

Ask = Callable[..., HttpResponseBase]

pytestmark = pytest.mark.django_db  # a response that is closed looks at the connections


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "trees.jsonl.gz"
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def ask(path: Path, rf: RequestFactory) -> Ask:
    def asked(method: str = "GET", **headers: str) -> HttpResponseBase:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = rf.generic(method, "/", headers=given)
        return downloads.send(request, path, name="march-trees.jsonl.gz")

    return asked


def body(response: HttpResponseBase) -> bytes:
    text = response.getvalue()  # type: ignore[attr-defined]
    response.close()
    return bytes(text)


def test_file_is_sent_whole_with_what_taking_it_up_again_needs(ask: Ask) -> None:
    response = ask()

    assert response.status_code == 200
    assert response["Content-Length"] == str(len(TEXT))
    assert response["Accept-Ranges"] == "bytes"
    assert response["Content-Type"] == "application/gzip"
    assert response["Content-Disposition"] == 'attachment; filename="march-trees.jsonl.gz"'
    assert "Content-Range" not in response
    assert body(response) == TEXT


@pytest.mark.parametrize(
    ("asked", "told", "part"),
    [
        ("bytes=300000-", "bytes 300000-399999/400000", slice(300_000, None)),
        ("bytes=0-0", "bytes 0-0/400000", slice(0, 1)),
        ("bytes=5-1000000", "bytes 5-399999/400000", slice(5, None)),
        ("bytes=-7", "bytes 399993-399999/400000", slice(-7, None)),
        ("bytes=-9999999", "bytes 0-399999/400000", slice(None)),
    ],
)
def test_part_that_is_asked_for_is_sent_alone(ask: Ask, asked: str, told: str, part: slice) -> None:
    response = ask(Range=asked)

    assert response.status_code == 206
    assert response["Content-Range"] == told
    assert response["Content-Length"] == str(len(TEXT[part]))
    assert response["Content-Type"] == "application/gzip"
    assert body(response) == TEXT[part]


def test_two_halves_of_a_broken_download_make_the_file(ask: Ask) -> None:
    first = ask(Range="bytes=0-99999")
    rest = ask(Range="bytes=100000-", If_Range=first["ETag"])

    assert (first.status_code, rest.status_code) == (206, 206)
    assert first["ETag"] == rest["ETag"]
    assert body(first) + body(rest) == TEXT


def test_file_that_was_replaced_is_sent_whole_to_who_has_half_of_the_old_one(
    ask: Ask, path: Path
) -> None:
    first = ask(Range="bytes=0-9")
    new = path.with_suffix(".new")
    new.write_bytes(TEXT[::-1])
    new.replace(path)

    rest = ask(Range="bytes=10-", If_Range=first["ETag"])

    assert body(first) == TEXT[:10]
    assert rest.status_code == 200
    assert rest["ETag"] != first["ETag"]
    assert body(rest) == TEXT[::-1]


@pytest.mark.parametrize("asked", ["bytes=400000-", "bytes=999999-1000000", "bytes=-0"])
def test_part_beyond_the_end_is_refused_with_the_size(ask: Ask, asked: str) -> None:
    response = ask(Range=asked)

    assert response.status_code == 416
    assert response["Content-Range"] == "bytes */400000"
    assert body(response) == b""


@pytest.mark.parametrize(
    "asked",
    ["bytes=", "bytes=-", "bytes=9-3", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5", "bytes=٣-"],
)
def test_what_is_no_single_range_gets_the_whole_file(ask: Ask, asked: str) -> None:
    response = ask(Range=asked)

    assert response.status_code == 200
    assert body(response) == TEXT


def test_head_tells_the_size_of_the_whole(ask: Ask) -> None:
    response = ask("HEAD", Range="bytes=5-")

    assert response.status_code == 200
    assert response["Content-Length"] == str(len(TEXT))


def test_servers_that_are_async_read_one_block_at_a_time(ask: Ask) -> None:
    async def blocks() -> list[bytes]:
        return [block async for block in ask(Range="bytes=10-")]  # type: ignore[attr-defined]

    found = async_to_sync(blocks)()

    assert b"".join(found) == TEXT[10:]
    assert max(map(len, found)) == downloads.BLOCK_BYTES
