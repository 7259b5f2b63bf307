"""Messages, trees and contributions: what the pages let one read, and say outside of tasks."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from oasst.accounts.bearer import BearerToken, person, require
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from oasst.lib.api import answers, require_valid
from oasst.lib.idempotency import once
from tasks_app import (
    browsing,
    following,
    labels,
    own_work,
    pacing,
    reactions,
    reading,
    rewording,
    search,
)
from tasks_app.api.message_schemas import (
    FindMessages,
    FindOwn,
    FreeLabelsIn,
    MessageReportIn,
    OwnsOut,
    ReactionOut,
    RewordIn,
    TreeMessageDetail,
    TreeMessageOut,
    TreeMessagesOut,
    TreeOut,
)
from tasks_app.api.message_views import (
    detail_out,
    message_out,
    own_out,
    reactions_out,
    tree_out,
)
from tasks_app.api.task_schemas import QuestionOut, given
from tasks_app.api.task_views import question
from tasks_app.api.tasks import READ, WRITE, own_langs
from tasks_app.errors import MessageNotFound, UnderReview
from tasks_app.forms.messages import FreeLabelForm, ReactionForm
from tasks_app.models import Message, MessageTree
from tasks_app.reactions import InvalidReaction

ACCOUNT = BearerToken(Scope.READ_ACCOUNT)
router = Router(tags=["messages"])


@router.get("/messages", auth=READ, response=answers(TreeMessagesOut))
def list_messages(request: HttpRequest, find: Query[FindMessages]) -> Any:
    """Messages in your languages, newest first, or what a search finds."""
    user = person(request)
    langs = own_langs(user, [find.lang] if find.lang else [])
    wanted = search.Wanted(
        langs,
        words=find.q,
        role=find.role or "",
        state=find.state or "",
        is_mine=find.mine,
        by_relevance=find.sort == "best",
    )
    before = search.place(find.before) if find.before else None
    found = search.find(user, wanted, before=before, now=timezone.now())
    items = [message_out(card) for card in reading.cards(found.messages, user)]
    return {"items": items, "next": str(found.more) if found.more else None}


@router.get("/messages/{uuid:message_id}", auth=READ, response=answers(TreeMessageDetail))
def read_message(request: HttpRequest, message_id: UUID) -> Any:
    """A message and its way."""
    user = person(request)
    return detail_out(reading.cards([_shown(message_id, user)], user)[0])


@router.get("/messages/{uuid:message_id}/thread", auth=READ, response=answers(list[TreeMessageOut]))
def read_thread(request: HttpRequest, message_id: UUID) -> Any:
    """The conversation up to a message: from the initial prompt to it."""
    user = person(request)
    rows = Message.objects.there_for(user).select_related("tree")
    path = rows.thread(_shown(message_id, user))
    return [message_out(card) for card in reading.cards(path, user)]


@router.get("/messages/{uuid:message_id}/tree", auth=READ, response=answers(TreeOut))
def read_tree_of(request: HttpRequest, message_id: UUID) -> Any:
    """The whole tree of a message."""
    user = person(request)
    return _tree(_shown(message_id, user).tree, user)


@router.get("/trees/{uuid:tree_id}", auth=READ, response=answers(TreeOut))
def read_tree(request: HttpRequest, tree_id: UUID) -> Any:
    """A whole tree; its id is that of its initial prompt."""
    user = person(request)
    tree = MessageTree.objects.filter(pk=tree_id).first()
    if tree is None:
        raise MessageNotFound
    _require_no_review(tree, user)
    return _tree(tree, user)


@router.put("/trees/{uuid:tree_id}/follow", auth=WRITE, response=answers(None, 204))
def follow_tree(request: HttpRequest, tree_id: UUID) -> Any:
    """Be told when a reply of it is accepted and when it is finished."""
    following.follow(tree_id, person(request), now=timezone.now())
    return Status(204, None)


@router.delete("/trees/{uuid:tree_id}/follow", auth=WRITE, response=answers(None, 204))
def unfollow_tree(request: HttpRequest, tree_id: UUID) -> Any:
    """Be told of it no more."""
    following.unfollow(tree_id, person(request))
    return Status(204, None)


@router.patch(
    "/messages/{uuid:message_id}", auth=WRITE, response=answers(TreeMessageDetail), tags=["me"]
)
def edit_message(request: HttpRequest, message_id: UUID, body: RewordIn) -> Any:
    """Change a message of yours that nobody has begun to judge. Without `base`, whatever it was."""
    user, now = person(request), timezone.now()
    base = body.base or rewording.version(rewording.find(message_id, user, now=now))
    rewording.reword(message_id, user, body.text, base=base, now=now)
    return detail_out(reading.cards([_shown(message_id, user)], user)[0])


# Outside of tasks


@router.put(
    "/messages/{uuid:message_id}/reactions/{code}",
    auth=WRITE,
    response=answers(list[ReactionOut]),
)
def give_reaction(request: HttpRequest, message_id: UUID, code: str) -> Any:
    """Give an emoji; a thumb takes the other one away. Your own messages take none of yours."""
    return _react(request, message_id, code, "add")


@router.delete(
    "/messages/{uuid:message_id}/reactions/{code}",
    auth=WRITE,
    response=answers(list[ReactionOut]),
)
def take_reaction_back(request: HttpRequest, message_id: UUID, code: str) -> Any:
    """Take an emoji back."""
    return _react(request, message_id, code, "remove")


@router.post("/messages/{uuid:message_id}/report", auth=WRITE, response=answers(None, 204))
@once
def report(request: HttpRequest, message_id: UUID, body: MessageReportIn) -> Any:
    """Ask the moderators to look at a message. Until they have, another replaces the words."""
    user, now = person(request), timezone.now()
    found = reading.find_readable(message_id, user, now=now)
    require(pacing.count_report(user))
    reactions.report(found.pk, user, body.category, body.text, now=now)
    return Status(204, None)


@router.get("/messages/{uuid:message_id}/labels", auth=READ, response=answers(list[QuestionOut]))
def read_label_form(request: HttpRequest, message_id: UUID) -> Any:
    """The questions that anybody may answer about a message outside of a task."""
    found = reading.find_readable(message_id, person(request), now=timezone.now())
    asked = labels.free_form(found.role, is_root=found.is_root)
    return [question(name, mandatory=name in asked.mandatory) for name in asked.valid]


@router.put("/messages/{uuid:message_id}/labels", auth=WRITE, response=answers(None, 204))
def label(request: HttpRequest, message_id: UUID, body: FreeLabelsIn) -> Any:
    """Label a message outside of a task. It does not count as a review."""
    user, now = person(request), timezone.now()
    found = reading.find_readable(message_id, user, now=now)
    asked = labels.free_form(found.role, is_root=found.is_root)
    values = labels.validate(given(body.labels), valid=asked.valid, mandatory=asked.mandatory)
    form = FreeLabelForm(labels.as_entered(values), message=found)
    require_valid(form)
    reactions.label_freely(found.pk, user, form.values(), now=now)
    return Status(204, None)


# One's own


@router.get("/me/contributions", auth=ACCOUNT, response=answers(OwnsOut), tags=["me"])
def list_contributions(request: HttpRequest, find: Query[FindOwn]) -> Any:
    """What you did, newest first, and what became of it."""
    user, now = person(request), timezone.now()
    found, more = browsing.contributions(
        user, kind=find.kind or "", outcome=find.outcome or "", before=find.before
    )
    reviewed = reading.trees_in_open_review(user, now=now)
    return {
        "items": [own_out(entry) for entry in own_work.entries(found, user, reviewed)],
        "next": more,
    }


def _shown(message_id: UUID, user: User) -> Message:
    """A message that is there for somebody. Raises MessageNotFound, UnderReview."""
    rows = Message.objects.there_for(user).select_related("tree", "user")
    found = rows.filter(pk=message_id).first()
    if found is None:
        raise MessageNotFound
    _require_no_review(found.tree, user)
    return found


def _require_no_review(tree: MessageTree, user: User) -> None:
    task = reading.own_review(tree.pk, user, now=timezone.now())
    if task is not None:
        error = UnderReview()
        error.details = {"task": str(task.pk)}
        raise error


def _tree(tree: MessageTree, user: User) -> dict[str, Any]:
    rows = browsing.tree_messages(tree.pk, user)
    if not rows:
        raise MessageNotFound
    return tree_out(tree, reading.tree(rows, user))


def _react(request: HttpRequest, message_id: UUID, code: str, op: str) -> list[dict[str, Any]]:
    user, now = person(request), timezone.now()
    found = reading.find_readable(message_id, user, now=now)
    if not ReactionForm({"code": code}).is_valid():
        raise InvalidReaction
    found.emojis = reactions.react(found.pk, user, code, now=now, op=op)
    return reactions_out(reading.cards([found], user)[0])
