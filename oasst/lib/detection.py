"""Which language a text is in, and whether that fits the language it was written for.

The languages on offer stand in `oasst.lib.languages`. A mismatch warns people, it never blocks.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from oasst.lib.languages import match

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# Fewer letters say too little: below this most guesses on published messages were wrong.
MIN_LETTERS = 10
# Only the beginning is read; more does not change the answer.
MAX_CHARACTERS = 2000
# On 1,200 published messages all but obvious mislabels were right above this score.
SURE = 0.8

# Languages that the detector does not tell apart, or knows only under another name.
_FAMILIES = (
    {"zh", "yue", "wuu"},
    {"no", "nb", "nn"},
    {"hr", "sr", "bs", "sh"},
    {"id", "ms"},
    {"de", "bar", "swg", "gsw", "lb"},
    {"ar", "ary", "arz"},
)


@dataclass(frozen=True)
class Detected:
    """A guess: code of the language, and how sure the detector is, from 0 to 1."""

    lang: str
    score: float


def detect(text: str) -> Detected | None:
    """The likeliest language of `text`; None if it has too few letters to tell."""
    sample = text[:MAX_CHARACTERS]
    if sum(character.isalpha() for character in sample) < MIN_LETTERS:
        return None
    code, score = _identifier().classify(sample)
    if code in {"und", "zxx"}:
        return None
    return Detected(normalise(code), float(score))


def warm_up() -> None:
    """Load what `detect` needs, so that nobody's first message waits for it."""
    _identifier()


def matches(lang: str, detected: Detected | None) -> bool:
    """False only if the text is surely in another language than `lang`, regions aside."""
    if detected is None or detected.score < SURE:
        return True
    wanted, found = _primary(lang), _primary(detected.lang)
    if wanted == found or any({wanted, found} <= family for family in _FAMILIES):
        return True
    return not _is_known(wanted)


def normalise(tag: str) -> str:
    """A BCP 47 tag as we store it: the code on offer that stands for it, else its usual case."""
    known = match(tag)
    if known:
        return known
    primary, *rest = tag.strip().replace("_", "-").split("-")
    return "-".join([primary.lower(), *(_subtag(part) for part in rest)])


def _subtag(part: str) -> str:
    """Scripts are written Latn, regions BR, everything else in lower case."""
    if len(part) == 4 and part.isalpha():
        return part.title()
    return part.upper() if len(part) == 2 else part.lower()


def _primary(tag: str) -> str:
    return tag.lower().replace("_", "-").split("-")[0]


def _is_known(primary: str) -> bool:
    families = [family for family in _FAMILIES if primary in family]
    return bool(families) or primary in _identifier().labels


@cache
def _identifier() -> "LanguageIdentifier":
    """Loaded on first use, or by `warm_up`: 0.4 s and some 100 MB that not every process needs."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
