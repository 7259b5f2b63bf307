"""How many requests a web process lets in at once."""

import asyncio
import json
from typing import Any

import pytest
from django.conf.global_settings import LANGUAGE_COOKIE_NAME
from django.utils.translation import get_language

from oasst.lib.admission import Admission


class Busy:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.may_begin, self.may_end = asyncio.Event(), asyncio.Event()
        self.began: list[str] = []

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.began.append(scope["path"])
        await self.may_begin.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.may_end.wait()
        await send({"type": "http.response.body", "body": b"done"})


async def ask(
    site: Admission, path: str = "/dashboard/", accept: str = "text/html", **headers: str
) -> Any:
    """Status, headers and body of an answer."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    headers = {"accept": accept, **headers}
    lines = [(name.replace("_", "-").encode(), line.encode()) for name, line in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "headers": lines}
    await site(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(m["body"] for m in sent[1:])


async def begun(*requests: Any) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(request) for request in requests]
    await asyncio.sleep(0.01)
    return tasks


def test_request_beyond_the_limit_is_told_to_come_back() -> None:
    async def main() -> None:
        busy = Busy()
        site = Admission(busy, at_once=2)
        let_in = await begun(ask(site), ask(site))

        status, headers, body = await ask(site)

        assert (status, headers[b"retry-after"]) == (503, b"5")
        assert b"Back in a moment" in body
        assert len(busy.began) == 2
        busy.may_begin.set()
        busy.may_end.set()
        assert [(await task)[0] for task in let_in] == [200, 200]
        assert (await ask(site))[0] == 200

    asyncio.run(main())


@pytest.mark.parametrize(
    ("headers", "lang", "direction"),
    [
        ({}, "en", "ltr"),
        ({"accept_language": "fr-CA,en;q=0.5"}, "fr", "ltr"),
        ({"accept_language": "fr", "cookie": f"{LANGUAGE_COOKIE_NAME}=ar"}, "ar", "rtl"),
        ({"accept_language": "tlh", "cookie": f"{LANGUAGE_COOKIE_NAME}=../\xff"}, "en", "ltr"),
    ],
)
def test_refusal_speaks_the_language_of_cookie_or_browser(
    headers: dict[str, str], lang: str, direction: str
) -> None:
    async def main() -> None:
        site = Admission(Busy(), at_once=0)

        _status, answered, body = await ask(site, **headers)

        assert f'<html lang="{lang}" dir="{direction}"' in body.decode()
        assert answered[b"vary"] == b"Accept, Accept-Language, Cookie"
        assert int(answered[b"content-length"]) == len(body)

    asyncio.run(main())
    assert get_language() == "en"


def test_programs_are_refused_in_json() -> None:
    async def main() -> None:
        site = Admission(Busy(), at_once=1)
        let_in = await begun(ask(site))

        answers = [await ask(site, "/api/v1/tasks"), await ask(site, accept="application/json")]

        for status, headers, body in answers:
            assert (status, headers[b"content-type"]) == (503, b"application/json")
            assert json.loads(body)["error"]["code"] == "busy"
        let_in[0].cancel()

    asyncio.run(main())


def test_monitors_and_static_files_are_always_let_in() -> None:
    async def main() -> None:
        busy = Busy()
        site = Admission(busy, at_once=1)
        paths = ["/dashboard/", "/healthz", "/readyz", "/static/css/base.css"]

        tasks = await begun(*(ask(site, path) for path in paths))

        assert busy.began == paths
        for task in tasks:
            task.cancel()

    asyncio.run(main())


def test_answer_that_comes_in_parts_makes_place_when_it_begins() -> None:
    async def main() -> None:
        busy = Busy()
        site = Admission(busy, at_once=1)
        (download,) = await begun(ask(site))
        busy.may_begin.set()
        await asyncio.sleep(0.01)

        (page,) = await begun(ask(site))

        assert len(busy.began) == 2
        busy.may_end.set()
        assert [(await task)[0] for task in (download, page)] == [200, 200]

    asyncio.run(main())


def test_request_that_fails_or_is_given_up_makes_place() -> None:
    async def main() -> None:
        busy = Busy()
        site = Admission(busy, at_once=1)
        (left,) = await begun(ask(site))

        left.cancel()
        await asyncio.sleep(0.01)

        await begun(ask(site))
        assert len(busy.began) == 2

    asyncio.run(main())
