"""The engine that has another server write, against a real server on this machine."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chat_app.inference.openai import OpenAIEngine
from chat_app.inference.requests import (
    Delta,
    EngineError,
    EngineRequest,
    Event,
    Finished,
    RequestTooLarge,
    Started,
    Turn,
)
from chat_app.inference.sampling import SamplingParameters
from tests.chat_app.inference.asking import ask, collect, end_of, request, text_of

Write = Callable[[bytes], None]
USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


def chunk(text: str | None = None, reason: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    return sse({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


def sse(value: Any) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


class Server:
    """Answers /v1/models, and chat completions with the bytes that the test gives."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.status = 200
        self.pieces: list[bytes] = []
        self.endless = False
        self.hung_up = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.keys.append(self.headers["Authorization"])
                self._head(200)
                self.wfile.write(json.dumps({"data": [{"id": "big"}]}).encode())

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                server.bodies.append(json.loads(self.rfile.read(length)))
                self._head(server.status)
                server.answer(self.wfile.write)

            def _head(self, status: int) -> None:
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        # Every `close` waits until the loop looks, as a rule each half a second.
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, write: Write) -> None:
        for piece in self.pieces:
            write(piece)
        try:
            while self.endless:
                write(chunk("more "))
                time.sleep(0.005)
        except OSError:
            self.hung_up.set()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.endless = False
    server.close()


def answer(server: Server, **parameters: Any) -> list[Event]:
    return ask(OpenAIEngine(server.url, "big", "secret"), request("Hello", **parameters))[0]


def test_answer_streams_with_the_usage_that_the_server_tells(server: Server) -> None:
    server.pieces = [chunk("Good "), chunk("day"), chunk(reason="stop"), sse(USAGE)]
    server.pieces.append(b"data: [DONE]\n\n")

    assert answer(server) == [
        Started(prompt_tokens=5),
        Delta("Good "),
        Delta("day"),
        Finished("stop", prompt_tokens=7, completion_tokens=3),
    ]
    assert server.keys == ["Bearer secret"]


def test_request_carries_the_conversation_and_its_parameters(server: Server) -> None:
    server.pieces = [chunk("ok", "stop")]
    turns = [Turn("system", "Be kind."), Turn("user", "Hello")]
    parameters = SamplingParameters(seed=3, stop=tuple("abcdef"), top_k=None, max_new_tokens=9)

    ask(OpenAIEngine(server.url, "big"), EngineRequest("1", turns, parameters))

    assert server.bodies == [
        {
            "model": "big",
            "messages": [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": "Hello"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.75,
            "top_p": 0.95,
            "repetition_penalty": 1.2,
            "max_tokens": 9,
            "seed": 3,
            "stop": ["a", "b", "c", "d"],
        }
    ]


def test_pieces_cut_inside_a_character_and_odd_line_ends_arrive_whole(server: Server) -> None:
    whole = chunk("a\u2028b 👍\x85") + b": keep-alive\n\n" + chunk("€", "length")
    server.pieces = [whole[i : i + 1] for i in range(len(whole))]

    events = answer(server)

    assert text_of(events) == "a\u2028b 👍\x85€"
    assert end_of(events).reason == "length"


def test_stop_string_beyond_what_the_server_takes_is_found_here(server: Server) -> None:
    server.pieces = [chunk("one EN"), chunk("D two")]
    server.endless = True

    events = answer(server, stop=("1", "2", "3", "4", "END"))

    assert text_of(events) == "one "
    assert end_of(events).reason == "stop"
    assert server.hung_up.wait(2)


def test_closing_the_generator_hangs_up(server: Server) -> None:
    server.endless = True

    async def run() -> None:
        engine = OpenAIEngine(server.url, "big")
        await engine.start()
        events = engine.generate(request("Hello"))
        await anext(events)
        await anext(events)
        await events.aclose()
        assert await asyncio.to_thread(server.hung_up.wait, 2)
        await engine.stop()

    asyncio.run(run())


def test_stopping_the_engine_ends_its_requests_with_an_error(server: Server) -> None:
    server.endless = True

    async def run() -> None:
        engine = OpenAIEngine(server.url, "big")
        await engine.start()
        task = asyncio.create_task(collect(engine.generate(request("Hello"))))
        await asyncio.sleep(0.05)
        await engine.stop()
        with pytest.raises(EngineError):
            async with asyncio.timeout(5):
                await task

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "piece", "words"),
    [
        (500, b"out of memory", "answered 500: out of memory"),
        (401, b'{"error": {"message": "no"}}', "refuses the key"),
        (200, chunk("half an ans"), "broke off"),
        (200, sse({"error": {"message": "CUDA is gone"}}), "CUDA is gone"),
        (200, b"data: nonsense\n\n", "no JSON"),
        (200, b"data: []\n\n", "no object"),
    ],
)
def test_answer_that_goes_wrong_is_an_error_that_says_how(
    server: Server, status: int, piece: bytes, words: str
) -> None:
    server.status, server.pieces = status, [piece]

    with pytest.raises(EngineError, match=words):
        answer(server)


def test_conversation_too_long_for_the_server_is_told_as_such(server: Server) -> None:
    server.status = 400
    error = {"message": "This model's maximum context length is 4096 tokens.", "code": None}
    server.pieces = [json.dumps({"error": error}).encode()]

    with pytest.raises(RequestTooLarge, match="Shorten"):
        answer(server)


def test_server_without_the_model_is_refused_at_the_start(server: Server) -> None:
    with pytest.raises(EngineError, match="has no “small”"):
        ask(OpenAIEngine(server.url, "small"))


def test_server_that_does_not_run_is_refused_at_the_start(server: Server) -> None:
    server.close()

    with pytest.raises(EngineError, match="does not answer"):
        ask(OpenAIEngine(server.url, "big"))
