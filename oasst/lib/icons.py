"""SVG put into the page itself, so that it takes the theme's colours: icons from lucide-static
(in node_modules) and our own drawings (in static/img).

Within `drawn_once()` the lines of an icon are written once, in the sprite, however often it stands
on the page; fragments that are fetched later bring theirs along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

_LINES = (
    'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round"'
    ' stroke-linejoin="round"'
)
# The names of the icons on the page that is being drawn; None for a fragment.
_on_page: ContextVar[set[str] | None] = ContextVar("icons_on_page", default=None)

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_OUTER = re.compile(r"<svg[^>]*?viewBox=\"(?P<box>[^\"]+)\"[^>]*>(?P<body>.*)</svg>", re.DOTALL)


@cache
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
        return mark_safe('aria-hidden="true"')
    return format_html('role="img" aria-label="{}"', label)


def icon(name: str, *, label: str = "", css_class: str = "") -> SafeString:
    """An icon of the text's size and colour. Without `label` it is decoration."""
    on_page = _on_page.get()
    if on_page is None:
        return _whole(name, str(label), css_class)
    on_page.add(name)
    return _reference(name, str(label), css_class)


# A page has dozens of icons, and most of them are on every page. Typed, because a label that is
# marked as safe is another than the same one that is not.
@lru_cache(maxsize=1024, typed=True)
def _whole(name: str, label: str, css_class: str) -> SafeString:
    box, body = _read_svg(icon_folder(), name)
    return format_html(
        '<svg class="{}" viewBox="{}" width="24" height="24" {} {}>{}</svg>',
        f"icon {css_class}".rstrip(), box, mark_safe(_LINES), _naming(label), body,
    )  # fmt: skip


@lru_cache(maxsize=1024, typed=True)
def _reference(name: str, label: str, css_class: str) -> SafeString:
    """To the symbol of the name in the sprite."""
    _read_svg(icon_folder(), name)
    return format_html(
        '<svg class="{}" width="24" height="24" {}><use href="#icon-{}"/></svg>',
        f"icon {css_class}".rstrip(), _naming(label), name,
    )  # fmt: skip


@contextmanager
def drawn_once() -> Iterator[set[str]]:
    """Let the icons drawn within refer to the `sprite` of the names that this gives."""
    names: set[str] = set()
    before = _on_page.set(names)
    try:
        yield names
    finally:
        _on_page.reset(before)


def sprite(names: set[str]) -> SafeString:
    """The lines of the icons of a page, which the page holds once."""
    symbols = mark_safe("".join(_symbol(name) for name in sorted(names)))
    return format_html(
        '<svg class="visually-hidden" width="0" height="0" aria-hidden="true">{}</svg>', symbols
    )


@cache
def _symbol(name: str) -> SafeString:
    box, body = _read_svg(icon_folder(), name)
    return format_html(
        '<symbol id="icon-{}" viewBox="{}" {}>{}</symbol>', name, box, mark_safe(_LINES), body
    )


def drawing(name: str, *, label: str = "") -> SafeString:
    """One of our line drawings, in the theme's colours (classes `d-line`, `d-accent`, `d-fill`)."""
    box, body = _read_svg(drawing_folder(), name)
    return format_html(
        '<svg class="drawing" viewBox="{}" fill="none" {}>{}</svg>', box, _naming(label), body
    )
