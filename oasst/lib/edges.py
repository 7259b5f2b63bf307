"""What the views of every app share: who may come in, and how a broken rule is answered to pages
and to scripts."""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from oasst.lib import ratelimit
from oasst.lib.errors import DomainError
from oasst.lib.pages import too_many_requests
from oasst.lib.ratelimit import Allowance

FORM_INVALID = 422
SIGNED_OUT = 401

# Drafts are saved every few seconds and previews drawn while somebody types; more is a machine.
_WRITES = {"limit": 180, "window_s": 60}

View = Callable[..., HttpResponse]
Problem = Callable[[HttpRequest, DomainError], HttpResponse]


def signed_in(problem: Problem) -> Callable[[View], View]:
    """Let in who is signed in, and answer by `problem` a DomainError that the view leaves."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if not request.user.is_authenticated:
                return _sign_in(request)
            if request.method == "POST":
                allowance = _count_write(request.user.pk)
                if not allowance.allowed:
                    return slow_down(request, allowance.retry_after_s)
            try:
                return view(request, *args, **kwargs)
            except DomainError as error:
                return problem(request, error)

        return guarded

    return guard


def _count_write(user_id: UUID) -> Allowance:
    """Count one request of a person that may change something; the APIs count by themselves."""
    return ratelimit.hit("writes", str(user_id), **_WRITES)


def slow_down(request: HttpRequest, retry_after_s: int) -> HttpResponse:
    """Too many requests, said to a page or to a script."""
    if not wants_json(request):
        return too_many_requests(request, retry_after_s=retry_after_s)
    response = _json_error("too_many_requests", _("A little slower, please."), 429)
    response["Retry-After"] = str(retry_after_s)
    return response


def wants_json(request: HttpRequest) -> bool:
    """True for our scripts, which ask for JSON by name."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _sign_in(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        text = _("You are signed out. Sign in again in another tab; what you wrote stays here.")
        return _json_error("signed_out", text, SIGNED_OUT)
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(reverse("account_login"))
    return redirect_to_login(request.get_full_path())


def problem(request: HttpRequest, error: DomainError, *, template: str) -> HttpResponse:
    """Say what happened and what to do, in the form that the request understands."""
    if wants_json(request):
        return _json_error(error.code, error.message, error.status)
    if getattr(request, "htmx", False):
        toast = {"text": error.message, "tone": "error"}
        # There is nothing to show in the place of what stands there.
        response = HttpResponse(status=error.status, headers={"HX-Reswap": "none"})
        return trigger_client_event(response, "toast", toast)
    if error.status == 404:
        raise Http404(error.message)
    return render(request, template, {"error": error}, status=error.status)


def _json_error(code: str, message: str, status: int) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)
