"""The preview beside a field in which a message is written: how readers will see it, a hint if it
seems to be in another language, and what says nearly the same."""

import uuid
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from oasst.lib import detection
from tasks_app import similar
from tasks_app.models import Message


def of(
    request: HttpRequest, text: str, lang: str, *, but: uuid.UUID | None = None
) -> dict[str, Any]:
    """What `tasks/_preview.html` shows of a text that should be in `lang`, for the message `but`
    if it is there already."""
    return {
        "text": text,
        "lang": lang,
        "hint": _other_language(text, lang, request.user),
        "similar": alike(request, text, lang, but=but),
    }


def alike(
    request: HttpRequest, text: str, lang: str, *, but: uuid.UUID | None = None
) -> list[Message]:
    """Messages that say nearly the same and that the author may see."""
    return similar.readable(text, lang, request.user, now=timezone.now(), but=but)


def _other_language(text: str, lang: str, user: Any) -> dict[str, Any] | None:
    """Which language a text seems to be in, if that is surely not `lang`."""
    detected = detection.detect(text)
    if detected is None or detection.matches(lang, detected):
        return None
    return {"lang": detected.lang, "is_mine": detected.lang in user.contribution_languages}
