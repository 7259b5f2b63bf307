"""A language for tests: each text of the catalogue in brackets, so that what is not in it shows."""

from html.parser import HTMLParser
from pathlib import Path

import allauth
import django
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from oasst.lib import catalogues

CODE, LOCALE = "en-xa", "en_XA"
OPEN, CLOSE = "⟦", "⟧"
# What libraries bring is translated by them; their English catalogues list it.
LIBRARIES = (
    Path(django.__file__).parent / "conf" / "locale" / "en",
    Path(django.__file__).parent / "contrib" / "auth" / "locale" / "en",
    Path(django.__file__).parent / "contrib" / "humanize" / "locale" / "en",
    Path(allauth.__file__).parent / "locale" / "en",
)
# What the texts of people that factories make up begin with.
OWN_TEXTS = ("Message ",)
# People's own words, and names that are the same in every language.
_OWN_WORDS = {"bdi", "code", "kbd", "pre", "samp"}
_NOT_SHOWN = {"script", "style", "template"}
_READ_OUT = {"alt", "aria-label", "placeholder", "title", "label", "summary"}
_VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "use", "wbr"}


def write_catalogue(folder: Path) -> None:
    """The catalogue of the language, compiled, below `folder`."""
    wrapped = Catalog(locale="en")
    for source in (catalogues.gather(), *map(_of_library, LIBRARIES)):
        for entry in source:
            if entry.id:
                texts = [entry.id] if isinstance(entry.id, str) else list(entry.id)
                shown = [f"{OPEN}{text}{CLOSE}" for text in texts]
                text = shown[0] if isinstance(entry.id, str) else shown
                wrapped.add(entry.id, text, context=entry.context)
    path = folder / LOCALE / "LC_MESSAGES" / "django.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, wrapped)


def _of_library(folder: Path) -> Catalog:
    with (folder / "LC_MESSAGES" / "django.po").open("rb") as file:
        return read_po(file, locale="en")


def bare_texts(page: str, *, known: set[str]) -> list[str]:
    """What a reader sees or hears on a page that came from no catalogue, people's words apart."""
    parser = _Reader(known)
    parser.feed(page)
    return parser.found


class _Reader(HTMLParser):
    def __init__(self, known: set[str]) -> None:
        super().__init__()
        self.found: list[str] = []
        self._known = {"", *map(_plain, known)}
        self._skipped: list[str] = []  # open elements, from the first one that is left out
        self._depth = 0  # of brackets; markup inside a text does not end it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if self._skipped or _is_left_out(tag, values):
            if tag not in _VOID:
                self._skipped.append(tag)
            return
        shown = {name: value for name, value in values.items() if name in _READ_OUT and value}
        if tag == "meta" and values.get("name") == "description":
            shown["content"] = values["content"]
        for name, value in values.items():
            if name.startswith("data-words") or name.endswith("-label"):
                shown[name] = value
        for value in shown.values():
            self._look(value or "", list(_bare(value or "", 0)[0]))

    def handle_endtag(self, tag: str) -> None:
        if self._skipped and tag in self._skipped:
            while self._skipped.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            bare, self._depth = _bare(data, self._depth)
            self._look(data, bare)

    def _look(self, whole: str, bare: list[str]) -> None:
        for part in bare:
            if not all(_plain(words) in self._known for words in part.split(" · ")):
                self.found.append(" ".join(whole.split()))


def _plain(words: str) -> str:
    """Words without what stands around them; nothing if that is no word, but a letter or a sign."""
    plain = " ".join(words.split()).strip(" ·,.:;()–/0123456789%")
    has_letters = len(plain) > 1 and any(letter.isalpha() for letter in plain)
    return plain if has_letters and not plain.startswith(OWN_TEXTS) else ""


def _is_left_out(tag: str, values: dict[str, str | None]) -> bool:
    return (
        tag in _NOT_SHOWN
        or tag in _OWN_WORDS
        or values.get("lang", CODE) != CODE
        or values.get("translate") == "no"
    )


def _bare(text: str, depth: int) -> tuple[list[str], int]:
    """The stretches of `text` outside of brackets, and how deep its end is."""
    parts, part = [], ""
    for letter in text:
        if letter == OPEN:
            depth += 1
        elif letter == CLOSE:
            depth -= 1
        elif depth == 0:
            part += letter
            continue
        if part:
            parts.append(part)
            part = ""
    return [*parts, *([part] if part else [])], depth
