"""What it costs to take a task and do it: queries per cycle of hand-out and submit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from oasst.accounts.models import User
from tasks_app import interactions, turns
from tasks_app.config import overridden
from tasks_app.enums import RANDOM, TaskType, TreeState
from tasks_app.errors import NoTaskAvailable
from tasks_app.models import Task
from tests import factories
from tests.factories import GOOD, NOW, Grown, grow, hand_out

pytestmark = pytest.mark.django_db

K = TaskType


def reply(task: Task, user: User) -> Any:
    return interactions.submit_reply(task.pk, user, "A text.", now=NOW)


def label(task: Task, user: User) -> Any:
    return interactions.submit_labels(task.pk, user, GOOD, now=NOW)


def rank(task: Task, user: User) -> Any:
    return interactions.submit_ranking(task.pk, user, [[pk] for pk in task.shown_ids], now=NOW)


def whatever(task: Task, user: User) -> Any:
    """The answer that fits, for a task drawn at random."""
    return (reply if task.type.is_writing else label if task.type.is_labeling else rank)(task, user)


def queries_of_a_cycle(user: User, kind: str, answer: Callable[[Task, User], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer(hand_out(user, kind), user)
    savepoints = [q for q in captured.captured_queries if "SAVEPOINT" in q["sql"]]
    return len(captured) - len(savepoints)  # the outermost transactions of a site


@pytest.mark.parametrize(
    ("kind", "drawing", "state", "answer"),
    [
        (K.INITIAL_PROMPT, "P", TreeState.BACKLOG_RANKING, reply),
        (K.ASSISTANT_REPLY, "P(A)", TreeState.GROWING, reply),
        (K.PROMPTER_REPLY, "P(A)", TreeState.GROWING, reply),
        (K.LABEL_INITIAL_PROMPT, "P?1", TreeState.INITIAL_PROMPT_REVIEW, label),
        (K.LABEL_ASSISTANT_REPLY, "P(A?1)", TreeState.GROWING, label),
        (K.LABEL_ASSISTANT_REPLY, "P(A?2)", TreeState.GROWING, label),
        (K.LABEL_PROMPTER_REPLY, "P(A(P?2))", TreeState.GROWING, label),
        (K.RANK_ASSISTANT_REPLIES, "P(A A A)", TreeState.RANKING, rank),
        # The tree moves on.
        (K.LABEL_INITIAL_PROMPT, "P?2", TreeState.INITIAL_PROMPT_REVIEW, label),
        (RANDOM, "P(A?)", TreeState.GROWING, whatever),
    ],
)
def test_cycle_takes_at_most_twenty_queries(
    alice: User, kind: str, drawing: str, state: TreeState, answer: Callable[[Task, User], Any]
) -> None:
    grow(drawing, state=state)

    assert queries_of_a_cycle(alice, kind, answer) <= 20


def ready_to_be_scored(drawing: str) -> Grown:
    """A tree that lacks one ranking, of the replies to its prompt."""
    grown = grow(drawing, state=TreeState.RANKING)
    for parent in grown:
        replies = [message for message in grown if message.parent_id == parent.pk]
        if len(replies) > 1:
            for voter in factories.crowd(2 if parent == grown.root else 3):
                factories.rank(voter, parent, replies)
    return grown


@contextmanager
def no_prompt_wanted() -> Iterator[None]:
    """The lottery is full: whoever asks finds that out by a query of its own."""
    grow("P", state=TreeState.PROMPT_LOTTERY_WAITING)
    with overridden(max_prompt_lottery_waiting=1):
        yield


def test_cycle_that_scores_a_tree_takes_no_more_however_large_it_is(alice: User) -> None:
    counts = []
    for drawing in ("P(A A)", "P(A(P(A A)) A(P(A A A)) A(P(A A)))"):
        grown = ready_to_be_scored(drawing)
        counts.append(queries_of_a_cycle(alice, K.RANK_ASSISTANT_REPLIES, rank))
        assert grown.refresh().tree.state == TreeState.READY_FOR_EXPORT

    assert counts[0] == counts[1] <= 20


def test_cycle_that_scores_a_tree_takes_at_most_twenty_queries_even_if_all_else_is_drawn_first(
    alice: User,
) -> None:
    grown = ready_to_be_scored("P(A A)")

    with overridden(weight_ranking=1e-9), no_prompt_wanted():
        assert queries_of_a_cycle(alice, RANDOM, rank) <= 20
    assert grown.refresh().tree.state == TreeState.READY_FOR_EXPORT


@pytest.mark.parametrize("p_gold", [0.0, 1.0])
def test_cycle_that_ends_a_growing_tree_with_nothing_to_rank_takes_at_most_twenty_queries(
    alice: User, p_gold: float
) -> None:
    grown = grow("P(A?2)", goal_tree_size=2)

    with overridden(weight_label_reply=1e-9, p_gold=p_gold), no_prompt_wanted():
        assert queries_of_a_cycle(alice, RANDOM, label) <= 20
    assert grown.refresh().tree.state == TreeState.READY_FOR_EXPORT


def test_queries_of_a_submit_do_not_grow_with_the_tree(alice: User) -> None:
    counts = []
    for drawing in ("P(A?1)", "P(A(P(A A)) A?1 A(P(A A)))"):
        grow(drawing)
        counts.append(queries_of_a_cycle(alice, K.LABEL_ASSISTANT_REPLY, label))

    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_connection_remembers_its_queries_when_a_hand_out_finds_nothing(alice: User) -> None:
    for _ in range(10):  # more often than a query must come to be prepared
        with pytest.raises(NoTaskAvailable):
            hand_out(alice, K.ASSISTANT_REPLY)

    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        prepared = [statement for (statement,) in cursor]
    assert any("tasks_app_offer" in statement for statement in prepared)


@pytest.mark.django_db(transaction=True)
def test_plans_are_kept_behind_the_lock_and_nowhere_else(alice: User) -> None:
    with transaction.atomic():
        turns.lock_user(alice)
        assert plan_cache_mode() == "force_generic_plan"
    assert plan_cache_mode() == "auto"


def plan_cache_mode() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW plan_cache_mode")
        return cursor.fetchone()[0]
