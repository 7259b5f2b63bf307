"""How the views of the collection let people in and answer a broken rule."""

from random import SystemRandom

from django.http import HttpRequest, HttpResponse

from oasst.lib import edges
from oasst.lib.edges import FORM_INVALID, slow_down, wants_json
from oasst.lib.errors import DomainError
from tasks_app.errors import NotAllowed

__all__ = ["FORM_INVALID", "RNG", "contributor", "problem", "slow_down", "wants_json"]

RNG = SystemRandom()


def problem(request: HttpRequest, error: DomainError) -> HttpResponse:
    """Say what happened and what to do."""
    name = "not_allowed" if isinstance(error, NotAllowed) else "problem"
    return edges.problem(request, error, template=f"tasks/{name}.html")


contributor = edges.signed_in(problem)
