"""Fill the database with the demonstration."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oasst.lib.errors import DomainError
from tasks_app.demo.build import Outcome, build
from tasks_app.demo.play import CannotPlay
from tasks_app.enums import TreeState

STAGES = [state.value for state in TreeState if state != TreeState.READY_FOR_SCORING]


class Command(BaseCommand):
    help = (
        "Add conversation trees in eight languages and in every state, written, reviewed and "
        "ranked by an invented cast: Alice contributes, Bob reviews, Mona moderates, Root "
        "administrates, Trudy is banned (alice@example.org and so on; get in with login_link). "
        "Turns adaptive overlap on, so that moderators decide where reviewers differ. "
        "Safe to repeat: what is there already stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="same seed, same ids and votes")
        parser.add_argument("--stage", choices=STAGES, help="only trees that end in this state")

    def handle(self, *args: Any, **options: Any) -> None:
        stage = TreeState(options["stage"]) if options["stage"] else None
        try:
            with _quiet(unless=options["verbosity"] > 1):
                outcome = build(seed=options["seed"], now=timezone.now(), stage=stage)
        except (CannotPlay, DomainError) as error:
            raise CommandError(f"nothing was added: {error}") from error
        self.stdout.write(_summary(outcome))


@contextmanager
def _quiet(*, unless: bool) -> Iterator[None]:
    """Hundreds of simulated acts need no line each in the operator's terminal."""
    before = logging.root.manager.disable
    if not unless:
        logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def _summary(outcome: Outcome) -> str:
    if not outcome.added:
        return f"Nothing to do: all {outcome.already_there} trees are there already."
    states = ", ".join(f"{count} {state}" for state, count in sorted(outcome.added.items()))
    kept = f"; {outcome.already_there} were there already" if outcome.already_there else ""
    return f"Added {outcome.added.total()} trees ({states}){kept}."
