"""`manage.py reset_second_factor EMAIL`: for somebody who lost phone, keys and recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from oasst.accounts import people, second_factor


class Command(BaseCommand):
    help = "Remove every second factor of EMAIL and sign that person out everywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        user = people.find(options["email"])
        if user is None:
            raise CommandError(f"{options['email']}: no such account")
        removed = second_factor.remove_all(user)
        people.end_all_sessions(user, now=timezone.now())
        self.stdout.write(f"removed {removed}; signed out everywhere")
