"""Import conversation trees from files in the oasst format."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from tasks_app import importing
from tasks_app.enums import TreeState
from tasks_app.export_format import BadLine, count_lines


class Command(BaseCommand):
    help = (
        "Import message trees from .jsonl or .jsonl.gz files, of trees or of flat messages. Trees "
        "that are there already are left alone, so repeating an import is safe. Lines that cannot "
        "be used are reported on stderr with number and reason; the others are imported all the "
        "same, and the command ends with an error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument(
            "--state",
            choices=[state.value for state in TreeState if state != TreeState.READY_FOR_SCORING],
            help="state of the imported trees; default: the file's, else backlog_ranking",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="report what would happen, change nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        state = TreeState(options["state"]) if options["state"] else None
        bad = sum(
            self._import(path, state, dry_run=options["dry_run"]) for path in options["files"]
        )
        if bad:
            done = "would be" if options["dry_run"] else "was"
            raise CommandError(f"{bad} bad lines were left out; the rest {done} imported.")

    def _import(self, path: Path, state: TreeState | None, *, dry_run: bool) -> int:
        """Import one file; how many of its lines are bad."""

        def show(bad: BadLine) -> None:
            tqdm.write(f"{path}:{bad.number}: {bad.reason}", file=self.stderr)  # type: ignore[arg-type]

        try:
            total = count_lines(path)
            report = importing.import_trees(
                path,
                now=timezone.now(),
                on_bad=show,
                state=state,
                dry_run=dry_run,
                watch=lambda lines: tqdm(lines, total=total, unit=" lines", disable=None),
            )
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror or error}") from error
        if report.bad and not report.trees + report.known:
            raise CommandError(f"{path}: no line of it is a tree or message that can be used")
        would = "Would import" if dry_run else "Imported"
        self.stdout.write(
            f"{would} {report.trees} trees with {report.messages} messages from {path.name}; "
            f"{report.known} were there already, {report.bad} bad lines."
        )
        for name, trees in sorted(report.unknown_states.items()):
            self.stderr.write(
                f"{path}: {trees} trees are in a state {name!r} that is not known here; they "
                f"enter {TreeState.BACKLOG_RANKING}. Choose another with --state."
            )
        return report.bad
