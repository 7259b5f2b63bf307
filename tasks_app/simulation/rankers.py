"""Simulated people who rank whatever there is to rank, by a taste that nobody else knows."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from tasks_app import interactions, selection
from tasks_app.enums import TaskType
from tasks_app.errors import NoTaskAvailable
from tasks_app.models import Message, Task
from tasks_app.simulation import opinions
from tasks_app.simulation.crowd import Crowd, Person

Taste = Callable[[str], float]

TURN = timedelta(seconds=30)


def rank_everything(
    crowd: Crowd, taste: Taste, *, now: datetime, rng: random.Random
) -> tuple[int, datetime]:
    """Rank assistants' replies until nobody finds any; how many rankings, and the time then.

    They see what the page shows: the texts, in the order of the task.
    """
    done = 0
    waiting = list(crowd.people)
    while waiting:
        now += TURN
        person = rng.choice(waiting)
        try:
            task = selection.next_task(
                person.user, TaskType.RANK_ASSISTANT_REPLIES, now=now, rng=rng
            )
        except NoTaskAvailable:
            waiting.remove(person)
            continue
        _rank(person, task, taste, now, rng)
        done += 1
    return done, now


def _rank(person: Person, task: Task, taste: Taste, now: datetime, rng: random.Random) -> None:
    if person.is_troll:
        groups = opinions.rank_at_random(task.shown_ids, rng)
    else:
        rows = Message.objects.filter(pk__in=task.shown_ids).values_list("pk", "text")
        texts = {str(pk): text for pk, text in rows}
        groups = opinions.rank_by(taste, [(key, texts[key]) for key in task.shown_ids], rng)
    interactions.submit_ranking(task.pk, person.user, groups, now=now, not_rankable=not groups)
