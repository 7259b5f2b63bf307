"""axe-core on the page as it stands."""

from functools import cache
from typing import Any

from django.conf import settings
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SCRIPT = settings.BASE_DIR / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page) -> list[str]:
    """One line for each rule that the page breaks, with the elements."""
    page.evaluate(_script())
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", TAGS
    )
    return [
        f"{rule['id']}: {[node['target'] for node in rule['nodes']]}"
        for rule in found["violations"]
    ]


@cache
def _script() -> str:
    return SCRIPT.read_text(encoding="utf-8")
