"""The REST API: one NinjaAPI below /api/v1/ with the routers of the apps, and how it says no."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import FileResponse, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import NinjaAPI, Router
from ninja.errors import AuthenticationError, HttpError, ValidationError

from chat_app import api as chat
from leaderboard_app import api as community
from oasst import privacy
from oasst.accounts.bearer import BearerToken, TokenMissing, person, require
from oasst.accounts.enums import Scope
from oasst.lib.api import answers
from oasst.lib.errors import DomainError
from tasks_app.api import messages, tasks


def _tell_scopes(router: Router) -> None:
    """Add to what the documentation says of each operation which scope it needs."""
    for view in router.path_operations.values():
        for operation in view.operations:
            for auth in operation.auth_callbacks:
                operation.description += f"\n\nNeeds the scope `{auth.scope}`."


api = NinjaAPI(
    title=f"{settings.SITE_NAME} API",
    version="1",
    description="Tasks, messages and your chats, for programs. Make a token on your account page, "
    "with the scopes that your program needs, and send it as `Authorization: Bearer …`. A POST "
    "that creates something takes an `Idempotency-Key`; whoever is too quick is told in "
    "`Retry-After` how long to wait. Models answer at `/v1/chat/completions` in OpenAI's format "
    "too.",
    urls_namespace="api",
)
for router in (tasks.router, messages.router, community.router, chat.router):
    _tell_scopes(router)
    api.add_router("", router)


@api.get(
    "/me/export",
    auth=BearerToken(Scope.READ_ACCOUNT),
    response=answers(dict[str, Any]),
    tags=["me"],
)
def export_me(request: HttpRequest) -> FileResponse:
    """Everything that is kept about you, as on the account page."""
    user = person(request)
    require(privacy.count_download(user))
    return privacy.as_file(user, now=timezone.now())


_tell_scopes(api.default_router)


def _refuse(
    request: HttpRequest, status: int, code: str, message: str, **more: Any
) -> HttpResponse:
    body = {"error": {"code": code, "message": message, **more}}
    return api.create_response(request, body, status=status)


@api.exception_handler(DomainError)
def _domain_error(request: HttpRequest, error: DomainError) -> HttpResponse:
    more = {"details": error.details} if error.details else {}
    response = _refuse(request, error.status, error.code, error.message, **more)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    retry_after_s = getattr(error, "retry_after_s", 30 if error.status == 503 else None)
    if retry_after_s is not None:
        response["Retry-After"] = str(retry_after_s)
    return response


@api.exception_handler(AuthenticationError)
def _no_token(request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    return _domain_error(request, TokenMissing())


@api.exception_handler(HttpError)
def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    return _refuse(request, error.status_code, "unreadable", error.message)


@api.exception_handler(RequestDataTooBig)
def _too_large(request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
    return _refuse(request, 413, "too_large", _("The request is larger than a megabyte."))


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    # Without the input, which may be large, and may be what no JSON can say.
    fields = [{"at": list(each["loc"]), "problem": each["msg"]} for each in error.errors]
    message = _("The request is not what this address expects; see the fields.")
    return _refuse(request, 422, "invalid", message, fields=fields)
