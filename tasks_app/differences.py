"""Which words two texts share, and which only one of them has. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from oasst.lib.characters import JOINED

# Longer texts are not compared: it would take long, and nobody could read the result.
MOST_WORDS = 2000

# Words with the white space behind them. Scripts without blanks count by character, and so does
# Hangul, whose words carry much of the grammar.
_SINGLE = JOINED + r"\uAC00-\uD7AF"
_WORD = re.compile(rf"[{_SINGLE}]\s*|[^\W{_SINGLE}]+\s*|[^\w\s]\s*|\s+")


class TooLong(ValueError):
    """A text has more than `MOST_WORDS` words."""


@dataclass(frozen=True)
class Part:
    """A stretch of one text, and whether the other text has it too."""

    text: str
    is_shared: bool


@dataclass(frozen=True)
class Comparison:
    """Two texts in parts, and which share of all words they have in common (0 to 1)."""

    first: list[Part]
    second: list[Part]
    shared: float


def compare(first: str, second: str) -> Comparison:
    """Put two texts beside each other. The parts of each make up the text. Raises TooLong."""
    words = [_WORD.findall(text.strip()) for text in (first, second)]
    if max(map(len, words)) > MOST_WORDS:
        raise TooLong
    bare = [[word.strip() for word in each] for each in words]
    matcher = SequenceMatcher(a=bare[0], b=bare[1], autojunk=False)
    blocks = matcher.get_matching_blocks()
    return Comparison(
        first=list(_parts(words[0], [(block.a, block.size) for block in blocks])),
        second=list(_parts(words[1], [(block.b, block.size) for block in blocks])),
        shared=matcher.ratio(),
    )


def _parts(words: Sequence[str], shared: Sequence[tuple[int, int]]) -> Iterator[Part]:
    """`shared` are places and lengths of stretches, in order; the last is empty, at the end."""
    at = 0
    for place, size in shared:
        for stretch, is_shared in ((words[at:place], False), (words[place : place + size], True)):
            if stretch:
                yield Part("".join(stretch), is_shared)
        at = place + size
