"""`manage.py messages [LANGUAGE …] [--check]`: the catalogues of translations and the sources."""

import argparse
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from oasst.lib import catalogues

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog


class Command(BaseCommand):
    help = "Bring the catalogues of translations up to the sources, or check that they are."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("language", nargs="*", help="languages, new ones too; default: all")
        parser.add_argument("--check", action="store_true", help="change nothing; fail if not so")

    def handle(self, *, language: list[str], check: bool, **options: object) -> None:
        template = catalogues.gather()
        languages = language or catalogues.languages()
        if check:
            self._check(languages, template)
            return
        for each in languages:
            catalogues.update(each, template)
            gaps, mistakes = len(catalogues.gaps(each)), catalogues.mistakes(each)
            self.stdout.write(f"{each}: {len(template)} entries, {gaps} to translate or review")
            for mistake in mistakes:
                self.stdout.write(f"  {mistake}")

    def _check(self, languages: list[str], template: "Catalog") -> None:
        offered = dict(settings.LANGUAGES)
        problems = []
        for each in languages:
            stale = catalogues.out_of_date(each, template)
            gaps = catalogues.gaps(each) if each in offered else []
            problems += [f"{each}: {one}" for one in stale + catalogues.mistakes(each)]
            problems += [f"{each}: not translated, or fuzzy: {gap!r}" for gap in gaps]
        if problems:
            hint = "`make messages` gathers what is new; docs/translating.md says the rest."
            raise CommandError("\n".join([*problems, hint]))
        self.stdout.write(f"{len(languages)} catalogues of {len(template)} entries are in order")
