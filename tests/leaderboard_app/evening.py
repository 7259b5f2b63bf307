"""An evening on which honest people and farmers do whatever they are handed."""

import random
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from statistics import median
from typing import Any
from uuid import UUID

from leaderboard_app import ledger
from leaderboard_app.models import PointEntry
from oasst.accounts.models import User
from oasst.lib import queue
from tasks_app import interactions, labels, lottery, selection, skill_fits
from tasks_app.config import overridden
from tasks_app.enums import RANDOM, TaskType
from tasks_app.errors import NoTaskAvailable
from tasks_app.models import Task
from tasks_app.simulation import opinions
from tests.factories import NOW, crowd
from tests.tasks_app.test_crowd_machine import SMALL

REVIEWS = tuple(kind for kind in TaskType if kind.is_labeling)
RANKINGS = tuple(kind for kind in TaskType if not (kind.is_labeling or kind.is_writing))


class Kind(StrEnum):
    """What somebody is after. All but HONEST and HASTY take forty seconds for a task."""

    HONEST = "honest"
    JUNK = "junk"  # writes junk, reviews and ranks at random
    HASTY = "hasty"  # the same, in a second
    APPROVING = "approving"  # writes junk, and calls everything good
    REVIEWER = "reviewer"  # only reviews, and calls everything good
    RANKER = "ranker"  # only ranks, at random
    SLOW = "slow"  # like APPROVING, a third as often
    MIXED = "mixed"  # like HONEST and like APPROVING by turns

    @property
    def honest_share(self) -> float:
        """The part of this person's work that is honest."""
        return {Kind.HONEST: 1.0, Kind.MIXED: 0.5}.get(self, 0.0)


FARMERS = tuple(kind for kind in Kind if kind != Kind.HONEST)


class Evening:
    """`honest` people and one farmer of each of `kinds`, who take turns."""

    def __init__(self, kinds: tuple[Kind, ...] = FARMERS, *, honest: int, seed: int = 5) -> None:
        self.rng = random.Random(seed)
        self.now: datetime = NOW
        people = crowd(honest, prefix="Honest") + crowd(len(kinds), prefix="Farmer")
        self.kinds = dict(zip(people, [Kind.HONEST] * honest + list(kinds), strict=True))
        self.junk: set[Any] = set()
        self.done: defaultdict[User, int] = defaultdict(int)

    def play(self, rounds: int) -> None:
        """Everybody gets so many turns; the ledger is up to date at the end."""
        with queue.silent(), overridden(**(SMALL | {"num_reviews_reply": 3})):
            for turn in range(rounds):
                skill_fits.refit(now=self.now)
                ledger.catch_up(now=self.now)
                for number, (user, kind) in enumerate(self.kinds.items()):
                    self.now += timedelta(minutes=1)
                    if (turn + number) % 3 == 0:
                        lottery.settle("en", now=self.now, rng=self.rng)
                    if kind != Kind.SLOW or turn % 3 == 0:
                        self.take_turn(user, kind, turn)
        ledger.catch_up(now=self.now)

    def take_turn(self, user: User, kind: Kind, turn: int) -> None:
        task = self.take(user, kind, turn)
        if task:
            self.now += timedelta(seconds=1 if kind == Kind.HASTY else 40)
            self.done[user] += 1
            if kind == Kind.MIXED:
                kind = Kind.HONEST if self.done[user] % 2 else Kind.APPROVING
            self.do(user, task, kind)

    def take(self, user: User, kind: Kind, turn: int) -> Task | None:
        wanted = ("initial_prompt" if turn % 9 == 0 else RANDOM,)
        wanted = {Kind.REVIEWER: REVIEWS, Kind.RANKER: RANKINGS}.get(kind, wanted)
        for each in self.rng.sample(wanted, len(wanted)):
            try:
                return selection.next_task(user, each, now=self.now, rng=self.rng)
            except NoTaskAvailable:
                continue
        return None

    def do(self, user: User, task: Task, kind: Kind) -> None:
        is_honest = kind == Kind.HONEST
        if task.type.is_writing:
            text = f"A long and good text {self.rng.random()}" if is_honest else f"k{task.pk}"
            message = interactions.submit_reply(task.pk, user, text, now=self.now)
            self.junk |= set() if is_honest else {message.pk}
        elif task.type.is_labeling:
            values = self.opinion(task, kind)
            interactions.submit_labels(task.pk, user, values, now=self.now)
        else:
            shown = [UUID(pk) for pk in task.shown_ids]
            order = sorted(shown, key=lambda pk: (pk in self.junk, pk)) if is_honest else shown
            groups = [[str(pk)] for pk in order]
            interactions.submit_ranking(task.pk, user, groups, now=self.now)

    def opinion(self, task: Task, kind: Kind) -> dict[str, float]:
        form = labels.form_for(task.kind, task.form_mode)
        if kind in {Kind.JUNK, Kind.HASTY}:
            return opinions.at_random(form.valid, form.mandatory, self.rng)
        if kind == Kind.HONEST and task.message_id in self.junk:
            return opinions.object_to(form.valid, self.rng)
        return opinions.approve(form.valid, self.rng)

    @property
    def honest(self) -> list[User]:
        return [user for user, kind in self.kinds.items() if kind == Kind.HONEST]

    def score(self, user: User) -> Decimal:
        return PointEntry.objects.filter(user=user).score()

    def typical(self) -> Decimal:
        """The median of the honest people's confirmed points."""
        return median(self.score(user) for user in self.honest)

    def farmed(self) -> dict[Kind, float]:
        """What each farmer has beyond the points of the honest part, as a share of `typical()`."""
        typical = float(self.typical())
        return {
            kind: float(self.score(user)) / typical - kind.honest_share
            for user, kind in self.kinds.items()
            if kind != Kind.HONEST
        }
