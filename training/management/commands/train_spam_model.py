"""`manage.py train_spam_model`: what the tunable `hold_spam` goes by."""

import argparse
import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tasks_app import spam
from tasks_app.spam_records import SpamModel
from training.spam import CannotTrain, Example, Trained, train

OWN = "this site"


class Command(BaseCommand):
    help = (
        "Train a model that tells spam from other texts, measure it on texts that it never saw, "
        "and let it hold from now on. It learns from files and from what this site's reviewers and "
        "staff decided. The tunable hold_spam makes use of it."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "files",
            nargs="*",
            type=Path,
            metavar="FILE",
            help='lines of JSON with "text" and "label" (spam or ham); .gz is read as well',
        )
        parser.add_argument(
            "--rate",
            type=_rate,
            default=0.5,
            metavar="PERCENT",
            help="so much of what is no spam may be held (default: 0.5)",
        )
        parser.add_argument("--no-own", action="store_true", help="learn from the files alone")
        parser.add_argument("--seed", type=int, default=0, help="of the split into parts")
        parser.add_argument("--dry-run", action="store_true", help="measure, but store nothing")
        parser.add_argument("--list", action="store_true", help="name the models there are")
        parser.add_argument("--use", type=int, metavar="MODEL", help="go back to an earlier model")

    def handle(self, **options: Any) -> None:
        if options["list"]:
            self._list()
        elif options["use"] is not None:
            self._use(options["use"])
        else:
            self._train(options)

    def _list(self) -> None:
        held = spam.in_force()
        for row in SpamModel.objects.defer("weights").order_by("pk"):
            mark = " (in force)" if held and row.pk == held.pk else ""
            self.stdout.write(
                f"{row.pk}: {row.created_at:%Y-%m-%d}, recall {row.figures['recall']:.1%}, "
                f"false positives {row.figures['false_positives']:.2%}{mark}"
            )

    def _use(self, pk: int) -> None:
        try:
            spam.choose(pk, now=timezone.now())
        except spam.NoSuchModel as error:
            raise CommandError(f"{error.message} --list names those that there are.") from error
        self.stdout.write(f"Model {pk} holds from now on.")

    def _train(self, options: dict[str, Any]) -> None:
        examples = [each for path in options["files"] for each in _read(path)]
        if not options["no_own"]:
            examples += [Example(t, s, OWN, author) for t, s, author in spam.decided_texts()]
        try:
            rng = random.Random(options["seed"])
            trained = train(examples, wanted=options["rate"] / 100, rng=rng)
        except CannotTrain as error:
            raise CommandError(str(error)) from error
        self.stdout.write("\n".join(_told(trained)))
        if options["dry_run"]:
            self.stdout.write("Nothing is stored.")
            return
        stored = spam.store(trained.weights, trained.threshold, trained.figures, now=timezone.now())
        self.stdout.write(f"Model {stored.pk} holds from now on, where hold_spam is on.")


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value <= 10:
        raise argparse.ArgumentTypeError("expected a number above 0, up to 10")
    return value


def _read(path: Path) -> Iterator[Example]:
    """The examples of one file. Raises CommandError, naming the line."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _example(line, path.name, number)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error


def _example(line: str, name: str, number: int) -> Example:
    try:
        row = json.loads(line)
        text, label = row["text"], row["label"]
    except (ValueError, KeyError, TypeError):
        text = label = None
    if not isinstance(text, str) or label not in {"spam", "ham"}:
        raise CommandError(
            f'{name}, line {number}: expected an object with "text" and "label" (spam or ham)'
        )
    return Example(text, label == "spam", name)


def _told(trained: Trained) -> Iterator[str]:
    figures = trained.figures
    for name, sizes in figures["parts"].items():
        yield f"{name}: {sizes['spam']} spam, {sizes['other']} other texts"
    for name, title in (("recall", "spam held"), ("false_positives", "other texts held")):
        low, high = figures[f"{name}_between"]
        yield f"{title}: {figures[name]:.2%} (95 %: {low:.2%} to {high:.2%})"
    for name, found in figures["false_positives_in"].items():
        yield f"  {name}: {found['held']} of {found['texts']}"
    yield f"threshold: {trained.threshold:.3f}"
