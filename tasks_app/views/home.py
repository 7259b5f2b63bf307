"""The landing page: what a visitor sees before signing in."""

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from tasks_app import practice as items
from tasks_app.models import Message, MessageTree
from tasks_app.views import practice

# Counting everything takes a moment on a large database, and nobody needs it to the second.
COUNTS_LIFETIME_S = 60


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The landing page; people who are signed in go on to their dashboard."""
    if request.user.is_authenticated:
        return redirect("tasks:dashboard")
    counts = cache.get_or_set("home:counts", _count, COUNTS_LIFETIME_S)
    lang = practice.lang_of(request)
    item = items.next_item(lang)
    return render(request, "pages/landing.html", {"counts": counts, **practice.shown(item, lang)})


def _count() -> dict[str, int]:
    trees = MessageTree.objects.order_by()
    # Who never accepted the terms cannot do anything here.
    people = get_user_model().objects.filter(is_active=True).exclude(tos_version="")
    return {
        "people": people.count(),
        "messages": Message.objects.visible().count(),
        "languages": trees.values("lang").distinct().count(),
    }
