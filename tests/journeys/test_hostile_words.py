"""A real browser finds nothing to run in words that are markup; the policy is never called upon."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from oasst.accounts.models import User
from tests.hostile import CANARY, READ_BY_CONTRIBUTORS, READ_BY_STAFF, TAG, WORK, arrange, poison

# Each has got past some sanitizer once.
MUTATIONS = "\n\n".join(
    (
        TAG,
        "<img src=x onerror=canary()><svg><script>canary()</script>",
        "<math><mtext><table><mglyph><style><img src=x onerror=canary()>",
        "<noscript><p title='</noscript><img src=x onerror=canary()>'>",
        '[a](javascript:canary() "x") ![b](x"onerror="canary()) [c]: data:text/html,canary',
        "```<script>canary()</script>\n<!--\n``` <a href=`javascript:canary()`>",
        "| <b> | a |\n|---|:-:|\n| <style>*{color:red}</style> | `</td><img onerror=canary()>` |",
    )
)
PATHS = {
    "alice": READ_BY_CONTRIBUTORS + WORK,
    "root": READ_BY_STAFF,
}


@pytest.mark.parametrize("who", ["alice", pytest.param("root", marks=pytest.mark.full)])
def test_words_that_are_markup_do_nothing(
    page: Page, sign_in: Callable[[User], None], transactional_db: None, who: str
) -> None:
    given = arrange()
    sign_in(User.objects.get(email=f"{who}@example.org"))
    poison(given, MUTATIONS)
    page.add_init_script("window.canary = () => { window.sung = true; };")

    for path in PATHS[who]:
        page.goto(path.format(**given.words), wait_until="load")
        found = page.evaluate(f"[Boolean(window.sung), document.querySelector('{CANARY}')]")
        assert (path, found) == (path, [False, None])
