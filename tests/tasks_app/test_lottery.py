"""Which waiting trees become active: how many, whose, and from the backlog."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from oasst.accounts.models import User
from tasks_app import lottery, moderation
from tasks_app.config import TreeConfig, overridden
from tasks_app.enums import TreeState
from tasks_app.models import MessageTree, Offer
from tests import factories
from tests.factories import NOW, grow

pytestmark = pytest.mark.django_db

S = TreeState


def run(lang: str = "en", seed: int = 1) -> list:
    return lottery.run_lottery(lang, now=NOW, rng=random.Random(seed))


def states() -> Counter:
    return Counter(MessageTree.objects.values_list("state", flat=True))


# The lottery


def test_t4_the_lottery_lets_a_prompt_grow() -> None:
    grown = grow("P", state=S.PROMPT_LOTTERY_WAITING)

    assert run() == [grown.tree.pk]

    assert (grown.refresh().tree.state, grown.tree.won_prompt_lottery_at) == (S.GROWING, NOW)
    assert Offer.objects.get().kind == "assistant_reply"


def test_lottery_fills_up_to_the_limit_of_the_language() -> None:
    grow("P")
    grow("P", lang="de")
    for _ in range(4):
        grow("P", state=S.PROMPT_LOTTERY_WAITING)

    with overridden(max_active_trees=3):
        assert len(run()) == 2
        assert run() == []

    assert states() == {S.GROWING: 4, S.PROMPT_LOTTERY_WAITING: 2}


def test_an_author_whose_last_prompt_is_halted_during_the_draw_is_passed_over(mona: User) -> None:
    gone = grow("P", state=S.PROMPT_LOTTERY_WAITING, author=factories.alice())
    seen = []

    def halt_after_authors(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if 'SELECT DISTINCT "tasks_app_message"."user_id"' in sql and not seen:
            seen.append(sql)
            moderation.halt_tree(gone.tree.pk, actor=mona, reason="why", now=NOW)
        return result

    with connection.execute_wrapper(halt_after_authors):
        assert run() == []

    assert len(seen) == 1
    assert states() == {S.HALTED_BY_MODERATOR: 1}


def test_lottery_without_prompts_draws_nothing() -> None:
    grow("P", state=S.PROMPT_LOTTERY_WAITING, lang="de")

    assert run("en") == []


@pytest.mark.parametrize("fields", [{"is_active": False}, {"is_active": False, "deleted_at": NOW}])
def test_lottery_leaves_out_people_who_are_banned_or_gone(fields: dict[str, Any]) -> None:
    grow("P", state=S.PROMPT_LOTTERY_WAITING, author=factories.person("Gone", **fields))
    kept = grow("P", state=S.PROMPT_LOTTERY_WAITING, author=factories.alice())

    assert run() == [kept.tree.pk]


def test_lottery_leaves_out_deleted_prompts() -> None:
    grow("Px", state=S.PROMPT_LOTTERY_WAITING)

    assert run() == []


@pytest.mark.slow
def test_lottery_draws_authors_by_their_first_places() -> None:
    """Three first places make four tickets, none makes one, however many prompts wait."""
    alice, bob = factories.alice(), factories.bob()
    for _ in range(3):
        won = grow("P(A)", state=S.READY_FOR_EXPORT, authors={1: alice})
        won.messages[1].rank = 0
        won.messages[1].save()
    of_alice = grow("P", state=S.PROMPT_LOTTERY_WAITING, author=alice)
    for _ in range(5):
        grow("P", state=S.PROMPT_LOTTERY_WAITING, author=bob)

    rng = random.Random(3)
    drawn = Counter(lottery._draw("en", NOW, rng).pk == of_alice.tree.pk for _ in range(200))

    assert 140 <= drawn[True] <= 180


@pytest.mark.slow
def test_lottery_forgets_first_places_after_a_month() -> None:
    alice = factories.alice()
    old = NOW - timedelta(days=31)
    won = grow("P(A)", state=S.READY_FOR_EXPORT, authors={1: alice}, now=old)
    won.messages[1].rank = 0
    won.messages[1].save()
    of_alice = grow("P", state=S.PROMPT_LOTTERY_WAITING, author=alice)
    grow("P", state=S.PROMPT_LOTTERY_WAITING, author=factories.bob())

    rng = random.Random(4)
    drawn = Counter(lottery._draw("en", NOW, rng).pk == of_alice.tree.pk for _ in range(200))

    assert 75 <= drawn[True] <= 125


# How many prompts are wanted


@pytest.mark.parametrize(
    ("growing", "reviewing", "waiting", "wanted"),
    [
        (0, 0, 0, 4),  # (2 - 0) + (3 - 0), but only 4 may wait
        (1, 0, 0, 4),
        (2, 0, 0, 3),
        (2, 3, 0, 0),
        (3, 2, 0, 1),  # more growing than wanted takes nothing away
        (0, 0, 3, 1),
        (0, 0, 5, 0),
    ],
)
def test_prompts_wanted(growing: int, reviewing: int, waiting: int, wanted: int) -> None:
    config = TreeConfig(
        max_active_trees=2, max_initial_prompt_review=3, max_prompt_lottery_waiting=4
    )
    for _ in range(growing):
        grow("P")
    for _ in range(reviewing):
        grow("P?", state=S.INITIAL_PROMPT_REVIEW)
    for _ in range(waiting):
        grow("P", state=S.PROMPT_LOTTERY_WAITING)
    grow("P", lang="de")

    assert lottery.prompts_wanted(["en", "de"], config)["en"] == wanted


def test_no_prompts_are_wanted_in_a_disabled_language() -> None:
    config = TreeConfig(init_prompt_disabled_langs=("de",))

    wanted = lottery.prompts_wanted(["en", "de"], config)
    assert wanted["de"] == 0
    assert wanted["en"] > 0


# The backlog


def activate(seed: int = 1) -> Any:
    return lottery.activate_backlog("en", now=NOW, rng=random.Random(seed))


def test_t16_backlog_has_a_tree_ranked() -> None:
    grown = grow("P(A A)", state=S.BACKLOG_RANKING)

    assert activate() == grown.tree.pk

    assert grown.refresh().tree.state == S.RANKING
    assert Offer.objects.get().kind == "rank_assistant_replies"


def test_t17_backlog_sets_trees_with_nothing_to_rank_aside() -> None:
    idle = [grow("P(A A-)", state=S.BACKLOG_RANKING) for _ in range(2)]
    useful = grow("P(A A)", state=S.BACKLOG_RANKING)

    assert activate() == useful.tree.pk
    assert activate() is None

    assert {grown.refresh().tree.state for grown in idle} == {S.ABORTED_LOW_GRADE}


def test_backlog_of_other_languages_stays() -> None:
    grow("P(A A)", state=S.BACKLOG_RANKING, lang="de")

    assert activate() is None
    assert states() == {S.BACKLOG_RANKING: 1}


@pytest.mark.slow
def test_trees_that_end_activate_the_backlog_at_their_chance() -> None:
    for _ in range(200):
        grow("P(A A)", state=S.BACKLOG_RANKING)

    with overridden(p_activate_backlog_tree=0.1):
        lottery.settle("en", now=NOW, rng=random.Random(1), ended=200)

    assert 8 <= states()[S.RANKING] <= 35


def test_no_tree_that_ended_activates_nothing() -> None:
    grow("P(A A)", state=S.BACKLOG_RANKING)

    with overridden(p_activate_backlog_tree=1.0):
        lottery.settle("en", now=NOW, rng=random.Random(1), ended=0)

    assert states() == {S.BACKLOG_RANKING: 1}


def test_backlog_tops_open_rankings_up() -> None:
    grow("P(A A)", state=S.RANKING)
    for _ in range(5):
        grow("P(A A)", state=S.BACKLOG_RANKING)

    with overridden(min_active_rankings_per_lang=3):
        lottery.settle("en", now=NOW, rng=random.Random(1))

    assert states() == {S.RANKING: 3, S.BACKLOG_RANKING: 3}


def test_backlog_that_runs_out_ends_the_topping_up() -> None:
    grow("P(A A)", state=S.BACKLOG_RANKING)
    grow("P(A)", state=S.BACKLOG_RANKING)

    with overridden(min_active_rankings_per_lang=9):
        lottery.settle("en", now=NOW, rng=random.Random(1))

    assert states() == {S.RANKING: 1, S.ABORTED_LOW_GRADE: 1}


def test_settle_runs_the_lottery() -> None:
    grow("P", state=S.PROMPT_LOTTERY_WAITING)

    lottery.settle("en", now=NOW, rng=random.Random(1))

    assert states() == {S.GROWING: 1}
