"""Many people at once, each on a connection of their own: nothing twice, nothing lost."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from oasst.accounts.models import User
from oasst.lib.errors import DomainError
from tasks_app import (
    holding,
    interactions,
    jobs,
    lottery,
    merging,
    moderation,
    reactions,
    rewording,
    selection,
    undo,
)
from tasks_app.enums import TaskType, TreeState
from tasks_app.errors import (
    AlreadySubmitted,
    DecidedMeanwhile,
    NoTaskAvailable,
    TaskExpired,
    TextStays,
)
from tasks_app.models import Contribution, Message, MessageTree, Task
from tests import factories
from tests.factories import GOOD, grow, hand_out
from tests.tasks_app import oracle

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

K = TaskType
CLIENTS = 32
NO_PROMPTS = {"MAX_INITIAL_PROMPT_REVIEW": 0, "MAX_ACTIVE_TREES": 0}


@pytest.fixture
def at_once() -> Iterator[Callable[[Sequence[Callable[[], Any]]], list[Any]]]:
    """Runs functions at the same moment, each in a thread; gives results or the rule that said no.

    Anything but a DomainError, a deadlock for instance, fails the test.
    """
    with ThreadPoolExecutor(CLIENTS) as pool:

        def run(functions: Sequence[Callable[[], Any]]) -> list[Any]:
            barrier = Barrier(len(functions))
            return list(pool.map(lambda function: _client(barrier, function), functions))

        yield run


def _client(barrier: Barrier, function: Callable[[], Any]) -> Any:
    with connection.cursor() as cursor:
        # Jobs run at once here and wait for one another; a worker does one, or tries again.
        cursor.execute("SET statement_timeout = 0")
    barrier.wait(timeout=10)
    try:
        return function()
    except DomainError as error:
        return type(error)
    finally:
        connection.close()


def draw(user: User, kind: str) -> Callable[[], Task]:
    rng = random.Random()
    return lambda: selection.next_task(user, kind, now=timezone.now(), rng=rng)


# Hand-out


@pytest.mark.parametrize(
    ("drawing", "kind", "slots"),
    [
        ("P(A?)", K.LABEL_ASSISTANT_REPLY, 3),
        ("P(A? A? A?)", K.LABEL_ASSISTANT_REPLY, 9),
        ("P", K.ASSISTANT_REPLY, 3),
        ("P(A A)", K.PROMPTER_REPLY, 2),
    ],
)
@pytest.mark.parametrize("trees", [1, pytest.param(3, marks=pytest.mark.full)])
def test_every_slot_goes_to_one_person(
    at_once: Any, drawing: str, kind: TaskType, slots: int, trees: int
) -> None:
    for _ in range(trees):
        grow(drawing)

    results = at_once([draw(user, kind) for user in factories.crowd(CLIENTS)])

    tasks = [result for result in results if isinstance(result, Task)]
    assert Counter(map(type, results))[Task] == min(CLIENTS, slots * trees)
    assert {result for result in results if not isinstance(result, Task)} <= {NoTaskAvailable}
    assert len({(task.user_id, task.message_id) for task in tasks}) == len(tasks)
    assert oracle.problems() == []


def test_one_person_who_asks_many_times_gets_one_task(at_once: Any, alice: User) -> None:
    for _ in range(5):
        grow("P(A?)")

    results = at_once([draw(alice, K.LABEL_ASSISTANT_REPLY) for _ in range(8)])

    assert len({result.pk for result in results}) == 1
    assert Task.objects.count() == 1


# Idempotent submits


def answers(user: User) -> dict[str, tuple[str, TreeState, TaskType, Callable[[Task, int], Any]]]:
    """How to do a task of each kind; the number makes another answer."""

    def reply(task: Task, number: int) -> Any:
        return interactions.submit_reply(task.pk, user, f"Text {number}", now=timezone.now())

    def label(task: Task, number: int) -> Any:
        values = {"spam": 0.0, "quality": number / 4}
        return interactions.submit_labels(task.pk, user, values, now=timezone.now())

    def rank(task: Task, number: int) -> Any:
        turn = number % len(task.shown_ids)
        ids = task.shown_ids[turn:] + task.shown_ids[:turn]
        return interactions.submit_ranking(
            task.pk, user, [[pk] for pk in ids], now=timezone.now(), reason=f"{number}"
        )

    return {
        "prompt": ("P", TreeState.BACKLOG_RANKING, K.INITIAL_PROMPT, reply),
        "reply": ("P", TreeState.GROWING, K.ASSISTANT_REPLY, reply),
        "labels": ("P(A?)", TreeState.GROWING, K.LABEL_ASSISTANT_REPLY, label),
        "ranking": ("P(A A A)", TreeState.RANKING, K.RANK_ASSISTANT_REPLIES, rank),
    }


@pytest.mark.parametrize("name", ["prompt", "reply", "labels", "ranking"])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_same_submit_many_times_at_once_has_one_effect_and_one_answer(
    at_once: Any, alice: User, name: str, times: int
) -> None:
    drawing, state, kind, answer = answers(alice)[name]
    grow(drawing, state=state)
    task = hand_out(alice, kind, now=timezone.now())
    before = oracle.count_effects()

    results = at_once([lambda: answer(task, 1)] * times)

    assert len({(type(result), result.pk) for result in results}) == 1
    assert sum(oracle.count_effects()) == sum(before) + 2  # what was made, and its journal entry
    assert oracle.problems() == []


@pytest.mark.parametrize("name", ["prompt", "reply", "labels", "ranking"])
def test_of_different_submits_at_once_one_wins_and_the_others_hear_of_it(
    at_once: Any, alice: User, name: str
) -> None:
    drawing, state, kind, answer = answers(alice)[name]
    grow(drawing, state=state)
    task = hand_out(alice, kind, now=timezone.now())

    results = at_once([lambda number=number: answer(task, number) for number in range(5)])

    assert Counter(map(type, results))[type] == results.count(AlreadySubmitted) == 4
    assert Contribution.objects.count() == 1


def test_skip_and_submit_at_once_end_the_task_once(at_once: Any, alice: User) -> None:
    grow("P(A?)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY, now=timezone.now())

    at_once(
        [
            lambda: interactions.skip(task.pk, alice, now=timezone.now()),
            lambda: interactions.submit_labels(task.pk, alice, GOOD, now=timezone.now()),
            lambda: interactions.extend(task.pk, alice, now=timezone.now()),
            lambda: interactions.save_draft(task.pk, alice, {"spam": 0}, now=timezone.now()),
        ]
    )

    assert Contribution.objects.count() == 1
    assert oracle.problems() == []


def test_undo_against_the_submits_of_others_keeps_every_count(at_once: Any, alice: User) -> None:
    """Alice takes a review back, thrice at once, while others decide about the same messages."""
    grown = [grow(drawing, goal_tree_size=4) for drawing in ("P(A?1)", "P(A?1 A)", "P(A? A A)")]
    people = factories.crowd(3)
    mine, theirs = [], []
    for reply in (each[1] for each in grown):
        task = hand_out(alice, K.LABEL_ASSISTANT_REPLY, reply, now=timezone.now())
        interactions.submit_labels(task.pk, alice, GOOD, now=timezone.now())
        take_back = partial(undo.undo_labels, task.pk, alice, now=timezone.now())
        mine += [take_back] * 3
        with suppress(NoTaskAvailable):
            for user in people:
                task = hand_out(user, K.LABEL_ASSISTANT_REPLY, reply, now=timezone.now())
                submit = interactions.submit_labels
                theirs.append(partial(submit, task.pk, user, GOOD, now=timezone.now()))

    results = at_once([*mine, *theirs])

    allowed = {DecidedMeanwhile, AlreadySubmitted}
    assert {each for each in results if isinstance(each, type)} <= allowed
    assert len(theirs) == 4
    assert oracle.problems() == []


# A busy site


def contributor(user: User, rounds: int) -> Callable[[], int]:
    """Takes and does tasks, as a person would; gives the number done."""
    rng = random.Random()

    def work() -> int:
        done = 0
        for _ in range(rounds):
            try:
                task = selection.next_task(user, "random", now=timezone.now(), rng=rng)
                _do(task, user, rng)
            except DomainError:
                continue
            done += 1
        return done

    return work


def _do(task: Task, user: User, rng: random.Random) -> None:
    now = timezone.now()
    if rng.random() < 0.1:
        interactions.skip(task.pk, user, now=now)
    elif task.type.is_writing:
        interactions.submit_reply(task.pk, user, f"Text {task.pk}", now=now)
    elif task.type.is_labeling:
        spam = float(rng.random() < 0.1)
        interactions.submit_labels(task.pk, user, {"spam": spam}, now=now)
        if rng.random() < 0.2:
            undo.undo_labels(task.pk, user, now=timezone.now())
            interactions.submit_labels(task.pk, user, {"spam": 0.0}, now=timezone.now())
    else:
        ids = rng.sample(task.shown_ids, len(task.shown_ids))
        interactions.submit_ranking(task.pk, user, [[pk] for pk in ids], now=now)


def moderator(actor: User, rounds: int) -> Callable[[], None]:
    """Halts, reopens, deletes, restores, bans and runs the periodic jobs."""
    rng = random.Random()

    def work() -> None:
        for _ in range(rounds):
            tree = rng.choice(MessageTree.objects.order_by("pk")).pk
            message = rng.choice(Message.objects.order_by("pk")).pk
            why = {"actor": actor, "reason": "why", "now": timezone.now()}
            for act in (
                partial(moderation.halt_tree, tree, **why),
                partial(moderation.unhalt_tree, tree, **why),
                partial(moderation.delete_message, message, **why),
                partial(moderation.restore_message, message, **why),
                partial(reactions.react, message, actor, "red_flag", now=timezone.now()),
                jobs.release_expired_reservations,
                jobs.settle_languages,
                jobs.advance_trees,
            ):
                with suppress(DomainError):
                    act()

    return work


def test_merging_accounts_against_what_both_are_doing_keeps_every_rule(
    at_once: Any, root: User
) -> None:
    """Each of five people has two accounts, which write and judge side by side until they are
    one; one of each second pair is held back."""
    for _ in range(2):
        for drawing in ("P(A? A?)", "P(A(P?) A)"):
            grow(drawing, goal_tree_size=6)
        grow("P(A A)", state=TreeState.RANKING)
    mains, twins = factories.crowd(5, prefix="Main"), factories.crowd(5, prefix="Twin")
    why = {"actor": root, "reason": "One person.", "now": timezone.now()}
    for twin in twins[::2]:
        holding.hold_user(twin.pk, **why)

    def merge(main: User, twin: User) -> Callable[[], Any]:
        """After a task or two, while both go on."""
        work = contributor(main, 2)
        return lambda: (work(), merging.merge(twin.pk, main.pk, **why))

    merges = [merge(*pair) for pair in zip(mains, twins, strict=True)]
    results = at_once([*merges, *(contributor(user, 6) for user in (*mains, *twins))])

    assert [type(result) for result in results[:5]] == [tuple] * 5
    assert User.objects.filter(pk__in=[twin.pk for twin in twins], is_active=True).count() == 0
    assert oracle.problems() == []


def play_a_busy_site(at_once: Any, mona: User, trees: int, rounds: int) -> int:
    """Everybody at once, on few trees; gives how much was done."""
    for _ in range(trees):
        for drawing in ("P", "P(A? A?)", "P(A(P?) A)"):
            grow(drawing, goal_tree_size=6)
        grow("P(A A)", state=TreeState.RANKING)
    people = factories.crowd(CLIENTS - 1)
    moderating = moderator(mona, rounds // 2 + 1)

    results = at_once([moderating, *(contributor(user, rounds) for user in people)])

    assert oracle.problems() == []
    return sum(results[1:])


def test_a_busy_site_loses_nothing_and_deadlocks_nowhere(
    at_once: Any, settings: Any, mona: User
) -> None:
    settings.TREE_CONFIG = {"GOAL_TREE_SIZE": "5", "MAX_CHILDREN_COUNT": "2"}

    assert play_a_busy_site(at_once, mona, trees=1, rounds=3) > CLIENTS


@pytest.mark.full
def test_a_busy_site_stays_sound_over_thousands_of_tasks(at_once: Any, mona: User) -> None:
    assert play_a_busy_site(at_once, mona, trees=40, rounds=100) > 2_000


def test_a_crowd_does_all_the_work_there_is(at_once: Any, settings: Any) -> None:
    """Nobody is told that there is nothing while there is: all trees end, without a moderator."""
    settings.TREE_CONFIG = NO_PROMPTS
    trees = [grow(drawing, goal_tree_size=4) for drawing in ("P", "P(A?)", "P(A A?)")]
    people = factories.crowd(CLIENTS)

    for _ in range(12):
        if not any(at_once([contributor(user, 2) for user in people])):
            break

    left = [selection.available_tasks(user, ["en"], now=timezone.now()) for user in people]
    assert left == [{}] * CLIENTS
    assert {grown.refresh().tree.state for grown in trees} == {TreeState.READY_FOR_EXPORT}
    assert oracle.problems() == []


def test_two_lotteries_at_once_draw_no_more_than_the_limit(at_once: Any, settings: Any) -> None:
    settings.TREE_CONFIG = {"MAX_ACTIVE_TREES": "3"}
    for _ in range(8):
        grow("P", state=TreeState.PROMPT_LOTTERY_WAITING)

    at_once([lambda: lottery.run_lottery("en", now=timezone.now(), rng=random.Random())] * 6)

    growing = MessageTree.objects.in_state(TreeState.GROWING)
    assert growing.count() == 3
    assert oracle.problems() == []


# Changing an own message


@pytest.mark.parametrize("_try", range(3))
def test_late_review_and_change_of_the_text_exclude_each_other(
    at_once: Any, alice: User, bob: User, _try: int
) -> None:
    message = grow("P(A?)", authors={1: alice})[1]
    review = hand_out(bob, K.LABEL_ASSISTANT_REPLY, message, now=timezone.now())
    Task.objects.update(reserved_until=timezone.now())
    base = rewording.version(message)

    answers = at_once(
        [
            lambda: interactions.submit_labels(review.pk, bob, GOOD, now=timezone.now()),
            lambda: rewording.reword(message.pk, alice, "New.", base=base, now=timezone.now()),
        ]
    )

    is_changed = isinstance(answers[1], Message)
    assert answers[0 if is_changed else 1] is (TaskExpired if is_changed else TextStays)
    message.refresh_from_db()
    assert (message.text == "New.", message.review_count) == (is_changed, int(not is_changed))
    assert oracle.problems() == []
