"""Random crowds: whatever people, moderators and the clock do, in any order, all rules hold."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from oasst.accounts.models import User
from oasst.lib import queue
from oasst.lib.errors import DomainError
from tasks_app import (
    gold_items,
    interactions,
    lottery,
    moderation,
    reactions,
    selection,
    skill_fits,
    splits,
    undo,
)
from tasks_app.config import overridden
from tasks_app.enums import RANDOM, TaskType
from tasks_app.models import Message, MessageTree, Task
from tests import factories
from tests.factories import NOW
from tests.tasks_app import oracle

LANGS = ["en", "de"]
PEOPLE = 8
# Trees small enough to live their whole life within one example.
SMALL = {
    "goal_tree_size": 4,
    "max_tree_depth": 2,
    "max_children_count": 2,
    "num_prompter_replies": 2,
    "num_reviews_initial_prompt": 2,
    "num_reviews_reply": 2,
    "num_required_rankings": 2,
    "rank_prompter_replies": True,
    "rank_initial_prompts": True,
    "auto_mod_red_flags": 3,
    "auto_mod_max_skip_reply": 3,
    "max_active_trees": 2,
    "max_initial_prompt_review": 2,
    "max_prompt_lottery_waiting": 4,
    "p_activate_backlog_tree": 0.5,
    "max_pending_tasks_per_user": 4,
}
# The same with all that is known of people put to use.
KNOWING = {
    **SMALL,
    "reliability_weights": True,
    "adaptive_overlap": True,
    "adaptive_least_reviews": 2,
    "adaptive_most_reviews": 3,
    "p_gold": 1.0,
    "p_gold_newcomer": 1.0,
}
# What may happen next; what stands here often happens often.
EVENTS = [
    *["work"] * 16,
    *["take"] * 5,
    *["submit"] * 4,
    "submit_again",
    *["undo"] * 2,
    *[
        "skip",
        "skip",
        "extend",
        "extend",
        "save_draft",
        "react",
        "report",
        "report",
        "report",
        "label_freely",
    ],
    *["settle", "settle", "wait", "wait"],
    *["halt_tree", "unhalt_tree", "unhalt_tree", "delete_message", "restore_message"],
    *["ban_user", "unban_user", "unban_user"],
]
KNOWING_EVENTS = ["refit", *["make_gold"] * 2, "retire_gold", *["decide_split"] * 2]
# The invariants of trees are checked so often, all others at the end of each example.
CHECK_EVERY = 5
WAITS_MINUTES = [1, 5, 11, 31, 24 * 60, 49 * 60]


class Crowd(RuleBasedStateMachine):
    """Each example starts with an empty database and a crowd that has done nothing."""

    steps = 0
    outcomes: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        _empty()
        self.people = factories.crowd(PEOPLE, langs=LANGS)
        User.objects.update(is_active=True)
        self.moderator = factories.mona()
        self.now = NOW
        self.tasks: list[Task] = []
        self.submits: list[Callable[[], Any]] = []

    def teardown(self) -> None:
        assert oracle.problems() == []

    @invariant()
    def trees_are_sound(self) -> None:
        if self.steps % CHECK_EVERY == 0:
            assert oracle.problems_of_trees() == []

    @rule(event=st.sampled_from(EVENTS), seed=st.integers(0, 2**32))
    def step(self, event: str, seed: int) -> None:
        self.do(event, seed)

    def do(self, event: str, seed: int) -> None:
        Crowd.steps += 1
        # Ids of tasks are drawn from this, so it must never be the same twice.
        self.rng = random.Random(f"{seed} {self.steps}")
        act = getattr(self, event, None)
        if act:
            act()
        elif event.endswith("_tree"):
            self.moderate(event, self.some_tree())
        elif event.endswith("_message"):
            self.moderate(event, self.some_message())
        else:
            self.moderate(event, self.somebody())

    # People

    def work(self) -> None:
        """Somebody takes a task and does it at once."""
        task = self.take(RANDOM)
        if task:
            self.submit(task)

    def take(self, kind: str = "") -> Task | None:
        user, rng = self.somebody(), self.rng
        kind = kind or rng.choice([RANDOM, rng.choice(TaskType.values)])
        task = self.attempt("take", selection.next_task, user, kind, rng=rng)
        if task:
            oracle.assert_fits(task, user)
            self.tasks.append(task)
        return task

    def submit(self, task: Task | None = None) -> None:
        """Any task that was ever handed out, perhaps done or expired by now."""
        task = task or self.some_task()
        if task is None:
            return
        function, body = _answer(task, self.rng)
        user = User.objects.get(pk=task.user_id)
        name = f"submit {task.kind}"
        if task.gold_id:
            name = "answer gold"
        stored = self.attempt(name, function, task.pk, user, **body)
        if stored is not None:
            self.submits.append(lambda: self.attempt("again", function, task.pk, user, **body))

    def submit_again(self) -> None:
        """What was accepted once, sent again, has no second effect."""
        if not self.submits:
            return
        before = oracle.count_effects()
        self.rng.choice(self.submits)()
        assert oracle.count_effects() == before

    def undo(self) -> None:
        """Somebody takes one of the last reviews back; sometimes it is too late."""
        done = [task for task in self.tasks[-4:] if task.type.is_labeling]
        if done:
            task = self.rng.choice(done)
            user = User.objects.get(pk=task.user_id)
            self.attempt("undo", undo.undo_labels, task.pk, user)
            self.submits.clear()  # what was taken back can be sent anew

    def skip(self) -> None:
        self.handle("skip")

    def extend(self) -> None:
        self.handle("extend")

    def save_draft(self) -> None:
        self.handle("save_draft", {"text": "Half a thought"})

    def handle(self, what: str, *more: Any) -> None:
        task = self.some_task()
        if task:
            user = User.objects.get(pk=task.user_id)
            self.attempt(what, getattr(interactions, what), task.pk, user, *more)

    def react(self) -> None:
        message = self.some_message()
        if message:
            code = self.rng.choice(["+1", "-1", "clap"])
            self.attempt("react", reactions.react, message.pk, self.somebody(), code)

    def report(self) -> None:
        message = self.some_message()
        if message:
            who = self.somebody()
            self.attempt("report", reactions.report, message.pk, who, "spam", "Look at this.")

    def label_freely(self) -> None:
        message = self.some_message()
        if message:
            who, labels = self.somebody(), {"quality": 0.5}
            self.attempt("label freely", reactions.label_freely, message.pk, who, labels)

    # Time and jobs

    def wait(self) -> None:
        self.now += timedelta(minutes=self.rng.choice(WAITS_MINUTES))
        if self.rng.random() < 0.7:  # else cron is late
            interactions.release_expired(now=self.now)
            interactions.delete_expired(now=self.now)

    def settle(self) -> None:
        for lang in LANGS:
            lottery.settle(lang, now=self.now, rng=self.rng, ended=self.rng.randrange(2))

    # Moderators

    def moderate(self, what: str, target: Any) -> None:
        if target:
            act = getattr(moderation, what)
            self.attempt(what, act, target.pk, actor=self.moderator, reason="why")

    # Small change

    def attempt(self, name: str, act: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """What `act` gives, or None where a rule said no. Any other error is a failure."""
        try:
            result = act(*args, now=self.now, **more)
        except DomainError as error:
            self.outcomes[f"{name}: {error.code}"] += 1
            return None
        self.outcomes[name] += 1
        return result

    def somebody(self) -> User:
        return User.objects.get(pk=self.rng.choice(self.people).pk)

    def some_task(self) -> Task | None:
        """A late one: mostly open, else done or gone."""
        late = Task.objects.filter(done_at=None, skipped_at=None).order_by("created_at", "pk")
        tasks = [*late] if self.rng.random() < 0.7 else self.tasks[-12:]
        return self.rng.choice(tasks) if tasks else None

    def some_message(self) -> Message | None:
        messages = Message.objects.order_by("created_at", "pk")
        return self.rng.choice([*messages]) if messages else None

    def some_tree(self) -> MessageTree | None:
        trees = MessageTree.objects.order_by("created_at", "pk")
        return self.rng.choice([*trees]) if trees else None


class KnownCrowd(Crowd):
    """The same crowd, and what is known of its members is put to use."""

    @rule(event=st.sampled_from([*EVENTS, *KNOWING_EVENTS]), seed=st.integers(0, 2**32))
    def step(self, event: str, seed: int) -> None:
        self.do(event, seed)

    def refit(self) -> None:
        """The job on reliability; votes that are counted already keep what they counted."""
        skill_fits.refit(now=self.now)

    def make_gold(self) -> None:
        """A moderator settles what a message is; reviewers may get it from then on."""
        message = self.some_message()
        if message:
            answers = {"spam": float(not message.review_result)}
            who, why = self.moderator, "It is plain."
            more = {"explanation": why, "actor": who}
            self.attempt("make gold", gold_items.make, message.pk, answers, **more)

    def retire_gold(self) -> None:
        message = self.some_message()
        if message:
            who = self.moderator
            self.attempt("retire gold", gold_items.retire, message.pk, actor=who, reason="why")

    def decide_split(self) -> None:
        message = Message.objects.split().first()
        if message:
            accept, who = self.rng.random() < 0.5, self.moderator
            more = {"accept": accept, "actor": who, "reason": "why"}
            self.attempt("decide split", splits.decide, message.pk, **more)


def _empty() -> None:
    tables = "tasks_app_messagetree, tasks_app_task, tasks_app_moderationaction"
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")


def _answer(task: Task, rng: random.Random) -> tuple[Callable[..., Any], dict[str, Any]]:
    """What a person of average care submits for `task`."""
    if task.type.is_writing:
        return interactions.submit_reply, {"text": f"Text {rng.randrange(10**9)}"}
    if task.type.is_labeling:
        return interactions.submit_labels, {"values": {"spam": float(rng.random() < 0.2)}}
    ids = rng.sample(task.shown_ids, len(task.shown_ids))
    cut = rng.randrange(len(ids))
    groups = [group for group in (ids[:cut], ids[cut:]) if group]
    return interactions.submit_ranking, {"groups": groups, "not_rankable": rng.random() < 0.2}


def play(
    examples: int,
    steps: int,
    *,
    derandomize: bool,
    machine: type[Crowd] = Crowd,
    tunables: dict[str, Any] = SMALL,
) -> set[str]:
    """Play so many crowds of so many steps each; returns what happened."""
    Crowd.steps = 0
    Crowd.outcomes.clear()
    with queue.silent(), overridden(**tunables):
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                derandomize=derandomize,
                # To make a failure smaller takes minutes; add Phase.shrink to look into one.
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    # Hypothesis ends some examples before their last step.
    assert Crowd.steps >= 0.8 * examples * steps
    return {name for name, count in Crowd.outcomes.items() if count}


def check_common_events(done: set[str]) -> None:
    """The crowd really got somewhere; rankings of prompts and prompters' replies are rare."""
    common = set(TaskType) - {TaskType.RANK_INITIAL_PROMPTS, TaskType.RANK_PROMPTER_REPLIES}
    assert {"undo", *(f"submit {kind}" for kind in common)} <= done


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_crowd_of_whom_much_is_known_breaks_nothing() -> None:
    known = {"machine": KnownCrowd, "tunables": KNOWING}
    done = play(examples=2, steps=200, derandomize=True, **known)

    assert {"make gold", "answer gold", "decide split"} <= done


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_random_crowd_breaks_nothing_in_800_steps() -> None:
    check_common_events(play(examples=4, steps=200, derandomize=True))


@pytest.mark.full
@pytest.mark.django_db(transaction=True)
def test_random_crowd_breaks_nothing_in_10000_steps() -> None:
    check_common_events(play(examples=65, steps=200, derandomize=False))


@pytest.mark.full
@pytest.mark.django_db(transaction=True)
def test_crowd_of_whom_much_is_known_breaks_nothing_in_10000_steps() -> None:
    play(examples=65, steps=200, derandomize=False, machine=KnownCrowd, tunables=KNOWING)
