"""`manage.py run_round CONFIG [key=value …] [--now]`: a round, from the data to the ranking."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from oasst.lib.errors import DomainError
from training import round_config, rounds
from training.config import ConfigError
from training.enums import RoundState
from training.models import Round
from training.standings import standing


class Command(BaseCommand):
    help = (
        "Run a round: snapshot, SFT, reward model, PPO, evaluation, samples, promotion, ranking. "
        "CONFIG is a YAML file or the name of one in training/configs. A round that broke off is "
        "gone on with; after one that came to its end the next begins."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("config")
        parser.add_argument(
            "overrides", nargs="*", metavar="key=value", help="such as data=FILE or promote.name=x"
        )
        parser.add_argument("--now", action="store_true", help="run it in this process")

    def handle(self, *, config: str, overrides: list[str], now: bool, **options: Any) -> None:
        try:
            found = rounds.begin(round_config.load(config, overrides), now=timezone.now())
            self.stdout.write(f"Round {found.name}")
            if not now:
                rounds.call_worker(found)
                self.stdout.write("It waits for a worker: manage.py rqworker training")
                return
            found = rounds.run(found)
        except (ConfigError, DomainError) as error:
            raise CommandError(str(error)) from error
        self._tell(found)
        if found.state != RoundState.DONE:
            raise CommandError(
                f"{found.get_state_display()}: {found.message}\nThe same command goes on from here."
            )

    def _tell(self, found: Round) -> None:
        for step in found.steps.order_by("position"):
            took = ""
            if step.started_at and step.ended_at:
                took = f", {(step.ended_at - step.started_at).total_seconds():.0f} s"
            self.stdout.write(
                f"{step.kind}: {step.get_state_display()}{took} {step.message}".rstrip()
            )
        known = standing(found)
        for rate in known.rates if known else []:
            value = "not enough data" if rate.value is None else f"{rate.value:.2f}"
            self.stdout.write(f"{rate.side} against {rate.other}: {value}, n = {rate.n}")
