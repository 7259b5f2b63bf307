"""Reviews and rankings of many messages, stored and counted, for tests of agreement."""

import random
from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from tasks_app import agreement_sums
from tasks_app.agreement_report import MIN_UNITS
from tasks_app.enums import LabelKind
from tasks_app.models import Message, Ranking, TextLabels
from tests.factories import crowd, grow

NOW = timezone.now().replace(hour=12)


def judged(units: Sequence[Sequence[float]], lang: str = "en", weeks_ago: int = 0) -> list[Message]:
    """A reply for each unit, whose values are what people said of its quality."""
    when = NOW - timedelta(weeks=weeks_ago)
    replies = [grow("P?(A?)", lang=lang, now=when)[1] for _ in units]
    people = crowd(4)
    TextLabels.objects.bulk_create(
        TextLabels(
            message=reply,
            user=person,
            kind=LabelKind.TASK,
            values={"spam": 0.0, "quality": value},
            created_at=when,
        )
        for reply, unit in zip(replies, units, strict=True)
        for person, value in zip(people, unit, strict=False)
    )
    fold()
    return replies


def ranked(orders: Sequence[Sequence[str]]) -> None:
    """Prompts, each with replies that two people or more put in these orders."""
    for several in orders:
        parent = grow("P?(A A)").root
        Ranking.objects.bulk_create(
            Ranking(parent=parent, user=person, groups=[[i] for i in order], created_at=NOW)
            for person, order in zip(crowd(4), several, strict=False)
        )
    fold()


def fold() -> None:
    while agreement_sums.fold():
        pass


def random_units(number: int = MIN_UNITS) -> list[list[float]]:
    chance = random.Random(3)
    return [[chance.randrange(5) / 4 for _ in range(3)] for _ in range(number)]
