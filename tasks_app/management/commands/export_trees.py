"""Export conversation trees in the oasst format, or as rows for training."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from oasst.lib.personal_data import SCRUB_HELP, Scrubber
from tasks_app import exporting
from tasks_app.enums import TreeState
from tasks_app.export_format import Anonymizer, Writable, open_output

ALL_STATES = "all"


class Command(BaseCommand):
    help = (
        "Export message trees. By default those ready for export, with accepted messages that are "
        "not deleted, leaving out trees with synthetic messages. The same data and options give "
        "the same bytes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--out", type=Path, metavar="FILE", help="compressed if it ends in .gz; default: stdout"
        )
        parser.add_argument(
            "--format",
            choices=[each.value for each in exporting.Format],
            help="default: trees; messages where single messages are picked",
        )
        parser.add_argument(
            "--labels", "--export-labels", action="store_true", help="tell label means and counts"
        )
        parser.add_argument(
            "--events", "--export-events", action="store_true", help="tell single votes"
        )
        parser.add_argument(
            "--anonymize-seed",
            "--anonymizer-seed",
            metavar="S",
            help="replace all ids of people, messages and trees; the same seed gives the same ids",
        )
        parser.add_argument("--scrub-pii", action="store_true", help=SCRUB_HELP)
        _add_filters(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        selection = _selection(options)
        asked = options["format"]
        file_format = exporting.Format(asked) if asked else _default_format(selection)
        out: Path | None = options["out"]
        _check(selection, file_format, out)
        seed = options["anonymize_seed"]
        scrubber = Scrubber() if options["scrub_pii"] else None
        telling = exporting.Telling(
            labels=options["labels"],
            events=options["events"],
            anonymizer=None if seed is None else Anonymizer(seed),
            scrub=scrubber,
        )
        if out is None:
            self._export(sys.stdout.buffer, file_format, selection, telling)
            if scrubber:
                self.stderr.write(scrubber.told())
            return
        try:
            with open_output(out) as stream:
                report = self._export(stream, file_format, selection, telling)
        except OSError as error:
            raise CommandError(f"{out}: {error.strerror or error}") from error
        self.stdout.write(f"Exported {report.trees} trees as {report.rows} {file_format} to {out}.")
        if scrubber:
            self.stdout.write(scrubber.told())

    def _export(
        self,
        stream: Writable,
        file_format: exporting.Format,
        selection: exporting.Selection,
        telling: exporting.Telling,
    ) -> exporting.ExportReport:
        total = exporting.count_trees(selection)
        return exporting.export(
            stream,
            file_format,
            selection,
            telling,
            watch=lambda trees: tqdm(trees, total=total, unit=" trees", disable=None),
        )


def _add_filters(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        nargs="+",
        choices=[ALL_STATES, *TreeState.values],
        help=f"states of trees, or {ALL_STATES}; default: {TreeState.READY_FOR_EXPORT}",
    )
    parser.add_argument("--lang", nargs="+", default=[], metavar="TAG", help="languages of prompts")
    for name, what in (
        ("deleted", "deleted messages"),
        ("spam", "messages that reviewers rejected or have not decided on"),
        ("synthetic", "messages written by models"),
    ):
        group = parser.add_mutually_exclusive_group()
        group.add_argument(f"--include-{name}", action="store_true", help=f"also {what}")
        group.add_argument(
            f"--{name}-only",
            action="store_true",
            help=f"only {what.split(' or ')[0]}, as flat messages",
        )
    parser.add_argument("--user", type=UUID, metavar="ID", help="only this person's messages, flat")
    parser.add_argument("--prompts-only", action="store_true", help="only initial prompts")
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many trees")


def _selection(options: dict[str, Any]) -> exporting.Selection:
    if options["user"] and options["state"]:
        raise CommandError("--user takes messages from trees of every state: leave out --state.")
    if options["limit"] is not None and options["limit"] < 0:
        raise CommandError(f"--limit {options['limit']}: expected 0 or more")
    states = options["state"] or [TreeState.READY_FOR_EXPORT]
    everywhere = ALL_STATES in states or options["user"]
    return exporting.Selection(
        states=() if everywhere else tuple(TreeState(state) for state in states),
        langs=tuple(lang for entry in options["lang"] for lang in entry.split(",") if lang),
        deleted=_which(options, "deleted", usual=False),
        accepted=_which(options, "spam", usual=True),
        synthetic=_which(options, "synthetic", usual=False),
        author=options["user"],
        prompts_only=options["prompts_only"],
        limit=options["limit"],
    )


def _which(options: dict[str, Any], name: str, *, usual: bool) -> bool | None:
    if options[f"include_{name}"]:
        return None
    return not usual if options[f"{name}_only"] else usual


def _default_format(selection: exporting.Selection) -> exporting.Format:
    return exporting.Format.MESSAGES if selection.is_flat else exporting.Format.TREES


def _check(selection: exporting.Selection, file_format: exporting.Format, out: Path | None) -> None:
    if selection.is_flat and file_format not in exporting.FLAT_FORMATS:
        raise CommandError(
            f"--format {file_format} needs whole trees, but --user and the -only options pick "
            "single messages: use --format messages or parquet."
        )
    if file_format == exporting.Format.PARQUET and (out is None or out.suffix == ".gz"):
        raise CommandError(
            "--format parquet: name a file with --out, without .gz; it is compressed as it is."
        )
