"""`manage.py login_link EMAIL`: prints a one-time link that signs in as that person."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from oasst.accounts import jobs, magic_link, people, roles
from oasst.accounts.enums import CodePurpose
from oasst.accounts.forms import AddressField
from oasst.accounts.models import User


class Command(BaseCommand):
    help = "Print a one-time link that signs in as EMAIL (for demos, and when mail is down)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--create", action="store_true", help="make the account if need be")
        parser.add_argument("--group", choices=roles.ROLES, help="put the account in this group")
        parser.add_argument("--name", default="", help="display name of a new account")
        parser.add_argument(
            "--minutes", type=int, default=magic_link.VALID_MINUTES, help="validity, default 15"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["minutes"] <= 24 * 60:
            raise CommandError("--minutes: expected 1 to 1440")
        with transaction.atomic():
            user = _account(options["email"], may_create=options["create"], name=options["name"])
            if options["group"]:
                roles.grant(user, options["group"])
            link = _link(user, minutes=options["minutes"])
        self.stdout.write(link)


def _account(email: str, *, may_create: bool, name: str) -> User:
    try:
        email = AddressField().clean(email)
    except ValidationError as error:
        raise CommandError(f"{email}: {' '.join(error.messages)}") from None
    user = people.find(email)
    if user is None:
        if not may_create:
            raise CommandError(f"{email}: no such account; --create makes one")
        user, _is_new = people.find_or_create(email)
        user.display_name = name
        user.save(update_fields=["display_name"])
    if not user.is_active:
        raise CommandError(f"{email}: this account is blocked")
    return user


def _link(user: User, *, minutes: int) -> str:
    now = timezone.now()
    asked = magic_link.prepare(user.email, CodePurpose.SIGN_IN, now=now, valid_minutes=minutes)
    made = magic_link.issue(asked, now=now)
    asked.sent_at = now  # handed over by the operator, not by mail
    asked.save(update_fields=["sent_at"])
    return jobs.link_for(asked, made.token)
