"""How fast votes are counted in the sums of agreement, and how fast the pages about them come."""

import random
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.test import Client

from oasst.lib import database
from tasks_app import agreement_report, agreement_sums
from tasks_app.agreement_tables import AgreementCell, AgreementDissent, AgreementMark
from tasks_app.agreement_units import ASKED, RANKINGS
from tasks_app.checks import agreement as check
from tasks_app.forms.agreement import NUMBERS
from tasks_app.models import Ranking, TextLabels
from tests import factories
from tests.benchmarks import collection, sql
from tests.benchmarks.timing import answers, percentile_ms
from tests.sessions import signed_in

LABELS_PER_MESSAGE = 2.98
REQUESTS = 300
RECENT_LABELS = 20_000
SINGLE_UPDATES = 1000
SPANS = ("", "", "4", "13", "all")
KINDS = ("", "", "initial_prompt", "prompter_reply", "assistant_reply")


def measure(labels: int, *, say: Callable[..., None]) -> dict[str, Any]:
    """Build a database of about so many label sets, count them, change some, look at the pages."""
    with database.scratch("agreement"):
        collection.build(round(labels / LABELS_PER_MESSAGE))
        found: dict[str, Any] = {
            "labels": TextLabels.objects.count(),
            "rankings": Ranking.objects.count(),
            "messages": AgreementMark.objects.count(),
        }
        say("built:", found)
        found["backlog"] = _folded(found["labels"])
        say("counted:", found["backlog"])
        found["recent"] = _recent()
        say("recent ones:", found["recent"])
        found["mark_us"] = _mark_us()
        found |= {"cells": AgreementCell.objects.count()}
        found |= {"dissents": AgreementDissent.objects.count()}
        found["page"] = _timed(Client(), "/stats/agreement/", _queries())
        found["disputed"] = _timed(signed_in(factories.mona()), *_disputed())
        found["people"] = _timed(signed_in(factories.mona()), *_people())
        say("pages:", found["page"], found["disputed"], found["people"])
        started = time.perf_counter()
        found["invariants_broken"] = sum(1 for _ in check.findings())
        found["check_s"] = round(time.perf_counter() - started, 1)
    return found


def _folded(labels: int) -> dict[str, float]:
    """Count everything that is marked."""
    slices, started, worked = [], time.perf_counter(), time.process_time()
    while True:
        begun = time.perf_counter()
        if not agreement_sums.fold():
            break
        slices.append(time.perf_counter() - begun)
    seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 1),
        "own_cpu_s": round(time.process_time() - worked, 1),
        "labels_per_s": round(labels / seconds),
        "slice_p95_ms": percentile_ms(slices, 0.95),
    }


def _recent() -> dict[str, float]:
    """Change the newest reviews, as if so many had come since the last job."""
    newest = TextLabels.objects.order_by("-created_at").values("pk")[:RECENT_LABELS]
    changed = sql.run(
        """UPDATE tasks_app_textlabels SET values = jsonb_set(values, '{quality}', '0.5')
        WHERE id = ANY(%s) RETURNING 1""",
        [row["pk"] for row in newest],
    )
    return _folded(len(changed))


def _mark_us() -> dict[str, float]:
    """Microseconds of changing one review, with its mark and without."""
    ids = list(TextLabels.objects.order_by("pk").values_list("pk", flat=True)[:SINGLE_UPDATES])
    times = {}
    for name, role in (("with", "origin"), ("without", "replica")):
        sql.run(f"SET session_replication_role = {role}")
        started = time.perf_counter()
        for pk in ids:
            sql.run("UPDATE tasks_app_textlabels SET kind = kind WHERE id = %s", pk)
        times[name] = round(1e6 * (time.perf_counter() - started) / len(ids))
    sql.run("SET session_replication_role = origin")
    return times


def _queries() -> Iterable[str]:
    chance = random.Random(1)
    langs = agreement_report.langs()
    for _ in range(REQUESTS):
        lang = chance.choice(["", "", *langs])
        measure = chance.choice([*ASKED, RANKINGS])
        kind, span = chance.choice(KINDS), chance.choice(SPANS)
        yield f"?measure={measure}&lang={lang}&kind={kind}&span={span}"


def _disputed() -> tuple[str, Iterable[str]]:
    """The first pages, some from far within the list, and some of single weeks."""
    chance = random.Random(2)
    measures = list(
        AgreementDissent.objects.order_by("measure").values_list("measure", flat=True).distinct()
    )
    queries, langs = [], agreement_report.langs()
    weeks = list(AgreementCell.objects.filter(lang="", kind="").values_list("week", flat=True))
    for _ in range(REQUESTS // 4):
        query = f"?measure={chance.choice(measures)}&lang={chance.choice(['', *langs])}"
        after = f"{chance.uniform(0.4, 1):.3f}~{chance.getrandbits(128):032x}"
        week = f"&week={agreement_report.code_of(chance.choice(weeks))}"
        kind = f"&kind={chance.choice(KINDS)}"
        queries += [query, f"{query}&after={after}", query + week, query + week + kind]
    return "/stats/agreement/disputed/", queries


def _people() -> tuple[str, Iterable[str]]:
    """Who agrees with whom, of any language, kind and span, also of rankings."""
    chance = random.Random(3)
    langs, measures = ["", *agreement_report.langs()], [*ASKED, RANKINGS]
    queries = [
        f"?measure={chance.choice(measures)}&lang={chance.choice(langs)}"
        f"&kind={chance.choice(KINDS)}&span={chance.choice(SPANS)}&people={chance.choice(NUMBERS)}"
        for _ in range(REQUESTS // 3)
    ]
    return "/stats/agreement/people/", queries


def _timed(client: Client, path: str, queries: Iterable[str]) -> dict[str, float]:
    times = answers((client, path + query) for query in queries)
    return {
        "p50_ms": percentile_ms(times, 0.5),
        "p95_ms": percentile_ms(times, 0.95),
        "most_ms": percentile_ms(times, 1),
        "requests": len(times),
    }
