"""Reading: the list of messages, trees, and what one can say about a message outside of tasks."""

import uuid
from typing import Any

from django.contrib import messages as toasts
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import trigger_client_event

from oasst.accounts.redirects import wanted_path
from tasks_app import (
    browsing,
    following,
    pacing,
    reactions,
    reading,
    search,
    timeline,
    topics,
)
from tasks_app.config import TreeConfig
from tasks_app.enums import TreeState
from tasks_app.errors import UnderReview
from tasks_app.forms.messages import BrowseForm, FollowForm, FreeLabelForm, ReactionForm, ReportForm
from tasks_app.models import Message, MessageTree
from tasks_app.reactions import InvalidReaction
from tasks_app.views import result_page
from tasks_app.views.edges import FORM_INVALID, contributor, slow_down


@require_safe
@contributor
def message_list(request: HttpRequest) -> HttpResponse:
    """Recent messages, one's own, or what a search finds."""
    form = BrowseForm(request.GET, langs=request.user.contribution_languages)
    context: dict[str, Any] = {"form": form, "cards": []}
    if not form.is_valid():
        return render(request, "tasks/messages.html", context, status=FORM_INVALID)
    try:
        found = search.find(
            request.user, form.wanted(), before=form.cleaned_data["before"], now=timezone.now()
        )
    except search.TooSlow as error:
        context |= {"error": error, "is_mine": form.cleaned_data["mine"]}
        return render(request, "tasks/messages.html", context, status=error.status)
    context |= result_page.context(form, found, request.user)
    return render(request, "tasks/messages.html", context)


@require_safe
@contributor
def message(request: HttpRequest, message_id: uuid.UUID) -> HttpResponse:
    """The tree of a message, with the message marked."""
    rows = Message.objects.there_for(request.user).select_related("tree")
    found = get_object_or_404(rows, pk=message_id)
    return to_own_review(request, found.tree) or _tree_page(request, found.tree, target=found.pk)


@require_safe
@contributor
def tree(request: HttpRequest, tree_id: uuid.UUID) -> HttpResponse:
    """A whole tree."""
    found = get_object_or_404(MessageTree, pk=tree_id)
    return to_own_review(request, found) or _tree_page(request, found)


@require_POST
@contributor
def follow(request: HttpRequest, tree_id: uuid.UUID) -> HttpResponse:
    """Follow a tree, or leave it with `leave`."""
    form = FollowForm(request.POST)
    if form.is_valid() and form.cleaned_data["leave"]:
        following.unfollow(tree_id, request.user)
        toasts.success(request, _("You are not told of this conversation any more."))
    else:
        following.follow(tree_id, request.user, now=timezone.now())
        toasts.success(request, _("You are told of accepted replies, and of the end."))
    return redirect("tasks:tree", tree_id)


def to_own_review(request: HttpRequest, found: MessageTree) -> HttpResponse | None:
    """To the task, if a review in this tree waits for the person's answer."""
    task = reading.own_review(found.pk, request.user, now=timezone.now())
    if task is None:
        return None
    toasts.info(request, str(UnderReview.default_message))
    return redirect("tasks:work", task.pk)


def _tree_page(
    request: HttpRequest, found: MessageTree, *, target: uuid.UUID | None = None
) -> HttpResponse:
    rows = browsing.tree_messages(found.pk, request.user)
    if not rows:
        raise Http404
    root = reading.tree(rows, request.user, target=target)
    context = {
        "tree": found,
        "state": TreeState(found.state),
        "root": root,
        "count": len(rows),
        "topics": topics.of(found.pk),
        "may_choose_topics": topics.may_choose(found.pk, request.user),
        "is_followed": following.is_followed(found.pk, request.user),
        "target": target,
        "way": _way(root.find_target()),
    }
    return render(request, "tasks/tree.html", context)


def _way(card: reading.Card | None) -> dict[str, Any] | None:
    """What became of the message that the page is about."""
    if card is None:
        return None
    events = timeline.of_card(card, TreeConfig.current())
    return None if events is None else {"card": card, "events": events}


@require_http_methods(["GET", "HEAD", "POST"])
@contributor
def react(request: HttpRequest, message_id: uuid.UUID) -> HttpResponse:
    """Give an emoji or take it back; or see which there are."""
    found = reading.find_readable(message_id, request.user, now=timezone.now())
    if request.method != "POST":
        return _dialog(request, "react", found, card=reading.cards([found], request.user)[0])
    form = ReactionForm(request.POST)
    if not form.is_valid():
        raise InvalidReaction
    code = form.cleaned_data["code"]
    found.emojis = reactions.react(found.pk, request.user, code, now=timezone.now())
    if request.htmx:
        card = reading.cards([found], request.user)[0]
        response = render(request, "tasks/_reactions.html", {"card": card})
        return trigger_client_event(response, "dialog:done", {})
    return _back(request, found.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@contributor
def report(request: HttpRequest, message_id: uuid.UUID) -> HttpResponse:
    """Ask the moderators to look at a message."""
    found = reading.find_readable(message_id, request.user, now=timezone.now())
    form = ReportForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _dialog(request, "report", found, form=form)
    allowance = pacing.count_report(request.user)
    if not allowance.allowed:
        return slow_down(request, allowance.retry_after_s)
    reactions.report(
        found.pk,
        request.user,
        form.cleaned_data["category"],
        form.cleaned_data["text"],
        now=timezone.now(),
    )
    return _thank(request, found.pk, _("Thank you. The moderators will look at this message."))


@require_http_methods(["GET", "HEAD", "POST"])
@contributor
def label(request: HttpRequest, message_id: uuid.UUID) -> HttpResponse:
    """Label a message outside of a task."""
    found = reading.find_readable(message_id, request.user, now=timezone.now())
    form = FreeLabelForm(request.POST if request.method == "POST" else None, message=found)
    if not form.is_valid():
        return _dialog(request, "labels", found, form=form)
    reactions.label_freely(found.pk, request.user, form.values(), now=timezone.now())
    return _thank(request, found.pk, _("Thank you. Your labels are saved."))


def _dialog(request: HttpRequest, name: str, found: Message, **context: Any) -> HttpResponse:
    """A form in a dialog for scripts, as a page of its own without them."""
    template = f"tasks/_{name}_form.html" if request.htmx else f"tasks/{name}.html"
    status = FORM_INVALID if request.method == "POST" else 200
    context |= {"message": found, "back": wanted_path(request)}
    return render(request, template, context, status=status)


def _thank(request: HttpRequest, message_id: uuid.UUID, text: str) -> HttpResponse:
    if request.htmx:
        response = HttpResponse()
        trigger_client_event(response, "toast", {"text": text, "tone": "success"})
        return trigger_client_event(response, "dialog:done", {})
    toasts.success(request, text)
    return _back(request, message_id)


def _back(request: HttpRequest, message_id: uuid.UUID) -> HttpResponse:
    """To the page that the form stood on, else to the message."""
    url = wanted_path(request)
    return redirect(url) if url else redirect("tasks:message", message_id)
