"""Pages that need no account: a shared thread, and the models on offer."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chat_app import reading, sharing
from chat_app.errors import ChatNotFound


@require_safe
@never_cache
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """A copy of a thread behind a link. Search engines are asked to leave it alone."""
    try:
        found = sharing.shared(token)
    except ChatNotFound as error:
        raise Http404(error.message) from error
    response = render(request, "chat/shared.html", {"share": found, "thread": found.thread})
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    """What each model on offer is, under which licence, and who runs it."""
    return render(request, "chat/models.html", {"offers": reading.offers(now=timezone.now())})
