"""What people do with a task: reply, label, rank, skip, keep a draft. One transaction each.

Every function first locks the person, then the tree's row, and ends in `trees.advance()`. The same
submit twice gives the same answer and has one effect.
"""

import hashlib
import json
import random
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import IntegrityError, transaction

from oasst.lib import database, detection
from oasst.lib.characters import UNSTORABLE
from tasks_app import (
    gold,
    journal,
    labels,
    moderation,
    prompt_rankings,
    reactions,
    scoring,
    screening,
    similar,
    texts,
    topics,
    trees,
    turns,
    writing,
)
from tasks_app.config import TreeConfig
from tasks_app.enums import (
    STOPPED_STATES,
    ContributionKind,
    LabelKind,
    Role,
    SkipMark,
    TaskType,
    TreeState,
)
from tasks_app.errors import (
    AlreadyReviewed,
    AlreadySubmitted,
    DuplicateReply,
    DuplicateText,
    InvalidRanking,
    NoLongerNeeded,
    SelfReview,
    SlotTaken,
    TaskExpired,
    TaskNotFound,
    TaskSkipped,
    WrongTaskKind,
)
from tasks_app.models import Draft, GoldAnswer, Message, MessageTree, Ranking, Task, TextLabels
from tasks_app.reviewing import record_verdict
from tasks_app.selection import reservation

if TYPE_CHECKING:
    from oasst.accounts.models import User

T = TypeVar("T")

# How long an expired task without a draft is remembered.
KEEP_EXPIRED = timedelta(days=30)


def submit_reply(
    task_id: uuid.UUID,
    user: "User",
    text: str,
    *,
    now: datetime,
    lang: str | None = None,
    provenance: str = "",
    counted: writing.Counted | None = None,
    chosen_topics: Sequence[str] = (),
    entered: Mapping[str, str] | None = None,
) -> Message:
    """Store the text of a writing task as a new message, in the task's language by default.

    `chosen_topics` are for a new prompt. Whatever stops it, the text is kept as a draft, with the
    other fields of the form as they were `entered`. Raises the errors of `tasks_app.errors` about
    tasks, texts, duplicates and topics.
    """
    try:
        return _submit_reply(task_id, user, text, lang, provenance, counted, chosen_topics, now)
    except (SlotTaken, TaskExpired, TaskSkipped, DuplicateText, DuplicateReply) as error:
        body = {**(entered or {}), "text": text}
        keep_refused(task_id, user, body, because=error.code, now=now)
        raise


@database.retried
def _submit_reply(
    task_id: uuid.UUID,
    user: "User",
    text: str,
    lang: str | None,
    provenance: str,
    counted: writing.Counted | None,
    chosen_topics: Sequence[str],
    now: datetime,
) -> Message:
    config, task, tree = turns.begin(task_id, user, now)
    if not task.type.is_writing:
        raise WrongTaskKind
    text = text.strip()
    submission = _digest({"text": text})
    if task.done_at:
        return _same_or_raise(task, submission, task.result)
    turns.require_open(task, now)
    texts.check(text, config)
    texts.check_not_said(user, text, parent=task.message, config=config, now=now)
    lang = lang or task.lang
    tree = tree or _new_tree(task, lang, config, now)
    _claim_place(task, tree, config)
    found = screening.examine(text, lang, config)
    message = _store_message(task, tree, user, text, lang, provenance, found, now)
    if counted:
        writing.keep(message, counted, handed_out=task.created_at)
    if message.is_root:
        topics.begin(message, chosen_topics, now=now)
    _finish(task, now, submission=submission, result=message)
    kind = ContributionKind.PROMPT if message.is_root else ContributionKind.REPLY
    data = {"length": len(text), "role": message.role}
    journal.record(kind, user=user, now=now, message=message, task=task, data=data)
    trees.advance(tree, config=config, now=now)
    similar.enqueue(message)
    return message


def submit_labels(
    task_id: uuid.UUID, user: "User", values: Mapping[str, float], *, now: datetime
) -> TextLabels | GoldAnswer:
    """Store a review, or the answer to a gold item. Labels not answered are absent from `values`.

    A review that comes after the message had enough still counts. Raises InvalidLabels,
    SelfReview, AlreadyReviewed, NoLongerNeeded and the errors about tasks.
    """
    try:
        return _submit_labels(task_id, user, dict(values), now)
    except IntegrityError as error:
        if "textlabels_once_per_person" in str(error):
            raise AlreadyReviewed from error
        raise


@database.retried
def _submit_labels(
    task_id: uuid.UUID, user: "User", values: dict[str, float], now: datetime
) -> TextLabels | GoldAnswer:
    config, task, tree = turns.begin(task_id, user, now)
    if not task.type.is_labeling:
        raise WrongTaskKind
    submission = _digest({name: _number(value) for name, value in values.items()})
    if task.done_at:
        answered = "gold_answer" if task.gold_id else "label_set"
        return _same_or_raise(task, submission, getattr(task, answered, None))
    turns.require_open(task, now)
    form = labels.form_for(task.kind, task.form_mode)
    values = labels.validate(values, valid=form.valid, mandatory=form.mandatory)
    stored: TextLabels | GoldAnswer
    if task.gold_id:
        stored = gold.answer(task, values, now=now)
    else:
        stored = _store_review(task, tree, user, values, config, now)
    _finish(task, now, submission=submission)
    data = {"form": task.form_mode}
    journal.record(
        ContributionKind.LABELS, user=user, now=now, message=task.message, task=task, data=data
    )
    if tree is not None:
        trees.advance(tree, config=config, now=now)
    return stored


def _store_review(
    task: Task,
    tree: MessageTree | None,
    user: "User",
    values: dict[str, float],
    config: TreeConfig,
    now: datetime,
) -> TextLabels:
    message, _tree = _votable(task, tree)
    if message.user_id == user.pk:
        raise SelfReview
    label_set = TextLabels(message=message, user=user, kind=LabelKind.TASK, task=task)
    label_set.values, label_set.held, label_set.created_at = values, task.user.is_held, now
    label_set.save(force_insert=True)
    record_verdict(message, label_set, config=config, now=now)
    return label_set


def submit_ranking(
    task_id: uuid.UUID,
    user: "User",
    groups: Sequence[Sequence[uuid.UUID | str]],
    *,
    now: datetime,
    not_rankable: bool = False,
    reason: str = "",
) -> Ranking:
    """Store an order of the replies shown: groups of ties, best first.

    A ranking that comes after the tree was scored updates the ranks. Raises InvalidRanking,
    SelfReview, AlreadyReviewed, NoLongerNeeded and the errors about tasks.
    """
    ids = [[str(pk) for pk in group] for group in groups if group]
    try:
        return _submit_ranking(task_id, user, ids, not_rankable, reason[:500], now)
    except IntegrityError as error:
        if "ranking_once_per_person" in str(error):
            raise AlreadyReviewed from error
        raise


@database.retried
def _submit_ranking(
    task_id: uuid.UUID,
    user: "User",
    groups: list[list[str]],
    not_rankable: bool,
    reason: str,
    now: datetime,
) -> Ranking:
    config, task, tree = turns.begin(task_id, user, now)
    if not task.type.is_ranking:
        raise WrongTaskKind
    submission = _digest({"groups": groups, "not_rankable": not_rankable, "reason": reason})
    if task.done_at:
        return _same_or_raise(task, submission, getattr(task, "ranking", None))
    turns.require_open(task, now)
    _check_ranking(task, groups, not_rankable)
    parent = None if task.type.needs_no_slot else _votable(task, tree)[0]
    if tree is None:
        prompt_rankings.lock(task.shown_ids)
    scoring.count_ranking(task, user)
    ranking = Ranking.objects.create(
        parent=parent,
        user=user,
        task=task,
        groups=groups or [task.shown_ids],
        not_rankable=not_rankable,
        reason=reason,
        held=task.user.is_held,
        created_at=now,
    )
    _finish(task, now, submission=submission)
    journal.record(ContributionKind.RANKING, user=user, now=now, message=parent, task=task)
    if tree is not None:
        trees.advance(tree, config=config, now=now)
    return ranking


@database.retried
def skip(task_id: uuid.UUID, user: "User", *, now: datetime, reason: str = "") -> Task:
    """Give a task back. Its item is not offered to this person again. Skipping twice is fine."""
    config, task, tree = turns.begin(task_id, user, now)
    if task.done_at:
        raise AlreadySubmitted
    if task.skipped_at:
        return task
    task.skipped_at, task.skip_reason, task.holds_slot = now, reason.strip()[:512], False
    task.save(update_fields=["skipped_at", "skip_reason", "holds_slot"])
    journal.record(ContributionKind.SKIP, user=user, now=now, message=task.message, task=task)
    if tree and task.message:
        mark = _skip_mark(task.type)
        reactions.add_mark(task.message, user, mark, now=now)
        moderation.auto_moderate(tree, task.message, mark, config=config, now=now)
        trees.advance(tree, config=config, now=now)
    return task


@database.retried
def extend(task_id: uuid.UUID, user: "User", *, now: datetime) -> datetime:
    """Hold the task's slot for longer, as the open page asks. Returns until when.

    Raises SlotTaken if the reservation ended and somebody else got the place of a reply; reviews
    and rankings are welcome without one. Raises AlreadySubmitted, TaskSkipped, TaskExpired.
    """
    config, task, tree = turns.begin(task_id, user, now)
    if task.done_at:
        raise AlreadySubmitted
    turns.require_open(task, now)
    regained = tree is not None and not task.holds_slot and turns.is_free(task, tree, config)
    if task.type.is_reply and not (task.holds_slot or regained):
        raise SlotTaken
    task.reserved_until = min(now + reservation(task.type, config), task.expires_at)
    task.holds_slot = task.holds_slot or regained
    task.save(update_fields=["reserved_until", "holds_slot"])
    if tree is not None and regained:
        trees.advance(tree, config=config, now=now)
    return task.reserved_until


def save_draft(
    task_id: uuid.UUID, user: "User", body: Mapping[str, Any], *, now: datetime
) -> Draft:
    """Keep what somebody has entered so far; `body` is the form's content."""
    with transaction.atomic():
        _config, task, _tree = turns.begin(task_id, user, now, lock_tree=False)
        if task.done_at:
            raise AlreadySubmitted
        return _put_draft(task, body, "", now)


@database.retried
def discard_draft(task_id: uuid.UUID, user: "User") -> bool:
    """Throw away what somebody entered for a task of theirs; False if there is nothing (more).

    No contribution, so people who may not contribute can do it too. Raises TaskNotFound.
    """
    turns.lock_user(user)
    if not Task.objects.filter(pk=task_id, user=user).exists():
        raise TaskNotFound
    return bool(Draft.objects.filter(task=task_id).delete()[0])


def release_expired(*, now: datetime, limit: int = 500) -> int:
    """Free slots whose reservation ran out. The tasks stay open: a late submit may still fit."""
    overdue = Task.objects.with_overdue_reservation(now).values_list("tree", flat=True)
    released = 0
    for tree_id in dict.fromkeys(overdue[:limit]):
        with transaction.atomic():
            tree = MessageTree.objects.locked().filter(pk=tree_id).first()
            if tree is None:
                continue
            tasks = Task.objects.with_overdue_reservation(now).filter(tree=tree).order_by()
            released += tasks.update(holds_slot=False)
            trees.advance(tree, config=TreeConfig.current(), now=now)
    return released


def delete_expired(*, now: datetime) -> int:
    """Remove tasks nobody submitted in time; those with a draft stay, for their authors.

    They are kept for a while, so that a very late submit still finds its task and is kept.
    """
    release_expired(now=now, limit=10_000)
    expired = Task.objects.expired(now - KEEP_EXPIRED).filter(draft=None, holds_slot=False)
    return expired.delete()[0]


def _digest(body: Any) -> dict[str, str]:
    """A fingerprint of a submission, to recognise the same one again."""
    text = json.dumps(body, sort_keys=True, default=str)
    return {"sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}


def _number(value: object) -> object:
    """1 and 1.0 are the same answer."""
    return float(value) if isinstance(value, int | float) else value


def _same_or_raise(task: Task, submission: dict[str, str], stored: T | None) -> T:
    if task.submission != submission or stored is None:
        raise AlreadySubmitted
    return stored


def _finish(
    task: Task, now: datetime, *, submission: dict[str, str], result: Message | None = None
) -> None:
    task.done_at, task.holds_slot = now, False
    task.submission, task.result = submission, result
    task.save(update_fields=["done_at", "holds_slot", "submission", "result"])
    if hasattr(task, "draft"):
        task.draft.delete()


def _new_tree(task: Task, lang: str, config: TreeConfig, now: datetime) -> MessageTree:
    """A tree for a new prompt. Its goal is drawn from the task's id, which was drawn at random."""
    tree = MessageTree(
        id=_message_id(task),
        lang=lang,
        state=TreeState.INITIAL_PROMPT_REVIEW,
        goal_tree_size=config.goal_for_new_tree(random.Random(task.pk.int)),
        max_depth=config.max_tree_depth,
        max_children_count=config.max_children_count,
        num_prompter_replies=config.num_prompter_replies,
        state_since=now,
        created_at=now,
    )
    trees.start(tree, now=now, reason="prompt written", actor=task.user)
    return tree


def _message_id(task: Task) -> uuid.UUID:
    """One task makes one message, so its id follows from the task's."""
    return uuid.uuid5(task.pk, "message")


def _claim_place(task: Task, tree: MessageTree, config: TreeConfig) -> None:
    """Make sure the reply still fits. Raises SlotTaken."""
    if task.message and not task.holds_slot and not turns.is_free(task, tree, config):
        raise SlotTaken


def _store_message(
    task: Task,
    tree: MessageTree,
    user: "User",
    text: str,
    lang: str,
    provenance: str,
    findings: list[dict[str, Any]],
    now: datetime,
) -> Message:
    detected = detection.detect(text)
    parent = task.message
    return Message.objects.create(
        id=_message_id(task),
        tree=tree,
        parent=parent,
        user=user,
        role=Role(parent.role).other if parent else Role.PROMPTER,
        text=text,
        lang=lang,
        detected_lang=detected.lang if detected else "",
        depth=parent.depth + 1 if parent else 0,
        provenance=provenance[:500],
        held=task.user.is_held or bool(findings),
        findings=findings or None,
        created_at=now,
    )


def _votable(task: Task, tree: MessageTree | None) -> tuple[Message, MessageTree]:
    """The task's message and tree if votes still mean something. Raises NoLongerNeeded."""
    if task.message is None or tree is None or task.message.deleted or task.message.held:
        raise NoLongerNeeded
    if TreeState(tree.state) in STOPPED_STATES:
        raise NoLongerNeeded
    return task.message, tree


def _check_ranking(task: Task, groups: list[list[str]], not_rankable: bool) -> None:
    placed = [pk for group in groups for pk in group]
    if not_rankable and not placed:
        return
    if sorted(placed) != sorted(task.shown_ids):
        raise InvalidRanking


def _skip_mark(kind: TaskType) -> SkipMark:
    if kind.is_labeling:
        return SkipMark.LABELING
    return SkipMark.RANKING if kind.is_ranking else SkipMark.REPLY


def _put_draft(task: Task, body: Mapping[str, Any], because: str, now: datetime) -> Draft:
    draft, _ = Draft.objects.update_or_create(
        task=task, defaults={"body": _storable(body), "saved_at": now, "kept_because": because}
    )
    return draft


def _storable(value: Any) -> Any:
    """`value` without the characters that the database cannot keep in JSON."""
    if isinstance(value, str):
        return UNSTORABLE.sub("", value)
    if isinstance(value, Mapping):
        return {_storable(name): _storable(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(entry) for entry in value]
    return value


def keep_refused(
    task_id: uuid.UUID, user: "User", body: Mapping[str, Any], *, because: str, now: datetime
) -> None:
    """Store a draft of what was not taken, after the submit was rolled back."""
    with transaction.atomic():
        turns.lock_user(user)  # else another submit of the same task could end it meanwhile
        task = Task.objects.filter(pk=task_id, user=user, done_at=None).first()
        if task:
            _put_draft(task, body, because, now)
