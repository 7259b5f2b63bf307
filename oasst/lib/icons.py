"""SVG put into the page itself, so that it takes the theme's colours: icons from lucide-static
(in node_modules) and our own drawings (in static/img)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_OUTER = re.compile(r"<svg[^>]*?viewBox=\"(?P<box>[^\"]+)\"[^>]*>(?P<body>.*)</svg>", re.DOTALL)


def icon_folder() -> Path:
    return Path(settings.BASE_DIR) / "node_modules" / "lucide-static" / "icons"


def drawing_folder() -> Path:
    return Path(settings.BASE_DIR) / "static" / "img" / "drawings"


@cache
def _read_svg(folder: Path, name: str) -> tuple[str, SafeString]:
    """The view box and the body of `name`. Raises ValueError for a name that does not exist."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an SVG file")
    try:
        source = (folder / f"{name}.svg").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(
            f"no {name}.svg in {folder}; is the name right, and did `npm ci` run?"
        ) from None
    match = _OUTER.search(source)
    if match is None:
        raise ValueError(f"{name}.svg has no viewBox")
    # Safe: these files are part of the project or pinned by the lock file.
    return match["box"], mark_safe(" ".join(match["body"].split()))


def _naming(label: str) -> SafeString:
    if not label:
        return mark_safe('aria-hidden="true" focusable="false"')
    return format_html('role="img" aria-label="{}"', label)


def icon(name: str, *, label: str = "", css_class: str = "") -> SafeString:
    """An icon of the text's size and colour. Without `label` it is decoration."""
    box, body = _read_svg(icon_folder(), name)
    return format_html(
        '<svg class="icon{}" viewBox="{}" width="24" height="24" fill="none" stroke="currentColor"'
        ' stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" {}>{}</svg>',
        f" {css_class}" if css_class else "", box, _naming(label), body,
    )  # fmt: skip


def drawing(name: str, *, label: str = "") -> SafeString:
    """One of our line drawings, in the theme's colours (classes `d-line`, `d-accent`, `d-fill`)."""
    box, body = _read_svg(drawing_folder(), name)
    return format_html(
        '<svg class="drawing" viewBox="{}" fill="none" {}>{}</svg>', box, _naming(label), body
    )
