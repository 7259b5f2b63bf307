"""Who comes into training's pages, and how a broken rule is said there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from oasst.lib import edges
from oasst.lib.errors import DomainError
from training.models import TrainingRun

FORM_INVALID = edges.FORM_INVALID


def problem(request: HttpRequest, error: DomainError) -> HttpResponse:
    """Say what happened and what to do."""
    return edges.problem(request, error, template="training/problem.html")


def _only(role: str) -> Callable[[edges.View], edges.View]:
    def guard(view: edges.View) -> edges.View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if not getattr(request.user, role):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return edges.signed_in(problem)(guarded)

    return guard


# Staff looks; admins start, stop and promote: a config names files of the server.
staff = _only("is_staff")
admin = _only("is_admin")


def run_or_404(run_id: UUID) -> TrainingRun:
    runs = TrainingRun.objects.select_related("snapshot", "round", "queued_by", "checkpoint")
    run = runs.filter(pk=run_id).first()
    if run is None:
        raise Http404
    return run
