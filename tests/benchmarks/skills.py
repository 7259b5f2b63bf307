"""How fast everybody's skills are computed: all of one language, and after few new votes."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from oasst.lib import database
from tasks_app import skill_fits
from tasks_app.enums import LabelKind
from tasks_app.models import CrowdMean, Ranking, Reliability, TextLabels
from tests.benchmarks import collection, sql
from tests.benchmarks.timing import seconds_of

LABELS_PER_MESSAGE = 2.98
LANG = "en"
NEW_VOTES = (1, 10, 100)


def measure(labels: int, *, say: Callable[..., None]) -> dict[str, Any]:
    """Build about so many label sets, all of one language, and fit what they tell of people.

    After each number of new votes the skills are fitted as the job does it, and then whole:
    `apart` is by how much a weight differs at most, and nine in ten at most.
    """
    with database.scratch("skills"):
        collection.build(round(labels / LABELS_PER_MESSAGE))
        _speak_one_language()
        found: dict[str, Any] = {
            "labels": TextLabels.objects.count(),
            "rankings": Ranking.objects.count(),
        }
        say("built:", found)
        found["first"] = _timed()
        say("first:", found["first"])
        found["new_votes"] = {count: _after(count) for count in NEW_VOTES}
        say("new votes:", found["new_votes"])
        found |= {"people": Reliability.objects.values("user").distinct().count()}
    return found


def _speak_one_language() -> None:
    with sql.unchecked():
        for table in ("message", "messagetree"):
            sql.run(f"UPDATE tasks_app_{table} SET lang = %s", LANG)
        sql.run("VACUUM (ANALYZE)")


def _timed() -> dict[str, float]:
    """Seconds by the clock, and those of the processor, here and in the database."""
    worked = _processor_s()
    seconds = seconds_of(lambda: skill_fits.refit(now=timezone.now()))
    return {"seconds": round(seconds, 2), "processor_s": round(_processor_s() - worked, 2)}


def _processor_s() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    columns = Path(f"/proc/{backend}/stat").read_text().rsplit(")", 1)[1].split()
    return time.process_time() + sum(map(int, columns[11:13])) / os.sysconf("SC_CLK_TCK")


def _after(count: int) -> dict[str, Any]:
    """Reviews of random messages by people who have reviewed others."""
    chance = random.Random(count)
    known = TextLabels.objects.filter(kind=LabelKind.TASK).order_by("pk")
    pool = list(known.values_list("user", "message", "values")[: 100 * count])
    pairs = {(user, message) for user, message, _ in known.values_list("user", "message", "values")}
    new: list[TextLabels] = []
    while len(new) < count:
        user, message = chance.choice(pool)[0], chance.choice(pool)[1]
        if (user, message) not in pairs:
            pairs.add((user, message))
            values = chance.choice(pool)[2]
            new.append(
                TextLabels(
                    user_id=user,
                    message_id=message,
                    kind=LabelKind.TASK,
                    values=values,
                    created_at=timezone.now(),
                )
            )
    TextLabels.objects.bulk_create(new)
    some, quick = _timed(), _weights()
    CrowdMean.objects.update(changes=1 + CrowdMean.objects.order_by("-changes")[0].changes)
    whole = _timed()
    apart = sorted(abs(weight - quick.get(key, 1.0)) for key, weight in _weights().items())
    return {
        "some": some,
        "whole": whole,
        "apart_most": round(apart[-1], 4),
        "apart_p90": round(apart[len(apart) * 9 // 10], 4),
    }


def _weights() -> dict[tuple, float]:
    rows = Reliability.objects.values_list("user", "group", "lang", "weight")
    return {(user, group, lang): weight for user, group, lang, weight in rows}
