"""The places of a text that a search found, as plain words around the marked ones."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from oasst.lib import markdown
from oasst.lib.characters import JOINED
from oasst.lib.search.sql import BLANKS
from oasst.lib.search.syntax import Groups

# Of longer texts the rest is not looked through for places to show.
MOST_CHARACTERS = 20_000
WHOLE = 360  # characters of a text that is shown whole
WIDTH = 200  # of each place
BEFORE = 60  # of which stand before the word that was found
MOST_PLACES = 2
_RUN = re.compile(f"[{JOINED}]+")
_WORD = re.compile(rf"(?:[A-Za-z0-9_]|(?![{BLANKS}{JOINED}])[^\x00-\x7f])+")


@dataclass(frozen=True)
class Piece:
    """A stretch of a text, marked or not."""

    text: str
    is_marked: bool = False


Span = tuple[int, int]


def excerpt(text: str, words: Collection[str], groups: Groups) -> list[Piece]:
    """What to show of a text of which some `words` were searched for."""
    plain = " ".join(markdown.words(text[:MOST_CHARACTERS]).split())
    spans = _spans(plain, words)
    runs = sorted(_runs(groups), key=len, reverse=True)
    if runs:
        spans += [m.span() for m in re.finditer("|".join(map(re.escape, runs)), plain)]
    return places(plain, sorted(spans))


def title(text: str, words: Collection[str], groups: Groups) -> list[Piece]:
    """A title with some `words` marked, and what was asked for wherever it stands as typed."""
    asked = [re.escape(term) for term in sorted(_wanted(groups), key=len, reverse=True)]
    typed = re.finditer("|".join(asked), text, re.IGNORECASE) if asked else ()
    spans = _spans(text, words) + [match.span() for match in typed]
    return _pieces(text, sorted(spans, key=lambda span: (span[0], -span[1])), 0, len(text))


def _spans(text: str, words: Collection[str]) -> list[Span]:
    known = {word.casefold() for word in words}
    return [m.span() for m in _WORD.finditer(text) if m[0].casefold() in known]


def _wanted(groups: Groups) -> set[str]:
    return {term.text for group in groups for term in group if not term.is_negated}


def _runs(groups: Groups) -> set[str]:
    """What was asked for in scripts without blanks: found wherever it stands."""
    return {run for text in _wanted(groups) for run in _RUN.findall(text)}


def places(text: str, spans: Sequence[Span]) -> list[Piece]:
    """The text with the spans marked, or as much around the first of them as fits. Pure."""
    if len(text) <= WHOLE:
        return _pieces(text, spans, 0, len(text))
    found: list[Piece] = []
    end = shown = 0
    for first, _last in spans or [(0, 0)]:
        if shown == MOST_PLACES:
            break
        if shown and first < end:
            continue
        begin = _blank_before(text, max(end, first - BEFORE))
        if begin > end:
            found.append(Piece("… "))
        end = _blank_after(text, begin + WIDTH)
        found += _pieces(text, spans, begin, end)
        shown += 1
    return [*found, Piece(" …")] if end < len(text) else found


def _pieces(text: str, spans: Sequence[Span], begin: int, end: int) -> list[Piece]:
    found, place = [], begin
    for first, last in spans:
        if place <= first and last <= end:
            found += [Piece(text[place:first]), Piece(text[first:last], is_marked=True)]
            place = last
    return [piece for piece in [*found, Piece(text[place:end])] if piece.text]


def _blank_before(text: str, place: int) -> int:
    """The beginning of the word at a place, if it is near."""
    blank = text.rfind(" ", max(0, place - BEFORE), place)
    return blank + 1 if blank >= 0 else place


def _blank_after(text: str, place: int) -> int:
    """The end of the word at a place, if it is near."""
    blank = text.find(" ", place, place + BEFORE)
    return min(blank if blank >= 0 else place, len(text))
