"""Formulas of people as MathML, which browsers show by themselves. What cannot be converted is left
to be shown as it was typed. Pure; the result is as little to be trusted as the source."""

from __future__ import annotations

import re
from functools import lru_cache

from latex2mathml.converter import convert

# Some hundred characters are a long formula; beyond, and for what is nested deeply, the converter
# takes long.
MAX_CHARS = 1_000
MAX_BRACES = 60
# It would put these into the result as markup.
_MARKUP = re.compile(r"<[A-Za-z/!?]")

# What it does not know it shows as names and signs: the source says more. Words must not be moved
# over others.
_HALF = re.compile(r'<m[io]>(\\[A-Za-z]|&<)|="-')

# What the converter makes, and readers need: nothing that hides words or gives them a colour.
TAGS = frozenset(
    "math mrow mi mo mn mtext mspace mstyle mpadded menclose mfrac msqrt mroot msup msub"
    " msubsup mover munder munderover mmultiscripts mprescripts none mtable mtr mtd".split()
)
ATTRIBUTES = {
    "math": {"display", "alttext"},
    "mi": {"mathvariant"},
    "mo": {"stretchy", "fence", "form", "separator", "lspace", "rspace", "minsize", "maxsize",
           "movablelimits", "accent"},
    "mfrac": {"linethickness"},
    "mover": {"accent"},
    "munder": {"accentunder"},
    "mspace": {"width", "linebreak"},
    "mstyle": {"displaystyle", "scriptlevel"},
    "mpadded": {"width", "height", "depth", "lspace", "voffset"},
    "menclose": {"notation"},
    "mtable": {"columnalign", "rowspacing", "columnspacing", "columnlines", "rowlines", "frame",
               "displaystyle"},
    "mtd": {"columnalign"},
}  # fmt: skip


@lru_cache(maxsize=1024)
def mathml(source: str, *, block: bool) -> str | None:
    """The formula between its delimiters as a `math` element; None if it cannot be converted."""
    if len(source) > MAX_CHARS or source.count("{") > MAX_BRACES or _MARKUP.search(source):
        return None
    try:
        found = convert(source, display="block" if block else "inline")
    except Exception:  # noqa: BLE001 - it raises whatever it stumbles over
        return None
    return None if _HALF.search(found) else found
