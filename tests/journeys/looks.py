"""The looks that a page has, and what is wrong with it in one: rules broken, or too wide."""

from dataclasses import dataclass
from itertools import product

from playwright.sync_api import Page

from tests.journeys.axe import violations


@dataclass(frozen=True)
class Look:
    theme: str
    on_phone: bool
    direction: str

    def __str__(self) -> str:
        return f"{self.theme}-{'phone' if self.on_phone else 'desktop'}-{self.direction}"


# The first is the usual one.
LOOKS = [Look(*look) for look in product(("light", "dark"), (False, True), ("ltr", "rtl"))]


def problems(page: Page) -> list[str]:
    """What is wrong with the page as it stands."""
    found = violations(page)
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return found if width <= room else [*found, f"{width} px wide"]
