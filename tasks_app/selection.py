"""What a person can do next, and handing it out: choice of kind, choice of item, reservation."""

import random
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from oasst.lib import database
from tasks_app import eligibility, gold, lottery, offers, prompt_rankings, turns
from tasks_app.config import TreeConfig
from tasks_app.eligibility import Search
from tasks_app.enums import RANDOM, FormMode, TaskType
from tasks_app.errors import NoTaskAvailable, TooManyPendingTasks
from tasks_app.models import MessageTree, Offer, Task

if TYPE_CHECKING:
    from oasst.accounts.models import User

# How often to draw again when somebody else was quicker; each time one of them got something.
MAX_TRIES = 40


class _Missed(Exception):
    """Somebody else took the slot that was drawn. The locks must go before the next try."""


@dataclass(frozen=True)
class Group:
    """Kinds that a random draw treats as one, with the name of its weight."""

    kinds: tuple[TaskType, ...]
    weight: str


@dataclass(frozen=True)
class Choice:
    """What a person asked for, beside the kind."""

    langs: Sequence[str]
    explicit: bool  # a kind was named
    message_id: uuid.UUID | None
    own: Sequence[Task]  # the person's open tasks


# Source: reference 3.3.
GROUPS = (
    Group((TaskType.RANK_ASSISTANT_REPLIES, TaskType.RANK_PROMPTER_REPLIES), "weight_ranking"),
    Group((TaskType.LABEL_ASSISTANT_REPLY, TaskType.LABEL_PROMPTER_REPLY), "weight_label_reply"),
    Group((TaskType.LABEL_INITIAL_PROMPT,), "weight_label_prompt"),
    Group((TaskType.ASSISTANT_REPLY, TaskType.PROMPTER_REPLY), "weight_reply"),
    Group((TaskType.INITIAL_PROMPT,), "weight_initial_prompt"),
)


def next_task(
    user: "User",
    kind: str,
    *,
    now: datetime,
    rng: random.Random,
    langs: Sequence[str] | None = None,
    message_id: uuid.UUID | None = None,
) -> Task:
    """Hand out a task of `kind`, a TaskType or "random", in one of `langs`.

    Default languages are the user's. An open task of that kind is handed out again. With
    `message_id` only a task on that message will do. Raises NotAllowed, TooManyPendingTasks,
    NoTaskAvailable.
    """
    for _ in range(MAX_TRIES):
        task, has_missed = _try(user, kind, langs, message_id, now, rng)
        if task is not None:
            return task
        if not has_missed:
            break
    raise NoTaskAvailable


@database.retried
def _try(*args: Any) -> tuple[Task | None, bool]:
    """What `_next_task` gives, and whether it was missed by a hair and should be drawn again."""
    # Whoever missed has written nothing. Ended by a rollback, the transaction would make the
    # connection forget its prepared queries.
    with suppress(_Missed):
        return _next_task(*args), False
    return None, True


def _next_task(
    user: "User",
    kind: str,
    langs: Sequence[str] | None,
    message_id: uuid.UUID | None,
    now: datetime,
    rng: random.Random,
) -> Task | None:
    turns.require_contributor(user, now)
    config = turns.lock_user(user)
    turns.require_contributor_still(user, now)
    langs = list(langs or user.contribution_languages)
    own = list(Task.objects.open_of(user, now))
    wanted = [task for task in own if message_id in (None, task.message_id)]
    resumed = _resumable(wanted, kind, langs, now)
    if resumed:
        return resumed
    _check_pending(own, config, now)
    choice = Choice(langs, explicit=kind != RANDOM, message_id=message_id, own=own)
    order = list(_draw_order(kind, config, rng))
    return _hand_out(user, order, choice, config=config, now=now, rng=rng)


def _resumable(own: Iterable[Task], kind: str, langs: Sequence[str], now: datetime) -> Task | None:
    for task in own:
        fits = kind in (RANDOM, task.kind) and task.lang in langs
        held = task.holds_slot or task.type.needs_no_slot or task.gold_id is not None
        if fits and held and task.reserved_until > now:
            return task
    return None


def _check_pending(own: Sequence[Task], config: TreeConfig, now: datetime) -> None:
    since = now - timedelta(seconds=config.recent_tasks_span_s)
    if sum(task.created_at >= since for task in own) >= config.max_pending_tasks_per_user:
        raise TooManyPendingTasks


def _draw_order(
    kind: str, config: TreeConfig, rng: random.Random
) -> Iterable[tuple[TaskType, ...]]:
    """The kinds to try, in order. Drawing groups by weight without putting them back and taking
    the first that has something is the same as drawing by weight among those that have."""
    if kind != RANDOM:
        yield (TaskType(kind),)
        return
    left = list(GROUPS)
    while left:
        weights = [getattr(config, group.weight) for group in left]
        if not any(weights):
            return
        group = rng.choices(left, weights=weights)[0]
        left.remove(group)
        yield group.kinds


def _hand_out(
    user: "User",
    order: Sequence[tuple[TaskType, ...]],
    choice: Choice,
    *,
    config: TreeConfig,
    now: datetime,
    rng: random.Random,
) -> Task | None:
    """A task of the first kinds in `order` of which there is one. One draw for all that need it."""
    offered = [kinds for kinds in order if not kinds[0].needs_no_slot]
    offer = _draw(user, offered, choice, config, rng) if offered else None
    for kinds in order:
        task = None
        if kinds == (TaskType.INITIAL_PROMPT,):
            task = _hand_out_prompt(user, choice.langs, config=config, now=now, rng=rng)
        elif kinds == (TaskType.RANK_INITIAL_PROMPTS,):
            task = _hand_out_prompts(user, choice.langs, config=config, now=now, rng=rng)
        elif offer and offer.kind in kinds:
            task = _hand_out_offer(user, offer, choice, config=config, now=now, rng=rng)
        if task:
            return task
    return None


def _hand_out_offer(
    user: "User",
    offer: Offer,
    choice: Choice,
    *,
    config: TreeConfig,
    now: datetime,
    rng: random.Random,
) -> Task:
    """Raises _Missed if its slot is gone."""
    kind = TaskType(offer.kind)
    gold_id, replies = None, None
    if kind.is_labeling and choice.message_id is None:
        gold_id, is_taken = gold.instead_of(offer, user, config=config, rng=rng)
    elif kind.is_ranking:
        replies = offers.take_ranking(offer)
        is_taken = replies is not None
    else:
        is_taken = offers.take_slot(offer)
    if gold_id is None and not is_taken:
        raise _Missed
    task = None if gold_id else _known(choice.own, offer)
    if task is None:
        task = _new_task(kind, offer.lang, user, config=config, now=now, rng=rng)
        if kind.is_labeling:
            task.form_mode = form_mode(kind, explicit=choice.explicit, config=config, rng=rng)
    if gold_id:
        task.gold_id = task.message_id = gold_id
    else:
        task.tree_id, task.message_id, task.holds_slot = offer.tree_id, offer.message_id, True
    task.reserved_until = min(now + reservation(kind, config), task.expires_at)
    if replies is not None:
        task.shown_ids = rng.sample([str(pk) for pk in replies], len(replies))
    task.save(force_insert=task._state.adding)
    return task


def _known(own: Sequence[Task], offer: Offer) -> Task | None:
    """The same task, whose reservation ended: its draft comes back with it."""
    same = (task for task in own if (task.message_id, task.kind) == (offer.message_id, offer.kind))
    return next(same, None)


def _hand_out_prompt(
    user: "User",
    langs: Sequence[str],
    *,
    config: TreeConfig,
    now: datetime,
    rng: random.Random,
) -> Task | None:
    wanting = [lang for lang, count in lottery.prompts_wanted(langs, config).items() if count]
    if not wanting:
        return None
    lang = rng.choice(wanting)
    task = _new_task(TaskType.INITIAL_PROMPT, lang, user, config=config, now=now, rng=rng)
    task.save(force_insert=True)
    return task


def _hand_out_prompts(
    user: "User",
    langs: Sequence[str],
    *,
    config: TreeConfig,
    now: datetime,
    rng: random.Random,
) -> Task | None:
    drawn = prompt_rankings.draw(user, langs, config=config, rng=rng)
    if drawn is None:
        return None
    lang, ids = drawn
    kind = TaskType.RANK_INITIAL_PROMPTS
    task = _new_task(kind, lang, user, config=config, now=now, rng=rng)
    task.shown_ids = ids
    task.save(force_insert=True)
    return task


def _new_task(
    kind: TaskType,
    lang: str,
    user: "User",
    *,
    config: TreeConfig,
    now: datetime,
    rng: random.Random,
) -> Task:
    return Task(
        id=uuid.UUID(int=rng.getrandbits(128), version=4),
        kind=kind,
        lang=lang,
        user=user,
        holds_slot=False,
        reserved_until=now + reservation(kind, config),
        expires_at=now + timedelta(minutes=config.task_validity_minutes),
        created_at=now,
    )


def reservation(kind: TaskType, config: TreeConfig) -> timedelta:
    """How long a slot is held without a sign of life."""
    if kind.is_writing:
        return timedelta(minutes=config.reservation_write_minutes)
    return timedelta(minutes=config.reservation_review_minutes)


def form_mode(
    kind: TaskType, *, explicit: bool, config: TreeConfig, rng: random.Random
) -> FormMode:
    """Full or simple label form. Source: reference 3.6."""
    if explicit and kind != TaskType.LABEL_INITIAL_PROMPT:
        return FormMode.FULL
    p_full = {
        TaskType.LABEL_INITIAL_PROMPT: config.p_full_labeling_review_prompt,
        TaskType.LABEL_ASSISTANT_REPLY: config.p_full_labeling_review_reply_assistant,
        TaskType.LABEL_PROMPTER_REPLY: config.p_full_labeling_review_reply_prompter,
    }[kind]
    return FormMode.FULL if rng.random() < p_full else FormMode.SIMPLE


def _draw(
    user: "User",
    wanted: Sequence[tuple[TaskType, ...]],
    choice: Choice,
    config: TreeConfig,
    rng: random.Random,
) -> Offer | None:
    """A random offer to take, of the first of `wanted` that has any.

    Its tree's row stays locked until the transaction ends. Looks past trees that others have
    locked. If they have all, it waits for one and looks again; it waits only while it holds no
    other tree, so no two hand-outs wait for each other. Raises _Missed if somebody else was
    quicker.
    """
    may_reply = any(TaskType.ASSISTANT_REPLY in kinds for kinds in wanted)
    lonely = may_reply and rng.random() < config.p_lonely_child_extension  # source: reference 3.5
    search = Search(user.pk, wanted, choice.langs, choice.message_id)
    draw = partial(eligibility.draw, point=rng.random(), prefer_lonely=lonely)
    offer = draw(search)
    if offer:
        return offer
    locked_by_others = eligibility.peek(search)
    if locked_by_others is None:
        return None
    MessageTree.objects.locked().filter(pk=locked_by_others.tree_id).first()
    offer = draw(replace(search, tree_id=locked_by_others.tree_id))
    if offer is None:
        raise _Missed
    return offer


def available_tasks(user: "User", langs: Sequence[str], *, now: datetime) -> dict[TaskType, int]:
    """How many tasks of each kind `user` could be handed in `langs`; kinds with none are absent."""
    counts = eligibility.count(user.pk, langs)
    # The message that a gold item stands for is one less to be had, as if it were in hand.
    gold_items = Task.objects.gold_in_hand(user, now).filter(lang__in=langs)
    for kind in map(TaskType, gold_items.values_list("kind", flat=True)):
        counts[kind] = counts.get(kind, 0) - 1
    config = TreeConfig.current()
    counts[TaskType.INITIAL_PROMPT] = sum(lottery.prompts_wanted(langs, config).values())
    counts[TaskType.RANK_INITIAL_PROMPTS] = len(prompt_rankings.open_to(user, langs, config=config))
    return {kind: count for kind, count in counts.items() if count > 0}
