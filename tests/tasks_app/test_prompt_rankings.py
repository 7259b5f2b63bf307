"""Ranking prompts that wait in the lottery."""

import random
from datetime import UTC, datetime

import pytest

from oasst.accounts.models import User
from tasks_app import blockers, checks, interactions, lottery, prompt_rankings, selection
from tasks_app.config import TreeConfig, overridden
from tasks_app.enums import TaskType, TreeState
from tasks_app.errors import AlreadySubmitted, InvalidRanking, NoTaskAvailable
from tasks_app.models import Message, Ranking, Task
from tests import factories
from tests.factories import grow

pytestmark = pytest.mark.django_db

KIND = TaskType.RANK_INITIAL_PROMPTS
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def waiting_prompts(count: int, author: User | None = None) -> list[Message]:
    """Accepted prompts in the lottery."""
    grown = [grow("P", state=TreeState.PROMPT_LOTTERY_WAITING)[0] for _ in range(count)]
    Message.objects.filter(pk__in=[prompt.pk for prompt in grown]).update(user=author)
    return grown


def hand_out(user: User) -> Task:
    rng = random.Random(user.email)
    return selection.next_task(user, KIND, langs=["en"], now=NOW, rng=rng)


def test_a_ranking_shows_waiting_prompts_of_others(alice: User, bob: User) -> None:
    waiting_prompts(1, alice)
    others = waiting_prompts(3, bob)
    grow("P", state=TreeState.GROWING)

    task = hand_out(alice)

    assert sorted(task.shown_ids) == sorted(str(prompt.pk) for prompt in others)
    assert task.tree is None
    assert not task.holds_slot


def test_at_most_five_prompts_are_shown_at_once(alice: User) -> None:
    waiting_prompts(9)

    assert len(hand_out(alice).shown_ids) == prompt_rankings.MOST


def test_one_prompt_alone_is_not_ranked(alice: User) -> None:
    waiting_prompts(1)

    with pytest.raises(NoTaskAvailable):
        hand_out(alice)
    assert KIND not in selection.available_tasks(alice, ["en"], now=NOW)


def test_nobody_ranks_the_same_prompts_twice(alice: User) -> None:
    waiting_prompts(3)
    task = hand_out(alice)
    interactions.submit_ranking(task.pk, alice, [task.shown_ids], now=NOW)

    with pytest.raises(NoTaskAvailable):
        hand_out(alice)


def test_skipped_prompts_do_not_come_again(alice: User) -> None:
    waiting_prompts(3)
    interactions.skip(hand_out(alice).pk, alice, now=NOW)

    with pytest.raises(NoTaskAvailable):
        hand_out(alice)


def test_prompts_with_enough_rankings_are_left_alone(alice: User) -> None:
    waiting_prompts(2)
    for user in factories.crowd(3):
        task = hand_out(user)
        interactions.submit_ranking(task.pk, user, [task.shown_ids], now=NOW)

    with pytest.raises(NoTaskAvailable):
        hand_out(alice)


def test_submitting_an_order_of_prompts_twice_has_one_effect(alice: User) -> None:
    waiting_prompts(2)
    task = hand_out(alice)
    order = [[pk] for pk in task.shown_ids]

    first = interactions.submit_ranking(task.pk, alice, order, now=NOW)
    second = interactions.submit_ranking(task.pk, alice, order, now=NOW)

    assert first == second
    assert Ranking.objects.filter(parent=None).count() == 1
    with pytest.raises(AlreadySubmitted):
        interactions.submit_ranking(task.pk, alice, order[::-1], now=NOW)
    assert list(checks.broken_invariants()) == []


def test_an_order_of_other_prompts_is_refused(alice: User) -> None:
    waiting_prompts(2)
    stranger = grow("P")[0]
    task = hand_out(alice)

    with pytest.raises(InvalidRanking):
        interactions.submit_ranking(task.pk, alice, [[stranger.pk], [task.shown_ids[0]]], now=NOW)
    assert not Ranking.objects.exists()


@pytest.mark.parametrize("seed", range(5))
def test_the_lottery_takes_the_prompt_of_an_author_that_people_prefer(
    alice: User, bob: User, seed: int
) -> None:
    prompts = waiting_prompts(4, bob)
    task = hand_out(alice)
    best = str(prompts[2].pk)
    rest = [pk for pk in task.shown_ids if pk != best]
    interactions.submit_ranking(task.pk, alice, [[best], rest], now=NOW)

    with overridden(max_active_trees=1):
        drawn = lottery.run_lottery("en", now=NOW, rng=random.Random(seed))

    assert drawn == [prompts[2].pk]


def test_prompts_nobody_ranked_stand_between_good_and_bad_ones() -> None:
    assert prompt_rankings.relative_places([["a"], ["b", "c"]]) == {"a": 0.0, "b": 0.75, "c": 0.75}


def test_switched_off_it_is_not_handed_out_and_says_so(alice: User) -> None:
    waiting_prompts(3)

    with overridden(rank_initial_prompts=False):
        with pytest.raises(NoTaskAvailable):
            hand_out(alice)
        reasons = [str(blocker.text) for blocker in blockers.explain(alice, KIND, ["en"], now=NOW)]

    assert "switched off" in " ".join(reasons)
    assert not TreeConfig(rank_initial_prompts=False).rank_initial_prompts
