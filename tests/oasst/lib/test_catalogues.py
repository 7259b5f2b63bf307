"""Catalogues of translations: gathered from the sources, checked, compiled."""

import os
from pathlib import Path

import pytest
from django.utils import translation
from pytest_django import Settings

from oasst.lib import catalogues
from oasst.lib.translation_checks import differences


@pytest.fixture
def german(tmp_path: Path, settings: Settings) -> Path:
    """A small catalogue, and where it lies."""
    settings.LOCALE_PATHS = [tmp_path]
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    catalogue = catalogues.read("de")
    catalogue.add("Prompt of the tree", "Prompt des Baums")
    catalogue.add(("%(n)s tree", "%(n)s trees"), ("%(n)s Baum", "%(n)s Bäume"))
    catalogue.add("Reply to it", "Beantworten", flags=["fuzzy"])
    catalogue.add("Rank them", "")
    catalogues.write("de", catalogue)
    return catalogues.path_of("de")


def test_changed_catalogue_is_compiled_once_and_read(german: Path) -> None:
    first, second = catalogues.compile_changed(), catalogues.compile_changed()

    assert (first, second) == (["de"], [])
    with translation.override("de"):
        assert translation.gettext("Prompt of the tree") == "Prompt des Baums"
        assert translation.ngettext("%(n)s tree", "%(n)s trees", 2) == "%(n)s Bäume"
        assert translation.gettext("Reply to it") == "Reply to it"  # nobody has reviewed it
    later = german.stat().st_mtime_ns + 1_000_000_000
    os.utime(german, ns=(later, later))
    assert catalogues.compile_changed() == ["de"]


def test_what_is_missing_stale_or_fuzzy_is_named(german: Path) -> None:
    template = catalogues.read("fr")
    template.add("Prompt of the tree")
    template.add("Written since")

    assert catalogues.gaps("de") == ["Reply to it", "Rank them"]
    assert "missing: 'Written since'" in catalogues.out_of_date("de", template)
    assert "no longer used: 'Rank them'" in catalogues.out_of_date("de", template)
    catalogues.update("de", template)
    assert catalogues.out_of_date("de", template) == []
    assert catalogues.gaps("de") == ["Written since"]


def test_writing_a_catalogue_twice_changes_no_byte(german: Path) -> None:
    before = german.read_bytes()
    catalogues.write("de", catalogues.read("de"))

    assert german.read_bytes() == before


@pytest.mark.parametrize(
    ("sources", "text", "wrong"),
    [
        (["Hello %(name)s"], "Hallo %(name)s", 0),
        (["Hello %(name)s"], "Hallo %(nmae)s", 2),
        (["Hello %(name)s"], "Hallo", 1),
        (["%(n)s reply", "%(n)s replies"], "eine Antwort", 0),
        (["%(n)s reply", "%(n)s replies"], "%(m)s Antworten", 1),
        (["%d reply", "%d replies"], "eine Antwort", 1),
        (["<b>Now</b>"], "<b>Jetzt</b>", 0),
        (["<b>Now</b>"], "Jetzt", 1),
        (['<a href="%(x)s">Go</a>'], '<a href="%(x)s">Los</a>', 0),
        (["%(n)s %% of it"], "%(n)s %% davon", 0),
        (["%(n)s %% of it"], "%(n)s % davon", 1),
    ],
)
def test_translation_has_the_placeholders_and_tags_of_its_source(
    sources: list[str], text: str, wrong: int
) -> None:
    assert len(differences(sources, text)) == wrong
