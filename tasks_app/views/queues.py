"""What waits, how much and for how long: for contributors in their languages, for staff in all."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tasks_app import kinds, queue_health
from tasks_app.models import Task
from tasks_app.views.edges import contributor


@require_safe
@contributor
def queues(request: HttpRequest) -> HttpResponse:
    """Each kind of work in each language, the one that waits longest first."""
    user = request.user
    shows_all = bool(user.is_staff and request.GET.get("all"))
    langs = None if shows_all else user.contribution_languages
    now = timezone.now()
    gold_items = Task.objects.gold_in_hand(user, now).values_list("lang", "kind")
    waiting = queue_health.as_if_taken(queue_health.queues(now=now, langs=langs), gold_items)
    context: dict[str, Any] = {
        "queues": [{"queue": queue, "kind": kinds.KINDS[queue.kind]} for queue in waiting],
        "starving": sum(queue.is_starving for queue in waiting),
        "places": sum(queue.slots for queue in waiting),
        "starving_after": queue_health.STARVING_AFTER.days,
        "shows_all": shows_all,
        "own_langs": user.contribution_languages,
    }
    return render(request, "tasks/queues.html", context)
