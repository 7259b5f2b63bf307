"""The page on which a conversation's topics are chosen."""

import uuid

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from tasks_app import topics
from tasks_app.forms.topics import TopicsForm
from tasks_app.models import MessageTree
from tasks_app.views.edges import FORM_INVALID, contributor
from tasks_app.views.messages import to_own_review


@require_http_methods(["GET", "HEAD", "POST"])
@contributor
def choose(request: HttpRequest, tree_id: uuid.UUID) -> HttpResponse:
    """Show the topics of a tree as marks, or store those that are set."""
    tree = get_object_or_404(MessageTree, pk=tree_id)
    if response := to_own_review(request, tree):
        return response
    if request.method != "POST":
        known = [row.topic for row in topics.of(tree_id)]
        return _page(request, tree, TopicsForm(initial=TopicsForm.marks(known)))
    form = TopicsForm(request.POST)
    if not form.is_valid():
        return _page(request, tree, form)
    topics.choose(tree_id, request.user, form.topics(), now=timezone.now())
    toasts.success(request, _("The topics are saved."))
    return redirect("tasks:tree", tree_id)


def _page(request: HttpRequest, tree: MessageTree, form: TopicsForm) -> HttpResponse:
    prompt = topics.require_choice(tree.pk, request.user)
    context = {"tree": tree, "prompt": prompt, "form": form}
    status = FORM_INVALID if form.is_bound else 200
    return render(request, "tasks/topics.html", context, status=status)
