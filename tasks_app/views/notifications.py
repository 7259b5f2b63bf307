"""The page of notifications, what people wish to be told, and the way out of the weekly mail."""

from typing import Any

from django.contrib import messages as toasts
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tasks_app import digests, notices, notifications
from tasks_app.forms.notifications import PageForm, ReadForm, WishesForm
from tasks_app.notice_records import Notification
from tasks_app.views.edges import FORM_INVALID


@require_safe
@never_cache
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """What one was told, newest first."""
    form = PageForm(request.GET)
    before = form.cleaned_data["before"] if form.is_valid() else None
    found, more = notifications.page(request.user, before)
    context = {
        "notices": [notices.notice(each) for each in found],
        "newest": found[0].pk if found else None,
        "more": f"?before={more}" if more else "",
        "back": "?" if before else "",
    }
    status = 200 if form.is_valid() else FORM_INVALID
    return render(request, "tasks/notifications.html", context, status=status)


@require_POST
@login_required
def read(request: HttpRequest) -> HttpResponse:
    """Mark all as read that the page showed; what came since stays new."""
    form = ReadForm(request.POST)
    if form.is_valid():
        up_to = form.cleaned_data["up_to"]
        notifications.mark_read(request.user, up_to=up_to, now=timezone.now())
    return redirect("tasks:notifications")


@require_POST
@login_required
def show(request: HttpRequest, notification_id: int) -> HttpResponse:
    """Go to what a notification is about, and mark it as read."""
    mine = Notification.objects.filter(user=request.user)
    found = get_object_or_404(mine, pk=notification_id)
    notifications.mark_read(request.user, only=found.pk, now=timezone.now())
    return redirect(notices.target(found))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def wishes(request: HttpRequest) -> HttpResponse:
    """What one wishes to be told, and whether by mail."""
    settings = notifications.settings_of(request.user)
    form = WishesForm(request.POST if request.method == "POST" else None, settings=settings)
    if request.method == "POST" and form.is_valid():
        asked: dict[str, Any] = {
            "muted": form.muted(),
            "weekly_digest": form.cleaned_data["weekly_digest"],
        }
        notifications.wish(request.user, now=timezone.now(), **asked)
        toasts.success(request, _("Your settings are saved."))
        return redirect("tasks:wishes")
    status = FORM_INVALID if form.errors else 200
    return render(request, "tasks/notification_settings.html", {"form": form}, status=status)


@csrf_exempt  # mail programs post here for their readers; the signed link is what counts
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """End the weekly mail, signed in or not. Opening the link alone changes nothing."""
    user_id = digests.owner_of(token)
    if user_id is None:
        raise Http404
    is_done = request.method == "POST"
    if is_done:
        digests.unsubscribe(user_id)
    return render(request, "tasks/unsubscribe.html", {"is_done": is_done})
