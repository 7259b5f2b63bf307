"""Files to keep, of any size: sent block by block, and from where an earlier download broke off.

Source: RFC 9110, sections 13.1.5 (If-Range) and 14 (Range). Several ranges at once are answered
with the whole file, as the RFC allows.
"""

import os
import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from asgiref.sync import sync_to_async
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase

BLOCK_BYTES = 2**17
_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})", re.ASCII | re.IGNORECASE)


class UnsatisfiableRange(Exception):
    """What was asked for is not in the file."""


class Download(FileResponse):
    """Reads a block when the last one has gone; Django's, in an ASGI server, reads all at once."""

    block_size = BLOCK_BYTES

    async def __aiter__(self) -> AsyncIterator[bytes]:
        blocks = iter(self)
        read = sync_to_async(lambda: next(blocks, b""))
        while block := await read():
            yield block


def send(request: HttpRequest, path: Path, *, name: str) -> HttpResponseBase:
    """The file as an attachment, or the part of it that was asked for. Raises OSError.

    A file that changes must be replaced by a new one: who takes a download up again would get
    halves of both.
    """
    file = path.open("rb")
    stat = os.fstat(file.fileno())
    size, tag = stat.st_size, f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    try:
        part = _asked(request, tag, size)
    except UnsatisfiableRange:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    response = Download(_Part(file, part) if part else file, as_attachment=True, filename=name)
    if part:
        response.status_code = HTTPStatus.PARTIAL_CONTENT
        response["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
        response["Content-Length"] = str(len(part))
    response["Accept-Ranges"], response["ETag"] = "bytes", tag
    return response


class _Part:
    """Some of the bytes of an open file, as a file."""

    def __init__(self, file: BinaryIO, part: range) -> None:
        self._file, self._left = file, len(part)
        file.seek(part.start)

    def read(self, size: int) -> bytes:
        """At most `size` of those that are left."""
        block = self._file.read(min(size, self._left))
        self._left -= len(block)
        return block

    def close(self) -> None:
        self._file.close()


def _asked(request: HttpRequest, tag: str, size: int) -> range | None:
    """Which bytes of a file; None for all. Raises UnsatisfiableRange."""
    found = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if found is None or request.method != "GET":
        return None
    if request.headers.get("If-Range", tag) != tag:
        return None  # the file is another one: its reader begins again
    first, last = found["first"], found["last"]
    if not first and not last:
        return None
    if not first:
        part = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        part = range(int(first), min(int(last) + 1, size) if last else size)
    if not part:
        raise UnsatisfiableRange
    return part
