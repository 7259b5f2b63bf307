"""Processes are killed at random moments; afterwards every reply is final, once, and as shown."""

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chat_app.enums import Hold, MessageState, Role
from chat_app.models import ChatMessage
from oasst.accounts.models import User
from tests import tiny_model
from tests.chat_app import given
from tests.chat_app.faults.stack import Stack
from tests.chat_app.faults.visitor import Visitor
from tests.sessions import cookie_of

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

TARGETS = ("web", "worker-1", "worker-2", "valkey", "flush")
PATIENCE_S = 120  # a killed worker has its model to load again, perhaps on a busy machine


@pytest.fixture
def stack(tmp_path: Path, db: None, request: pytest.FixtureRequest) -> Iterator[Stack]:
    engine = ["--engine", request.param, "--tokens-per-s", "200"]
    folder = tmp_path / "tiny"
    if request.param == "transformers":
        pytest.importorskip("torch")
        tiny_model.build(folder)
    given.served("tiny", source=str(folder), max_context=1024)
    running = Stack(tmp_path, worker_options=["--model", "tiny", "--max-batch", "4", *engine])
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def people(alice: User, bob: User) -> list[tuple[User, str]]:
    return [(user, cookie_of(user)) for user in (alice, bob)]


def visitors(stack: Stack, people: list[tuple[User, str]], number: int) -> list[Visitor]:
    """Two chats of each person, about to ask something."""
    made = []
    for user, cookie in people * 2:
        chat = given.chat(user)
        chat.parameters = {"temperature": 1.0, "max_new_tokens": 400, "repetition_penalty": 1.0}
        chat.save()
        made.append(Visitor(stack.port, chat.pk, cookie, f"Round {number}: !long 400"))
    return made


def strike(stack: Stack, target: str) -> None:
    if target == "flush":
        stack.flush()
    else:
        stack.kill(target)


async def play(stack: Stack, guests: list[Visitor], strikes: list[tuple[float, str]]) -> None:
    async with asyncio.TaskGroup() as group:
        for guest in guests:
            group.create_task(guest.stay(PATIENCE_S))
        for pause_s, target in strikes:
            await asyncio.sleep(pause_s)
            await asyncio.to_thread(strike, stack, target)


def check(guests: list[Visitor], what: Any) -> None:
    for guest in guests:
        (prompt,) = ChatMessage.objects.filter(chat_id=guest.chat_id, role=Role.PROMPTER)
        (reply,) = ChatMessage.objects.filter(chat_id=guest.chat_id, role=Role.ASSISTANT)
        assert (str(prompt.key), str(reply.pk), guest.wrongs) == (guest.key, guest.reply, []), what
        assert (reply.state, reply.lease_until) == (guest.state, None), what
        assert guest.state in (MessageState.DONE, MessageState.INTERRUPTED), what
        if reply.hold != Hold.HELD:
            assert reply.text == guest.text, what


@pytest.mark.parametrize(
    ("stack", "rounds", "strikes_a_round"),
    [
        ("fake", 2, 1),
        pytest.param("transformers", 20, 1, marks=pytest.mark.full),
        pytest.param("transformers", 20, 2, marks=pytest.mark.full),
    ],
    indirect=["stack"],
)
def test_whatever_is_killed_every_reply_ends_once_and_as_it_was_shown(
    stack: Stack, people: list[tuple[User, str]], rounds: int, strikes_a_round: int
) -> None:
    seed = int(time.time())
    rng = random.Random(seed)
    for number in range(rounds):
        guests = visitors(stack, people, number)
        strikes = [(rng.uniform(0.1, 1.5), rng.choice(TARGETS)) for _ in range(strikes_a_round)]
        try:
            asyncio.run(play(stack, guests, strikes))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {number} {strikes}\n{stack.logs()}") from error

        check(guests, f"seed {seed}: {number} {strikes}")
    assert not ChatMessage.objects.filter(state__in=["queued", "running"]).exists()
