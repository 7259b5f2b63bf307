"""How long somebody waits who sends a prompt or a reply by its page: checks, search for what says
nearly the same, storing, and the answer."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Any

from django.conf import settings
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import selection
from tasks_app.config import MOST, overridden
from tasks_app.enums import TaskType
from tasks_app.errors import NoTaskAvailable
from tests.benchmarks.timing import percentile_ms
from tests.sessions import signed_in

PEOPLE = 20
# There are always prompts that are asked for.
ALWAYS_MORE = {"max_active_trees": MOST, "max_initial_prompt_review": MOST}
WARM_UP = 5
LONGEST = 2_000  # characters that the site takes
FIRST_PAGE, REDIRECT, TOLD = 200, 302, 409


def look(texts: Sequence[str], lang: str) -> dict[str, Any]:
    """The figures of so many texts that are new, each half of them prompts and replies."""
    browsers = cycle(list(_browsers(lang)))
    half = len(texts) // 2
    found: dict[str, Any] = {}
    for kind, some in (
        (TaskType.INITIAL_PROMPT, texts[:half]),
        (TaskType.ASSISTANT_REPLY, texts[half:]),
    ):
        with overridden(**ALWAYS_MORE):
            answers = list(_answers(browsers, kind, some, lang))[WARM_UP:]
        times = [seconds for status, seconds in answers if status == REDIRECT]
        told = [seconds for status, seconds in answers if status == TOLD]
        assert len(times) + len(told) == len(answers), answers
        name = "prompt" if kind == TaskType.INITIAL_PROMPT else "reply"
        found |= {
            f"submit_{name}_p50_ms": percentile_ms(times, 0.5),
            f"submit_{name}_p95_ms": percentile_ms(times, 0.95),
            f"submit_{name}_sent": len(times),
            f"submit_{name}_told": len(told),  # of others that say nearly the same
        }
    return found


def _answers(
    browsers: Iterator[tuple[User, Client]], kind: TaskType, texts: Sequence[str], lang: str
) -> Iterator[tuple[int, float]]:
    """What sending them leads to, for as long as there are tasks."""
    with suppress(NoTaskAvailable):
        for text in texts:
            yield _send(*next(browsers), kind, text, lang)


def _browsers(lang: str) -> Iterator[tuple[User, Client]]:
    """People who write in a language, signed in."""
    people = User.objects.filter(contribution_languages__contains=[lang]).order_by("email")
    for user in people[:PEOPLE]:
        user.tos_version, user.tos_accepted_at = settings.TOS_VERSION, timezone.now()
        user.save()
        browser = signed_in(user)
        assert browser.get("/tasks/").status_code == FIRST_PAGE
        yield user, browser


def _send(user: User, browser: Client, kind: TaskType, text: str, lang: str) -> tuple[int, float]:
    """The status of the answer and the seconds until it."""
    now = timezone.now()
    task = selection.next_task(user, kind, langs=[lang], now=now, rng=random.Random(text))
    started = time.perf_counter()
    entered = {"text": text[:LONGEST], "pasted": "0", "seconds": "60"}
    response = browser.post(f"/tasks/{task.pk}/", entered)
    return response.status_code, time.perf_counter() - started
