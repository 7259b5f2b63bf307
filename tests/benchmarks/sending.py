"""How long somebody waits who sends a prompt or a reply by its page: checks, search for what says
nearly the same, storing, and the answer."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Any, NamedTuple

from django.conf import settings
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import selection
from tasks_app.config import MOST, overridden
from tasks_app.enums import TaskType
from tasks_app.errors import NoTaskAvailable
from tests.benchmarks.timing import percentile_ms, worked_s
from tests.sessions import signed_in

PEOPLE = 20
# There are always prompts that are asked for.
ALWAYS_MORE = {"max_active_trees": MOST, "max_initial_prompt_review": MOST}
WARM_UP = 5
LONGEST = 2_000  # characters that the site takes
FIRST_PAGE, REDIRECT, TOLD = 200, 302, 409


class Answer(NamedTuple):
    """Its status, how long its author waited, and how long web and database worked for it."""

    status: int
    waited_s: float
    worked_s: float


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
        sent = [answer for answer in answers if answer.status == REDIRECT]
        told = sum(answer.status == TOLD for answer in answers)
        assert len(sent) + told == len(answers), answers
        waits, works = [each.waited_s for each in sent], [each.worked_s for each in sent]
        name = "prompt" if kind == TaskType.INITIAL_PROMPT else "reply"
        found |= {
            f"submit_{name}_p50_ms": percentile_ms(waits, 0.5),
            f"submit_{name}_p95_ms": percentile_ms(waits, 0.95),
            f"submit_{name}_work_p50_ms": percentile_ms(works, 0.5),
            f"submit_{name}_work_p95_ms": percentile_ms(works, 0.95),
            f"submit_{name}_sent": len(sent),
            f"submit_{name}_told": told,  # of others that say nearly the same
        }
    return found


def _answers(
    browsers: Iterator[tuple[User, Client]], kind: TaskType, texts: Sequence[str], lang: str
) -> Iterator[Answer]:
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


def _send(user: User, browser: Client, kind: TaskType, text: str, lang: str) -> Answer:
    now = timezone.now()
    task = selection.next_task(user, kind, langs=[lang], now=now, rng=random.Random(text))
    entered = {"text": text[:LONGEST], "pasted": "0", "seconds": "60"}
    started, worked = time.perf_counter(), worked_s()
    response = browser.post(f"/tasks/{task.pk}/", entered)
    return Answer(response.status_code, time.perf_counter() - started, worked_s() - worked)
