"""Ten key pages look as they did when somebody last looked at them: `make looks`.

The pictures are of one machine, for fonts differ; they stand in `var/looks` and are not committed.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from PIL import Image, ImageChops
from playwright.sync_api import Page

from oasst.accounts.models import User
from tasks_app.models import Message, MessageTree
from tests.factories import grow
from tests.journeys.looks import Look

pytestmark = pytest.mark.full

PICTURES = Path(settings.BASE_DIR) / "var" / "looks"
# What a pixel may differ by, of 255, and how many may differ by more.
SHADE, SHARE = 16, 0.0005


VISITORS = {
    "landing": "/",
    "guidelines": "/guidelines/",
    "practice": "/practice/en-bread/",
    "components": "/dev/components/",
    "statistics": "/stats/",
}


def own(tree: MessageTree) -> dict[str, str]:
    return {
        "tasks": "/tasks/",
        "messages": "/messages/?lang=en&role=assistant",
        "tree": f"/trees/{tree.pk}/",
        "leaderboard": "/leaderboard/",
        "account": "/account/",
    }


def difference(before: Path, now: Path, shown: Path) -> str:
    """What differs, in words, and where as a picture; nothing if they look the same."""
    with Image.open(before) as one, Image.open(now) as other:
        if one.size != other.size:
            return f"{one.size[0]} × {one.size[1]} pixels became {other.size[0]} × {other.size[1]}"
        apart = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).convert("L")
        far = apart.point([0] * SHADE + [255] * (256 - SHADE))
        count = far.histogram()[255]
        if count <= SHARE * one.width * one.height:
            return ""
        far.save(shown)
        return f"{count} pixels differ: {shown}"


def compare(page: Page, name: str) -> None:
    kept = PICTURES / f"{name}.png"
    now = kept if os.environ.get("LOOKS") == "accept" else kept.with_suffix(".now.png")
    now.parent.mkdir(parents=True, exist_ok=True)
    changing = [page.locator("time, [data-countdown]")]
    page.screenshot(path=now, full_page=True, animations="disabled", caret="hide", mask=changing)
    if not kept.exists():
        pytest.skip("no picture to compare with: `make looks ARGS=accept`")
    assert difference(kept, now, kept.with_suffix(".diff.png")) == ""


def test_ten_pages_look_as_they_did(
    page: Page,
    sign_in: Callable[[User], None],
    show: Callable[[str], None],
    look: Look,
    alice: User,
    subtests: pytest.Subtests,
) -> None:
    # Nothing whose words or place are left to chance.
    tree = grow("P(A)").tree
    Message.objects.update(text="Why is the sky blue?")
    for name, address in VISITORS.items():
        with subtests.test(name):
            show(address)
            compare(page, f"{name}-{look}")
    sign_in(alice)
    for name, address in own(tree).items():
        with subtests.test(name):
            show(address)
            compare(page, f"{name}-{look}")


def test_a_colour_and_a_size_that_changed_are_found(tmp_path: Path) -> None:
    sizes = {"same": (40, 40), "large": (40, 41)}
    pictures = {name: tmp_path / f"{name}.png" for name in (*sizes, "other")}
    for name, size in sizes.items():
        Image.new("RGB", size, "white").save(pictures[name])
    other = Image.new("RGB", (40, 40), "white")
    other.paste("black", (0, 0, 4, 4))
    other.save(pictures["other"])
    shown = tmp_path / "diff.png"

    assert difference(pictures["same"], pictures["same"], shown) == ""
    assert "40 × 41" in difference(pictures["same"], pictures["large"], shown)
    assert "16 pixels differ" in difference(pictures["same"], pictures["other"], shown)
    assert shown.exists()
