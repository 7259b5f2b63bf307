"""How the community's pages let people in and answer a broken rule."""

from django.http import HttpRequest, HttpResponse

from oasst.lib import edges
from oasst.lib.errors import DomainError


def problem(request: HttpRequest, error: DomainError) -> HttpResponse:
    """Say what happened and what to do."""
    return edges.problem(request, error, template="tasks/problem.html")


member = edges.signed_in(problem)
