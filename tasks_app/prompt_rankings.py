"""Ranking initial prompts: some that wait in the lottery, put in order.

They have no parent and get no rank. What people prefer decides which of an author's prompts the
lottery takes; the chance of the author does not depend on it.
"""

import random
import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from tasks_app.config import TreeConfig
from tasks_app.enums import TaskType
from tasks_app.models import Message, Ranking, Task

if TYPE_CHECKING:
    from oasst.accounts.models import User

FEWEST, MOST = 2, 5  # prompts in one task
# Standing of a prompt that nobody has ranked: neither best (0) nor worst (1).
UNKNOWN = 0.5


def draw(
    user: "User", langs: Collection[str], *, config: TreeConfig, rng: random.Random
) -> tuple[str, list[str]] | None:
    """A language and the ids of prompts in it that `user` may rank, in random order."""
    found = open_to(user, langs, config=config)
    if not found:
        return None
    lang = rng.choice(list(found))
    return lang, rng.sample(found[lang], min(MOST, len(found[lang])))


def open_to(user: "User", langs: Collection[str], *, config: TreeConfig) -> dict[str, list[str]]:
    """Waiting prompts by others that need rankings and that `user` was not shown before.

    By language, those languages only in which there are enough for a task. At most two queries.
    """
    if not config.rank_initial_prompts:
        return {}
    waiting = Message.objects.waiting_prompts(langs).exclude(user=user).order_by("pk")
    unranked = waiting.filter(ranking_count__lt=config.num_required_rankings)
    rows = list(unranked.values_list("tree__lang", "pk"))
    if len(rows) < FEWEST:
        return {}
    tasks = Task.objects.filter(user=user, kind=TaskType.RANK_INITIAL_PROMPTS)
    seen = {pk for shown in tasks.values_list("shown_ids", flat=True) for pk in shown}
    found: dict[str, list[str]] = defaultdict(list)
    for lang, pk in rows:
        if str(pk) not in seen:
            found[lang].append(str(pk))
    return {lang: ids for lang, ids in found.items() if len(ids) >= FEWEST}


def favourites(prompts: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Those of `prompts` that people placed best on average; all of them if nobody ranked any."""
    places: dict[str, list[float]] = defaultdict(list)
    ids = [str(pk) for pk in prompts]
    usable = Ranking.objects.counted().filter(parent=None, not_rankable=False)
    for ranking in usable.filter(task__shown_ids__has_any_keys=ids):
        for pk, place in relative_places(ranking.groups).items():
            places[pk].append(place)
    standing = {pk: fmean(places.get(str(pk)) or [UNKNOWN]) for pk in prompts}
    best = min(standing.values(), default=UNKNOWN)
    return [pk for pk in prompts if standing[pk] == best]


def relative_places(groups: Sequence[Collection[str]]) -> dict[str, float]:
    """The place of each id from 0 (best) to 1 (worst); ties share the middle of their places."""
    last = sum(len(group) for group in groups) - 1
    places: dict[str, float] = {}
    for group in groups:
        middle = len(places) + (len(group) - 1) / 2
        places.update(dict.fromkeys(group, middle / last if last else UNKNOWN))
    return places


def lock(prompts: Sequence[str]) -> None:
    """Lock prompts of several trees in one order, so that no two rankings wait for each other."""
    rows = Message.objects.filter(pk__in=prompts).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
