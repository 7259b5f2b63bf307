"""Take everything out that a person contributed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from oasst.accounts import people
from oasst.lib.errors import DomainError
from tasks_app.bulk import actions, plans
from tasks_app.bulk.plans import Plan


class Command(BaseCommand):
    help = (
        "Hide every message of the person who signs in with an e-mail address, with what is below "
        "it, and take their reviews, rankings and reactions out; verdicts and ranks follow. "
        "It can be undone in the admin for 30 days. Does not ban: see ban_user. Safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--reason",
            default="stopped by an operator",
            help="kept in the moderation log; authors read it",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="count what would change, and change nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = people.find(options["email"].strip())
        if user is None:
            raise CommandError(
                f"Nobody signs in with {options['email']}. Check the spelling; the admin finds "
                "people by name."
            )
        plan = plans.of_person(user)
        if options["dry_run"]:
            self.stdout.write(f"Would change {told(plan)}. Nothing was changed.")
            return
        try:
            bulk = actions.begin(plan, actor=None, reason=options["reason"], now=timezone.now())
        except DomainError as error:
            raise CommandError(error.message) from error
        while not actions.carry_on(bulk.pk, now=timezone.now()):
            pass
        self.stdout.write(f"Purged {user.public_name} ({user.pk}): {told(plan)}.")
        self.stdout.write(f"To undo it, open bulk action {bulk.pk} in the admin.")


def told(plan: Plan) -> str:
    """The numbers of a plan in words."""
    return (
        f"{plan.messages} messages of {plan.people} people in {plan.trees} trees, and "
        f"{plan.votes} reviews, rankings and reactions"
    )
