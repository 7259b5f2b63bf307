"""`Idempotency-Key`: whoever did not hear the answer to a POST sends it again, and one
thing happens.

An answer is kept for a day in Redis, by person and key. It may be lost there, which costs no data:
what the API stores is guarded by rules of its own too. Refusals are not kept, for they changed
nothing: the same request may be tried again. Source: draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import json
import logging
import re
import zlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from ninja.decorators import decorate_view
from ninja.operation import Operation
from ninja.utils import contribute_operation_callback
from redis.exceptions import RedisError

from oasst.lib.errors import DomainError
from oasst.lib.queue import redis_client

logger = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
KEPT_S = 24 * 3600
# A request that takes longer than this died with its process.
UNDER_WAY_S = 60
_KEY = re.compile(r"[!-~]{1,200}")
_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A name of your choice for this request, such as a UUID. Sent again within a "
    "day, the same request gets the same answer and has no second effect.",
    "schema": {"type": "string", "maxLength": 200, "pattern": f"^{_KEY.pattern}$"},
}

View = Callable[..., Any]


class BadKey(DomainError):
    code, status = "idempotency_key_invalid", 400
    default_message = _("An Idempotency-Key has 1 to 200 visible ASCII characters.")


class KeyReused(DomainError):
    code, status = "idempotency_key_reused", 409
    default_message = _(
        "This Idempotency-Key came with another request before. Choose a new one for each request."
    )


class UnderWay(DomainError):
    """The same request is being worked on at this moment."""

    code, status = "request_under_way", 409
    default_message = _("The same request is being worked on. Ask again in a moment.")
    retry_after_s = 1


def once(view: View) -> View:
    """Let an operation, below the router's decorator, heed the header. It needs `request.auth`."""

    def contribute(operation: Operation) -> None:
        operation.view_func = _claiming(operation.view_func)
        operation.openapi_extra = {"parameters": [_PARAMETER]} | (operation.openapi_extra or {})

    contribute_operation_callback(view, contribute)
    decorated: View = decorate_view(_keeping)(view)
    return decorated


def _claiming(view: View) -> View:
    """Answer from what is kept, else go on; the person is known by now."""

    @wraps(view)
    def claimed(request: Any, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if key is None:
            return view(request, *args, **kwargs)
        if not _KEY.fullmatch(key):
            raise BadKey
        name = f"once:{request.auth.pk}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        claim = name, _print_of(request)
        kept = _claim(*claim)
        if kept is not None:
            return kept
        request.once = claim
        return view(request, *args, **kwargs)

    return claimed


def _keeping(run: View) -> View:
    """Keep the answer of what was claimed, or let the claim go."""

    @wraps(run)
    def kept(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        response = None
        try:
            response = run(request, *args, **kwargs)
            return response
        finally:
            claim = getattr(request, "once", None)
            if claim is not None:
                name, print_ = claim
                _settle(name, print_, response)

    return kept


def _claim(name: str, print_: str) -> HttpResponse | None:
    """What was answered to this request; None if it is a new one, which is claimed with this.

    Raises KeyReused, UnderWay.
    """
    client = redis_client()
    try:
        if client.set(name, _packed({"request": print_}), nx=True, ex=UNDER_WAY_S):
            return None
        packed: Any = client.get(name)
    except RedisError as error:
        logger.warning("idempotency is not checked: %s", type(error).__name__)
        return None
    if packed is None:  # it ended between the two
        raise UnderWay
    return _answer(json.loads(zlib.decompress(packed)), print_)


def _answer(kept: dict[str, Any], print_: str) -> HttpResponse:
    if kept["request"] != print_:
        raise KeyReused
    if "status" not in kept:
        raise UnderWay
    response = HttpResponse(kept["body"], status=kept["status"], content_type=kept["type"])
    response["Idempotency-Replayed"] = "true"
    return response


def _settle(name: str, print_: str, response: HttpResponse | None) -> None:
    try:
        if response is None or response.status_code >= 400:
            redis_client().delete(name)
            return
        kept = {
            "request": print_,
            "status": response.status_code,
            "type": response["Content-Type"],
            "body": response.content.decode(),
        }
        redis_client().set(name, _packed(kept), ex=KEPT_S)
    except RedisError as error:
        logger.warning("an answer is not kept: %s", type(error).__name__)


def _packed(value: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(value).encode())


def _print_of(request: HttpRequest) -> str:
    head = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(head + request.body).hexdigest()
