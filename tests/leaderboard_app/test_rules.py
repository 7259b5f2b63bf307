"""What contributions are worth, and when: numbers worked out by hand."""

from decimal import Decimal

import pytest

from leaderboard_app import badges, levels, rules, streaks
from leaderboard_app.enums import EntryState, Reason, Why
from leaderboard_app.rules import MessageFacts
from tasks_app.enums import Role, TreeState
from tests.leaderboard_app.given import days, numbers


def fact(**changed: object) -> MessageFacts:
    facts = {
        "is_root": False,
        "role": Role.ASSISTANT,
        "deleted": False,
        "review_result": True,
        "rank": None,
        "tree_state": TreeState.GROWING,
    }
    return MessageFacts(**(facts | changed))  # type: ignore[arg-type]


def told(reason: Reason, message: MessageFacts) -> dict[Reason, tuple[str, str]]:
    standings = rules.of_text(reason, message, held=False, waits=False)
    return {key: (standing.state.value, standing.why.value) for key, standing in standings.items()}


def test_reply_is_pending_until_it_is_accepted_and_then_counts_twice() -> None:
    reply, accepted = Reason.ASSISTANT_REPLY, Reason.ASSISTANT_REPLY_ACCEPTED

    assert told(reply, fact(review_result=None)) == {reply: ("pending", Why.WAITS_FOR_REVIEWS)}
    assert told(reply, fact()) == {
        reply: ("confirmed", Why.ACCEPTED),
        accepted: ("confirmed", Why.ACCEPTED),
    }
    assert rules.POINTS[reply] + rules.POINTS[accepted] == 8


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"review_result": False}, Why.REJECTED),
        ({"deleted": True}, Why.REMOVED),
        ({"is_root": True, "tree_state": TreeState.HALTED_BY_MODERATOR}, Why.HALTED),
    ],
)
def test_text_that_went_counts_nothing(changed: dict[str, object], why: Why) -> None:
    assert told(Reason.PROMPT, fact(rank=0, **changed)) == {Reason.PROMPT: ("reversed", why)}


def test_halted_conversation_takes_nothing_from_those_who_replied() -> None:
    halted = fact(tree_state=TreeState.HALTED_BY_MODERATOR)

    assert told(Reason.PROMPTER_REPLY, halted)[Reason.PROMPTER_REPLY][0] == EntryState.CONFIRMED


def test_all_that_is_good_waits_together_and_what_is_not_good_is_told_at_once() -> None:
    reply = Reason.ASSISTANT_REPLY
    found = rules.of_text(reply, fact(rank=0), held=False, waits=True)
    rejected = rules.of_text(reply, fact(review_result=False), held=False, waits=True)
    review = rules.of_review(0.9, held=False, waits=True)

    assert set(found) == {reply, Reason.ASSISTANT_REPLY_ACCEPTED, Reason.FIRST}
    assert {standing.why for standing in [*found.values(), review]} == {Why.WAITS_FOR_MORE}
    assert rejected[reply].why == Why.REJECTED
    assert rules.of_review(0.3, held=False, waits=True).why == Why.FAR_OFF
    assert rules.of_review(0.9, held=True, waits=True).why == Why.HELD


@pytest.mark.parametrize(("rank", "points"), [(0, 9), (1, 3), (2, 1), (3, 0)])
def test_only_the_first_three_places_of_the_consensus_count(rank: int, points: int) -> None:
    standings = rules.of_text(Reason.ASSISTANT_REPLY, fact(rank=rank), held=False, waits=False)

    assert sum(rules.POINTS[reason] for reason in standings) == 8 + points


def test_review_is_compared_with_the_nearer_half_of_the_others() -> None:
    near, nearer = {"spam": 0.0, "quality": 1.0}, {"spam": 0.0, "quality": 0.5, "humor": 1.0}
    others = [near, nearer]

    assert rules.review_closeness({"spam": 0.0, "quality": 0.5}, [near]) == 0.75
    assert rules.review_closeness({"spam": 0.0, "quality": 0.5}, others) == 1.0
    assert rules.review_closeness({"spam": 1.0, "quality": 0.5}, others) == 0.5
    assert rules.review_closeness({"creativity": 1.0}, others) is None


def test_ranking_is_compared_pair_by_pair() -> None:
    others = [[["a"], ["b"], ["c"]], [["a"], ["c"], ["b"]]]

    assert rules.ranking_closeness([["a"], ["b"], ["c"]], others) == pytest.approx(2.5 / 3)
    assert rules.ranking_closeness([["b", "c"], ["a"]], others) == pytest.approx(0.5 / 3)
    assert rules.ranking_closeness([], others) == 0.0
    assert rules.ranking_closeness([["a"], ["b"]], [[], [], [["a"], ["b"]]]) == 0.0
    assert rules.ranking_closeness([["a"], ["b"]], []) is None


def test_levels_are_those_of_the_original() -> None:
    scores = [None, 0, 4, 9, 100, 1000, 6000, 9999]

    found = [levels.level(None if s is None else Decimal(s)).number for s in scores]

    assert found == [0, 1, 2, 3, 11, 39, 100, 100]
    assert levels.THRESHOLDS[:12] == [0, 4, 9, 16, 24, 32, 42, 53, 65, 79, 93, 109]
    assert levels.level(Decimal("6.5")).progress(Decimal("6.5")) == 50


def test_streak_lives_through_a_day_that_is_not_over() -> None:
    run = streaks.of(days(1, 2, 3, 7, 8))

    assert (run.since, run.last_day, run.longest) == (*days(7, 8), 3)
    assert streaks.length(run.since, run.last_day, days(9)[0]) == 2
    assert streaks.length(run.since, run.last_day, days(10)[0]) == 0


def test_badges_are_for_quality_only_when_there_is_enough_to_tell() -> None:
    few = badges.earned(numbers(texts=4, accepted=4, votes=9, closeness=1.0))
    many = badges.earned(numbers(texts=10, accepted=9, votes=10, closeness=0.9, firsts=1))

    assert [badge.kind.code for badge in few] == ["writer"]
    assert [(badge.kind.code, badge.grade) for badge in many] == [
        ("welcome", 2), ("judge", 2), ("first", 1), ("writer", 1),
    ]  # fmt: skip
