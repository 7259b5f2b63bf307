"""Ban a person."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oasst.accounts import people
from oasst.lib.errors import DomainError
from tasks_app import moderation


class Command(BaseCommand):
    help = (
        "Ban the person who signs in with an e-mail address: they are signed out at once and "
        "cannot come back until a moderator lifts the ban in the admin. Their messages stay; "
        "their prompts leave the lottery. Safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--reason", required=True, help="kept in the moderation log")

    def handle(self, *args: Any, **options: Any) -> None:
        user = people.find(options["email"].strip())
        if user is None:
            raise CommandError(
                f"Nobody signs in with {options['email']}. Check the spelling; the admin finds "
                "people by name."
            )
        was_active = user.is_active
        try:
            moderation.ban_user(user.pk, actor=None, reason=options["reason"], now=timezone.now())
        except DomainError as error:
            raise CommandError(error.message) from error
        done = "is banned now" if was_active else "was banned before; nothing to do"
        self.stdout.write(f"{user.public_name} ({user.pk}) {done}.")
