"""`manage.py export_chats --out FILE`: chats whose owners allow it, in the oasst format."""

import secrets
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from chat_app import exporting
from oasst.lib.personal_data import SCRUB_HELP, Scrubber
from tasks_app.export_format import Anonymizer, Writable, open_output


class Command(BaseCommand):
    help = (
        "Export the chats that may be used for training, with votes, picked drafts and reports. "
        "Texts that were held back, and answers that broke off, are left out. Ids are always "
        "replaced: with the same seed by the same ones."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--out", type=Path, metavar="FILE", help="compressed if it ends in .gz; default: stdout"
        )
        parser.add_argument(
            "--format",
            choices=list(exporting.Format),
            type=exporting.Format,
            default=exporting.Format.TREES,
            help="default: trees",
        )
        parser.add_argument(
            "--anonymize-seed",
            "--anonymizer-seed",
            metavar="S",
            help="the same seed gives the same ids; default: a new one each time",
        )
        parser.add_argument("--from-date", type=_day, metavar="DAY", help="begun on this day on")
        parser.add_argument("--to-date", type=_day, metavar="DAY", help="begun before this day")
        parser.add_argument("--user", "--user-id", type=UUID, metavar="ID")
        parser.add_argument("--chat", "--chat-id", type=UUID, metavar="ID")
        parser.add_argument(
            "--scored", action="store_true", help="only chats with a vote or a picked draft"
        )
        parser.add_argument("--reported", action="store_true", help="only chats with a report")
        parser.add_argument(
            "--without-marked",
            action="store_true",
            help="leave out texts that the safety check marked, for example for personal data",
        )

        parser.add_argument("--scrub-pii", action="store_true", help=SCRUB_HELP)

    def handle(self, *args: Any, **options: Any) -> None:
        out: Path | None = options["out"]
        scrubber = Scrubber() if options["scrub_pii"] else None
        if out is None:
            self._export(sys.stdout.buffer, options, scrubber)
            if scrubber:
                self.stderr.write(scrubber.told())
            return
        try:
            with open_output(out) as stream:
                report = self._export(stream, options, scrubber)
        except OSError as error:
            raise CommandError(f"{out}: {error.strerror or error}") from error
        self.stdout.write(
            f"Exported {report.trees} trees of {report.chats} chats as {report.rows} "
            f"{options['format']} to {out}."
        )
        if scrubber:
            self.stdout.write(scrubber.told())

    def _export(
        self, stream: Writable, options: dict[str, Any], scrub: Scrubber | None
    ) -> exporting.ExportReport:
        selection = exporting.Selection(
            since=options["from_date"],
            until=options["to_date"],
            user=options["user"],
            chat=options["chat"],
            scored=options["scored"],
            reported=options["reported"],
            marked=not options["without_marked"],
        )
        total = exporting.count_chats(selection)
        return exporting.export(
            stream,
            options["format"],
            selection,
            Anonymizer(options["anonymize_seed"] or secrets.token_hex(16)),
            scrub=scrub,
            watch=lambda chats: tqdm(chats, total=total, unit=" chats", disable=None),
        )


def _day(text: str) -> datetime:
    """The beginning of a day such as 2026-03-01, in UTC."""
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
