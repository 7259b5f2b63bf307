"""The colours of static/css/tokens.css can be read, in light and in dark."""

import math
import re

import pytest
from django.conf import settings

SOURCE = (settings.BASE_DIR / "static" / "css" / "tokens.css").read_text(encoding="utf-8")
NUMBERS = r"oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)"
BOTH = re.compile(rf"--([a-z-]+):\s*light-dark\(\s*{NUMBERS},\s*{NUMBERS}\s*\)")
ONE = re.compile(rf"--([a-z-]+):\s*{NUMBERS};")

SURFACES = ["paper", "sheet", "well"]
TINTS = ["accent-tint", "prompter-tint", "assistant-tint"]
MEANINGS = ["good", "warn", "bad", "info"]
CODE = ["code-keyword", "code-string", "code-number", "code-name"]

# What stands on what, and the contrast that WCAG 2.2 asks for (1.4.3, 1.4.11).
TEXT_PAIRS = [
    *((ink, on) for ink in ("ink", "ink-soft") for on in [*SURFACES, *TINTS, "hover"]),
    *(("ink-faint", on) for on in [*SURFACES, *TINTS]),
    *((link, on) for link in ("accent", "accent-strong") for on in [*SURFACES, *TINTS]),
    *((tone, on) for tone in MEANINGS for on in [*SURFACES, f"{tone}-tint"]),
    *(("ink", f"{tone}-tint") for tone in MEANINGS),
    *((code, "sheet") for code in CODE),
    ("prompter-ink", "prompter-tint"),
    ("on-fill", "fill"),
    ("on-fill", "fill-strong"),
    ("on-fill", "bad-fill"),
    ("ink", "mark"),
]
CONTROL_PAIRS = [
    *(("edge", on) for on in ["sheet", "paper"]),
    *(("focus", on) for on in [*SURFACES, *TINTS]),
    *(("fill", on) for on in ["paper", "sheet"]),
]


def luminance(lightness: float, chroma: float, hue: float) -> float:
    """Relative luminance (WCAG) of an OKLCH colour. Source: Ottosson, "Oklab", 2020."""
    a, b = (chroma * f(math.radians(hue)) for f in (math.cos, math.sin))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    red, green, blue = (min(max(part, 0.0), 1.0) for part in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def colours(theme: int) -> dict[str, float]:
    """Luminance by token; theme 0 is light, 1 is dark."""
    found = {name: luminance(*map(float, v)) for name, *v in ONE.findall(SOURCE)}
    for name, *values in BOTH.findall(SOURCE):
        found[name] = luminance(*map(float, values[3 * theme : 3 * theme + 3]))
    return found


def contrast(first: float, second: float) -> float:
    dark, light = sorted((first, second))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_black_and_white_is_21() -> None:
    assert contrast(luminance(1, 0, 0), luminance(0, 0, 0)) == pytest.approx(21, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "on"), TEXT_PAIRS)
def test_text_can_be_read(ink: str, on: str, theme: int) -> None:
    values = colours(theme)

    assert contrast(values[ink], values[on]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("line", "on"), CONTROL_PAIRS)
def test_control_can_be_seen(line: str, on: str, theme: int) -> None:
    values = colours(theme)

    assert contrast(values[line], values[on]) >= 3
