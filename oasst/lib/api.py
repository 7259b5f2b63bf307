"""What the routers of the REST API share: how bodies are read, and what every operation answers."""

from collections.abc import Callable
from typing import Annotated, Any

from django.forms import Form
from ninja import Schema
from ninja.errors import ValidationError
from pydantic import AfterValidator, BeforeValidator, ConfigDict

from oasst.lib.characters import UNSTORABLE

REFUSALS = frozenset({400, 401, 403, 404, 409, 410, 413, 422, 429, 503})


def _storable(text: str) -> str:
    if UNSTORABLE.search(text):
        raise ValueError("null characters and half characters cannot be stored")
    return text


Text = Annotated[str, AfterValidator(_storable)]


def read_by(parse: Callable[[str], object]) -> BeforeValidator:
    """Refuse texts that `parse` cannot read, for which it raises ValueError; none is fine."""

    def readable(text: str) -> str:
        if text:
            parse(text)
        return text

    return BeforeValidator(readable)


class Strict(Schema):
    """A body without fields that nobody reads: a slip of the pen is told."""

    model_config = ConfigDict(extra="forbid")


class ErrorBody(Schema):
    code: str
    message: str
    fields: list[dict[str, Any]] | None = None
    details: dict[str, Any] | None = None


class ErrorOut(Schema):
    """Every refusal: what happened, then what to do."""

    error: ErrorBody


def require_valid(form: Form, *, source: str = "body") -> None:
    """Refuse what a form of the pages refuses, field by field. Raises ValidationError."""
    if not form.is_valid():
        found = [(name, text) for name, texts in form.errors.items() for text in texts]
        raise ValidationError(
            [{"type": "form", "loc": (source, name), "msg": str(text)} for name, text in found]
        )


def answers(success: Any, status: int = 200) -> dict[Any, Any]:
    """What an operation may answer."""
    return {status: success, REFUSALS: ErrorOut}
