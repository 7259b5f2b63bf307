"""Takes what talks to the database out of the event loop."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from asgiref.sync import AsyncToSync, ThreadSensitiveContext
from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")

# Fewer than a web process has connections (DATABASE_POOL_SIZE): pages need some too.
AT_ONCE = 6
_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` in a thread with a connection of its own, a few at once.

    asgiref's default, one thread for all sockets of a process, lets each wait for all others. Below
    `async_to_sync` the thread that waits there does the work, as usual.
    """
    loop, run = asyncio.get_running_loop(), database_sync_to_async(function)
    if loop in AsyncToSync.loop_thread_executors:
        return await run(*args, **kwargs)
    async with _gates.setdefault(loop, asyncio.Semaphore(AT_ONCE)), ThreadSensitiveContext():
        return await run(*args, **kwargs)
