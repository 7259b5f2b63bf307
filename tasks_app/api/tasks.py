"""Tasks: what there is to do, taking one, working on it, and sending the answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import SystemRandom
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from oasst.accounts.bearer import BearerToken, person, require
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from oasst.lib.api import Text, answers, require_valid
from oasst.lib.idempotency import once
from tasks_app import (
    assignment,
    blockers,
    browsing,
    interactions,
    kinds,
    labels,
    pacing,
    reclaiming,
    selection,
    similar,
    undo,
)
from tasks_app.api import drafts
from tasks_app.api.task_schemas import (
    MOST_LANGS,
    AvailableOut,
    DraftIn,
    HeldOut,
    LabelsIn,
    NextIn,
    RankingIn,
    ReceiptOut,
    ReplyIn,
    SavedOut,
    SkipIn,
    TaskLineOut,
    TaskOut,
    given,
)
from tasks_app.api.task_views import receipt, task_line, task_out
from tasks_app.config import TreeConfig
from tasks_app.enums import TaskType
from tasks_app.errors import (
    LanguageNotYours,
    NoTaskAvailable,
    SimilarText,
    TaskExpired,
    TooManyPendingTasks,
    WrongTaskKind,
)
from tasks_app.forms.work import SkipForm, WritingForm, joined_reason
from tasks_app.models import Task

READ, WRITE = BearerToken(Scope.READ_TASKS), BearerToken(Scope.WRITE_TASKS)
RNG = SystemRandom()
router = Router(tags=["tasks"])


# What there is


@router.get("/tasks/available", auth=READ, response=answers(list[AvailableOut]))
def list_available(
    request: HttpRequest,
    lang: list[Text] = Query([], max_length=MOST_LANGS),  # noqa: B008  (so ninja has it)
) -> Any:
    """How many tasks of each kind you could be handed, in `lang` or in all of your languages."""
    user = person(request)
    langs = own_langs(user, lang)
    counts = selection.available_tasks(user, langs, now=timezone.now())
    return [
        {
            "kind": kind.code,
            "title": str(kind.title),
            "section": kind.section,
            "minutes": kind.minutes,
            "count": counts.get(TaskType(kind.code), 0),
        }
        for kind in kinds.on_offer(TreeConfig.current())
    ]


@router.get("/tasks", auth=READ, response=answers(list[TaskLineOut]))
def list_open(request: HttpRequest) -> Any:
    """Your open tasks, newest first; no more than the page shows."""
    return [task_line(task) for task in browsing.open_tasks(person(request), now=timezone.now())]


@router.get("/tasks/kept", auth=READ, response=answers(list[TaskLineOut]))
def list_kept(request: HttpRequest) -> Any:
    """Tasks that are over and hold what you wrote for them, newest first."""
    return [task_line(task) for task in browsing.kept_drafts(person(request), now=timezone.now())]


@router.post("/tasks/next", auth=WRITE, response=answers(TaskOut))
@once
def take(request: HttpRequest, body: NextIn) -> Any:
    """Take a task. One of the kind that you have open already, with its place, comes again."""
    user, now = person(request), timezone.now()
    langs = own_langs(user, body.langs or ())
    require(pacing.count_request(user, body.kind))
    with _explaining(user, body.kind, langs):
        task = selection.next_task(user, body.kind, langs=langs, now=now, rng=RNG)
    return task_out(task.pk, user, now=now)


@router.get("/tasks/{uuid:task_id}", auth=READ, response=answers(TaskOut))
def read_task(request: HttpRequest, task_id: UUID) -> Any:
    """A task of yours: what it is about, or what became of it."""
    return task_out(task_id, person(request), now=timezone.now())


# Working on one


@router.put("/tasks/{uuid:task_id}/draft", auth=WRITE, response=answers(SavedOut))
def save_draft(request: HttpRequest, task_id: UUID, body: DraftIn) -> Any:
    """Keep what you have so far; the page of the task shows it too."""
    user = person(request)
    fields = drafts.entered(assignment.find(task_id, user), body)
    return interactions.save_draft(task_id, user, fields, now=timezone.now())


@router.delete("/tasks/{uuid:task_id}/draft", auth=WRITE, response=answers(None, 204))
def discard_draft(request: HttpRequest, task_id: UUID) -> Any:
    """Throw away what you have; nothing more is no error."""
    interactions.discard_draft(task_id, person(request))
    return Status(204, None)


@router.post("/tasks/{uuid:task_id}/reclaim", auth=WRITE, response=answers(TaskOut))
@once
def reclaim(request: HttpRequest, task_id: UUID) -> Any:
    """Take up the message of a task that has expired again, with what you wrote for it."""
    user, now = person(request), timezone.now()
    old = assignment.find(task_id, user)
    require(pacing.count_request(user, old.kind))
    with _explaining(user, old.kind, [old.lang]):
        found = reclaiming.reclaim(old, user, now=now, rng=RNG)
    return task_out(found.task.pk, user, now=now)


@router.post("/tasks/{uuid:task_id}/extend", auth=WRITE, response=answers(HeldOut))
def extend(request: HttpRequest, task_id: UUID) -> Any:
    """Hold the place for longer."""
    until = interactions.extend(task_id, person(request), now=timezone.now())
    return {"reserved_until": until}


@router.post("/tasks/{uuid:task_id}/skip", auth=WRITE, response=answers(None, 204))
def skip(request: HttpRequest, task_id: UUID, body: SkipIn) -> Any:
    """Give a task back. It is not offered to you again."""
    form = SkipForm({"reason": body.reason or "", "note": body.note})
    require_valid(form)
    interactions.skip(task_id, person(request), reason=form.text(), now=timezone.now())
    return Status(204, None)


# Answers


@router.post("/tasks/{uuid:task_id}/reply", auth=WRITE, response=answers(ReceiptOut))
@once
def submit_reply(request: HttpRequest, task_id: UUID, body: ReplyIn) -> Any:
    """Send the prompt or reply that a task asks you to write."""
    user = person(request)
    fields = drafts.written(body)
    form = WritingForm(fields)
    require_valid(form)
    text, provenance = form.cleaned_data["text"], form.provenance()
    if body.refuse_similar:
        _refuse_similar(assignment.find(task_id, user), user, text)
    stored = interactions.submit_reply(
        task_id,
        user,
        text,
        now=timezone.now(),
        provenance=provenance,
        chosen_topics=body.topics,
        entered=fields,
    )
    return receipt(assignment.find(task_id, user), stored)


@router.post("/tasks/{uuid:task_id}/labels", auth=WRITE, response=answers(ReceiptOut))
@once
def submit_labels(request: HttpRequest, task_id: UUID, body: LabelsIn) -> Any:
    """Send a review. A practice message tells afterwards, at the task, what was known of it."""
    user, now = person(request), timezone.now()
    task = assignment.find(task_id, user)
    if not task.type.is_labeling:
        raise WrongTaskKind
    valid = labels.form_for(task.kind, task.form_mode).valid
    values = labels.with_flags(given(body.labels), valid)
    with _keeping(user, task_id, body):
        stored = interactions.submit_labels(task_id, user, values, now=now)
    return receipt(assignment.find(task_id, user), stored)


@router.post("/tasks/{uuid:task_id}/ranking", auth=WRITE, response=answers(ReceiptOut))
@once
def submit_ranking(request: HttpRequest, task_id: UUID, body: RankingIn) -> Any:
    """Send an order, with ties, or why there is none."""
    user, now = person(request), timezone.now()
    reason = joined_reason(body.not_rankable or "", body.reason)
    not_rankable = body.not_rankable is not None
    with _keeping(user, task_id, body):
        stored = interactions.submit_ranking(
            task_id, user, body.groups, now=now, not_rankable=not_rankable, reason=reason
        )
    return receipt(assignment.find(task_id, user), stored)


@router.post("/tasks/{uuid:task_id}/undo", auth=WRITE, response=answers(TaskOut))
def undo_review(request: HttpRequest, task_id: UUID) -> Any:
    """Take a review back within some seconds; the task is yours again, with it as a draft."""
    user, now = person(request), timezone.now()
    undo.undo_labels(task_id, user, now=now)
    return task_out(task_id, user, now=now)


def own_langs(user: User, wanted: list[str] | tuple[str, ...]) -> list[str]:
    """Those of somebody's languages that are asked for; all by default. Raises LanguageNotYours."""
    own = user.contribution_languages
    if not set(wanted) <= set(own):
        raise LanguageNotYours
    return list(wanted or own)


def _refuse_similar(task: Task, user: User, text: str) -> None:
    """Raise SimilarText as the page says it; not for what was sent already."""
    found = similar.readable(text, task.lang, user, now=timezone.now()) if task.is_open else []
    if found:
        error = SimilarText()
        error.details = {"messages": [str(message.pk) for message in found]}
        raise error


@contextmanager
def _explaining(user: User, kind: str, langs: list[str]) -> Iterator[None]:
    """Add what would help to why there is no task, as the pages say it."""
    try:
        yield
    except TooManyPendingTasks as error:
        tasks = browsing.open_tasks(user, now=timezone.now())
        error.details = {"tasks": [str(task.pk) for task in tasks]}
        raise
    except NoTaskAvailable as error:
        found = blockers.explain(user, kind, langs, now=timezone.now())
        error.details = {"blockers": [_blocker(each) for each in found]}
        raise


@contextmanager
def _keeping(user: User, task_id: UUID, body: LabelsIn | RankingIn) -> Iterator[None]:
    """Keep as a draft what comes too late, as the page does."""
    try:
        yield
    except TaskExpired as error:
        entered = DraftIn.model_validate(body.model_dump())
        fields = drafts.entered(assignment.find(task_id, user), entered)
        interactions.keep_refused(task_id, user, fields, because=error.code, now=timezone.now())
        raise


def _blocker(each: blockers.Blocker) -> dict[str, Any]:
    kind = each.kind and each.kind.value
    return {"text": str(each.text), "kind": kind, "lang": each.lang, "count": each.count}
