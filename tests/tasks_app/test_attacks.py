"""Coordinated accounts against what aggregates votes: they move next to nothing."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import pytest
from django.db import connection
from django.db.models import Avg

from oasst.accounts.models import User
from tasks_app import dawid_skene, holding, scoring, skill_fits
from tasks_app.config import TreeConfig
from tasks_app.enums import Role, TreeState
from tasks_app.favourites import favourites, in_concert
from tasks_app.models import Message, MessageTree, Ranking, Reliability
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.slow

SIDES = "abcdef"  # by strength
GAP, TASTE = 0.5, 2.5  # so near to each other, and so different are people
HONEST, ATTACKERS, EACH, TOGETHER = 80, 20, 25, 5
Cast = list[tuple[str, list[list[str]]]]
Votes = list[tuple[User, list[int]]]  # whose, the numbers of the sides, best first


def votes(seed: int, *, target: str, attackers: int = ATTACKERS) -> Cast:
    """Everybody's rankings of all sides; attackers put the target first and else are honest."""
    rng = Random(seed)
    cast: Cast = []
    for number in range((HONEST + attackers) * EACH):
        who = number % (HONEST + attackers)
        liked = {s: rng.gauss(-GAP * place, TASTE) for place, s in enumerate(SIDES)}
        if who >= HONEST:
            liked[target] = 100.0
        order = [[side] for side in sorted(SIDES, key=lambda side: -liked[side])]
        cast.append((f"honest {who}" if who < HONEST else f"attacker {who}", order))
    rng.shuffle(cast)
    return cast


@dataclass(frozen=True)
class World:
    """Six authors reply to the same prompts, and people rank the replies over five days."""

    honest: int
    attackers: int
    each: int  # rankings by everybody
    seed: int = 0
    days: int = 5

    def place_of(self, target: str, *, weighted: bool = True) -> int:
        """Where the ranks of all replies together put an author in the end, 0 being best."""
        config = TreeConfig(reliability_weights=weighted)
        people = [
            *factories.crowd(self.honest, prefix="Honest"),
            *factories.crowd(self.attackers, prefix="Attacker"),
        ]
        authors = factories.crowd(len(SIDES), prefix="Author")
        votes = self._votes(people, target)
        size = -(-len(votes) // (self.days * TOGETHER)) * TOGETHER
        for day, first in enumerate(range(0, len(votes), size)):
            now = NOW + timedelta(days=day)
            for parent in ranked(votes[first : first + size], authors, now):
                scoring.update_parent(parent, config=config, now=now)
            with connection.cursor() as cursor:
                cursor.execute(
                    "ANALYZE tasks_app_message, tasks_app_ranking"
                )  # as autovacuum would, but not within a transaction
            skill_fits.refit(now=now)
        ranks = Message.objects.exclude(rank=None).values_list("user").annotate(mean=Avg("rank"))
        means = dict(ranks.order_by())
        assert len(means) == len(SIDES)
        return sorted(authors, key=lambda each: means[each.pk]).index(authors[SIDES.index(target)])

    def _votes(self, people: list[User], target: str) -> Votes:
        """Everybody's rankings; attackers put the target first and else are honest."""
        rng = Random(self.seed)
        turns = [n for _ in range(self.each) for n in rng.sample(range(len(people)), len(people))]
        return [(people[n], order_by(rng, target if n >= self.honest else None)) for n in turns]


def order_by(rng: Random, target: str | None) -> list[int]:
    """The places of the sides in somebody's eyes, best first."""
    liked = {s: rng.gauss(-GAP * place, TASTE) for place, s in enumerate(SIDES)}
    if target:
        liked[target] = 100.0
    return [SIDES.index(side) for side in sorted(SIDES, key=lambda side: -liked[side])]


def ranked(votes: Votes, authors: list[User], now: datetime) -> list[Message]:
    """Prompts with a reply by each author, which `TOGETHER` people in turn have ranked."""
    prompts, replies, rankings = [], [], []
    for first in range(0, len(votes), TOGETHER):
        prompt = written(Role.PROMPTER, f"Prompt {first} of {now}")
        below = [written(Role.ASSISTANT, f"{prompt.text} {n}") for n in range(len(authors))]
        for reply, author in zip(below, authors, strict=True):
            reply.parent, reply.tree, reply.user, reply.depth = prompt, prompt.tree, author, 1
        prompts.append(prompt)
        replies += below
        for user, order in votes[first : first + TOGETHER]:
            groups = [[str(below[side].pk)] for side in order]
            rankings.append(Ranking(parent=prompt, user=user, groups=groups, created_at=now))
    MessageTree.objects.bulk_create(prompt.tree for prompt in prompts)
    Message.objects.bulk_create(prompts + replies)
    Ranking.objects.bulk_create(rankings)
    return prompts


def written(role: Role, text: str) -> Message:
    """An accepted message, the root of a finished tree; its id follows from the text."""
    pk, config = uuid.uuid5(uuid.NAMESPACE_URL, text), TreeConfig()
    limits = {
        "goal_tree_size": config.goal_tree_size,
        "max_depth": config.max_tree_depth,
        "max_children_count": config.max_children_count,
        "num_prompter_replies": config.num_prompter_replies,
    }
    state = TreeState.READY_FOR_EXPORT
    times = {"state_since": NOW, "created_at": NOW}
    tree = MessageTree(pk=pk, lang="en", state=state, active=False, **times, **limits)
    counts = {"review_count": 3, "review_result": True, "ranking_count": TOGETHER}
    return Message(
        pk=pk, tree=tree, role=role, text=text, lang="en", depth=0, created_at=NOW, **counts
    )


SMALL = World(honest=16, attackers=4, each=20, days=8)
LARGE = World(honest=80, attackers=20, each=25)


@pytest.mark.django_db
@pytest.mark.parametrize("world", [SMALL, pytest.param(LARGE, marks=pytest.mark.full)])
def test_coordinated_votes_move_an_author_by_one_place_at_most(world: World) -> None:
    """The last of all, with a fifth of all votes: in the large world 500 of 20 accounts."""
    assert abs(world.place_of("f") - SIDES.index("f")) <= 1

    concert = Reliability.objects.filter(in_concert=True).select_related("user")
    names = {row.user.display_name for row in concert}
    assert names == {f"Attacker {n}" for n in range(world.attackers)}
    assert all(row.doubtful and row.weight == 0 for row in concert)


@pytest.mark.django_db
def test_accomplices_of_people_who_are_held_back_stay_found_out(mona: User) -> None:
    SMALL.place_of("f")
    attackers = factories.crowd(SMALL.attackers, prefix="Attacker")

    for attacker in attackers[1:]:
        holding.hold_user(attacker.pk, actor=mona, reason="Votes for a friend.", now=NOW)
    skill_fits.refit(now=NOW)

    assert Reliability.objects.get(user=attackers[0]).in_concert


@pytest.mark.full
@pytest.mark.django_db
def test_the_same_votes_move_an_author_by_more_where_everybody_counts_the_same() -> None:
    assert SIDES.index("f") - SMALL.place_of("f", weighted=False) > 1


def test_all_attackers_and_hardly_an_honest_account_are_named() -> None:
    named = [favourites(votes(seed, target="e")) for seed in range(3)]

    attackers = [who for found in named for who in found if who.startswith("attacker")]
    honest = [who for found in named for who in found if who.startswith("honest")]
    assert len(attackers) == 3 * ATTACKERS
    assert len(honest) <= 0.01 * 3 * HONEST
    assert all("e" in found[who] for found in named for who in found if who.startswith("attacker"))


def test_few_rankings_are_taste() -> None:
    cast = votes(1, target="e")[:300]

    assert favourites(cast) == {}


def test_favourite_of_one_alone_is_taste_too() -> None:
    cast = votes(1, target="e", attackers=1)

    assert set(favourites(cast)) == {f"attacker {HONEST}"}
    assert in_concert(cast) == set()


def test_accounts_that_wave_junk_through_do_not_decide_on_it() -> None:
    """Twenty accounts accept their own junk, 25 times each; known items tell who looks."""
    rng = Random(1)
    people = [(f"honest {n}", 0.92) for n in range(HONEST)]
    junk = [(f"attacker {n}", item, True) for n in range(ATTACKERS) for item in range(EACH)]
    gold = {f"gold {n}": n % 2 == 0 for n in range(8)}
    cast = [(who, item, rng.random() < 0.08) for who, _ in people[:40] for item in range(EACH)]
    cast += [
        (who, key, truth == (rng.random() < p)) for who, p in people for key, truth in gold.items()
    ]
    cast += [(f"attacker {n}", key, True) for n in range(ATTACKERS) for key in gold]

    found = dawid_skene.fit(junk + cast, gold=gold)

    assert all(found.truths[item] < 0.05 for item in range(EACH))
    doubtful = {who for who, s in found.skills.items() if dawid_skene.is_doubtful(s, found.mean)}
    assert not any(who.startswith("honest") for who in doubtful)
    assert doubtful == {f"attacker {n}" for n in range(ATTACKERS)}
