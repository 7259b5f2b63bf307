"""The preview beside a field in which a message is written: how readers will see it, and a hint if
it seems to be in another language."""

from typing import Any

from django.http import HttpRequest

from tasks_app import languages


def of(request: HttpRequest, text: str, lang: str) -> dict[str, Any]:
    """What `tasks/_preview.html` shows of a text that should be in `lang`."""
    return {"text": text, "lang": lang, "hint": _other_language(text, lang, request.user)}


def _other_language(text: str, lang: str, user: Any) -> dict[str, Any] | None:
    """Which language a text seems to be in, if that is surely not `lang`."""
    detected = languages.detect(text)
    if detected is None or languages.matches(lang, detected):
        return None
    return {"lang": detected.lang, "is_mine": detected.lang in user.contribution_languages}
