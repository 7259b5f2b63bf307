"""The catalogues of translations, `locale/<language>/LC_MESSAGES/django.po`.

Gathered, checked and compiled here; they hold what contributors see. Babel does the work of GNU
gettext, so nothing has to be installed by hand; Django reads what it compiles. How translators
go about it: `docs/translating.md`.
"""

from __future__ import annotations

import io
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import get_language_info, to_locale
from django.utils.translation.template import templatize

if TYPE_CHECKING:  # it takes a moment to load, and the site needs it only when a catalogue changed
    from babel.messages.catalog import Catalog, Message

logger = logging.getLogger(__name__)

FOLDERS = ("oasst", "tasks_app", "leaderboard_app", "chat_app", "templates")
# What only staff and operators see stays English, and out of the translators' sight.
# `oasst.accounts.middleware` shows the pages that are made of it in English as a whole.
LEFT_OUT = (
    "*/admin/*",
    "*/admin.py",
    "*/admin_*.py",
    "*/management/*",
    "*/migrations/*",
    "templates/admin/*",
    "templates/training/*",
    "templates/unfold/*",
    "templates/accounts/mailbox*",
    "templates/leaderboard/prizes.html",
    "templates/tasks/agreement_people.html",
    "templates/tasks/disputed.html",
    # Names of tables and columns.
    "*/models.py",
    "*/records.py",
    "*_records.py",
    "chat_app/desk.py",
    "leaderboard_app/prizes.py",
    "oasst/accounts/saved_views.py",
    "oasst/accounts/views/saved_views.py",
    "oasst/admin_look.py",
    "oasst/lib/desk/*",
    "tasks_app/agreement_tables.py",
    "tasks_app/bulk/*",
    "tasks_app/config.py",
    "tasks_app/merging.py",
    "tasks_app/unmerging.py",
    "tasks_app/views/agreement_people.py",
)
# Modules of tables that contributors see texts of all the same.
TAKEN_IN = ("oasst/accounts/models.py",)
FUNCTIONS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "_l": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
COMMENT_TAGS = ("Translators",)


def languages() -> list[str]:
    """The languages there is a catalogue for, shown to people or not yet."""
    return sorted(path.parts[-3].lower().replace("_", "-") for path in _folder().glob(f"*/{_PO}"))


def path_of(language: str) -> Path:
    """Where a language's catalogue lies ("zh-hans" → locale/zh_Hans/LC_MESSAGES/django.po)."""
    return _folder() / to_locale(language) / _PO


def read(language: str) -> Catalog:
    """A language's catalogue; a fresh, empty one if there is none yet."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po

    path = path_of(language)
    if path.exists():
        with path.open("rb") as file:
            return read_po(file, locale=to_locale(language), abort_invalid=True)
    return Catalog(locale=to_locale(language), fuzzy=False)


def write(language: str, catalogue: Catalog) -> None:
    from babel.messages.pofile import write_po

    catalogue.project, catalogue.version = settings.SITE_NAME, ""
    catalogue.copyright_holder = "the contributors of Open Assistant"
    name = get_language_info(language)["name"]
    catalogue.header_comment = f"# {name} for Open Assistant; see docs/translating.md."
    text = io.BytesIO()
    write_po(text, catalogue, width=100, include_lineno=False, omit_header=False)
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_without_dates(text.getvalue()))


def gather() -> Catalog:
    """Everything contributors can read, from the sources, as a catalogue without translations."""
    from babel.messages.catalog import Catalog
    from babel.messages.extract import extract

    found = Catalog()
    for name, text in _sources():
        source = io.BytesIO(text.encode())
        options = {"encoding": "utf-8"}
        for _line, words, comments, context in extract(
            "python", source, FUNCTIONS, COMMENT_TAGS, options
        ):
            found.add(words, None, [(name, 0)], auto_comments=comments, context=context)
    return found


def update(language: str, template: Catalog) -> None:
    """Bring a catalogue up to the sources. What resembles an old entry is kept and marked fuzzy."""
    catalogue = read(language)
    catalogue.update(template, update_header_comment=False)
    catalogue.obsolete.clear()
    write(language, catalogue)


def out_of_date(language: str, template: Catalog) -> list[str]:
    """What the sources have and a catalogue has not, or the other way round."""
    there, wanted = _keys(read(language)), _keys(template)
    missing = [f"missing: {key[1]!r}" for key in wanted - there]
    return sorted(missing + [f"no longer used: {key[1]!r}" for key in there - wanted])


def gaps(language: str) -> list[str]:
    """The entries of a language that are not translated, or await a person's look (fuzzy)."""
    entries = _entries(read(language))
    return [str(each.id) for each in entries if each.fuzzy or not all(_texts(each.string))]


def mistakes(language: str) -> list[str]:
    """Translations with other placeholders or tags than their source, or too few plural forms."""
    from oasst.lib import translation_checks as checks

    catalogue = read(language)
    found = []
    for each in _entries(catalogue):
        texts = _texts(each.string)
        if not any(texts):
            continue
        if each.pluralizable and len(texts) != catalogue.num_plurals:
            found.append(f"{each.id!r}: {len(texts)} plural forms, not {catalogue.num_plurals}")
        for text in filter(None, texts):
            found += [f"{text!r}: {what}" for what in checks.differences(_texts(each.id), text)]
    return found


def compile_changed() -> list[str]:
    """Compile what changed since it was last compiled (`.mo` beside `.po`); returns the languages.

    Where the folder cannot be written, pages whose catalogue was never compiled are English.
    """
    stale = [language for language in languages() if _is_stale(path_of(language))]
    for language in stale:
        try:
            _compile(language)
        except OSError as error:
            logger.warning("catalogue %s was not compiled: %s", language, error)
    return stale


_PO = "LC_MESSAGES/django.po"


def _folder() -> Path:
    return Path(settings.LOCALE_PATHS[0])


def _is_stale(source: Path) -> bool:
    compiled = source.with_suffix(".mo")
    return not compiled.exists() or compiled.stat().st_mtime_ns < source.stat().st_mtime_ns


def _compile(language: str) -> None:
    from babel.messages.mofile import write_mo

    path = path_of(language)
    changed = path.stat().st_mtime_ns
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    # Under another name first: other processes may read it or compile it too.
    with os.fdopen(descriptor, "wb") as file:
        write_mo(file, read(language))
    os.utime(name, ns=(changed, changed))
    Path(name).chmod(0o644)
    Path(name).replace(path.with_suffix(".mo"))


def _sources() -> Iterator[tuple[str, str]]:
    """Names, and what is Python or has been made to look like it."""
    for folder in FOLDERS:
        for path in sorted((settings.BASE_DIR / folder).rglob("*")):
            name = path.relative_to(settings.BASE_DIR).as_posix()
            if not path.is_file() or _is_left_out(name):
                continue
            if path.suffix == ".py":
                yield name, path.read_text("utf-8")
            elif folder == "templates":
                lines = templatize(path.read_text("utf-8"), origin=name).split("\n")
                yield name, "\n".join(line.lstrip() for line in lines)


def _is_left_out(name: str) -> bool:
    return name not in TAKEN_IN and any(fnmatch(name, pattern) for pattern in LEFT_OUT)


def _entries(catalogue: Catalog) -> Iterable[Message]:
    return [message for message in catalogue if message.id]


def _keys(catalogue: Catalog) -> set[tuple[str | None, str | tuple[str, ...]]]:
    ids = ((each.context, each.id) for each in _entries(catalogue))
    return {(context, tuple(id) if isinstance(id, list) else id) for context, id in ids}


def _texts(value: str | Iterable[str] | None) -> list[str]:
    return [value or ""] if value is None or isinstance(value, str) else list(value)


def _without_dates(text: bytes) -> bytes:
    """Dates and the tool's name in the header would change with every run and make conflicts."""
    dull = (
        b'"POT-Creation-Date',
        b'"PO-Revision-Date',
        b'"Generated-By',
        b'"Last-Translator',
        b'"Language-Team',
        b'"Report-Msgid-Bugs-To',
        b'"Project-Id-Version',
    )
    lines = text.split(b"\n")
    return b"\n".join(line for line in lines if not line.startswith(dull))
