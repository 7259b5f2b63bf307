"""`manage.py create_token EMAIL --scope …`: prints a new API token of that person."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from oasst.accounts import people, tokens
from oasst.accounts.enums import Scope
from oasst.accounts.models import TOKEN_NAME_MAX_LENGTH
from oasst.lib.errors import DomainError


class Command(BaseCommand):
    help = "Print a new API token of EMAIL. It is shown this once; only a hash is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument(
            "--scope",
            nargs="+",
            choices=Scope.values,
            required=True,
            action="extend",
            help="what it may do",
        )
        parser.add_argument("--name", default="create_token", help="what the account page calls it")
        parser.add_argument("--days", type=int, metavar="N", help="validity; default: no end")

    def handle(self, *args: Any, **options: Any) -> None:
        user = people.find(options["email"])
        if user is None:
            raise CommandError(f"{options['email']}: no such account")
        if not user.is_active:
            raise CommandError(f"{options['email']}: this account is blocked")
        if not 1 <= len(options["name"]) <= TOKEN_NAME_MAX_LENGTH:
            raise CommandError(f"--name: expected 1 to {TOKEN_NAME_MAX_LENGTH} characters")
        days, now = options["days"], timezone.now()
        if days is not None and not 1 <= days <= 3650:
            raise CommandError("--days: expected 1 to 3650")
        expires_at = None if days is None else now + timedelta(days=days)
        scopes = [Scope(scope) for scope in options["scope"]]
        try:
            _token, key = tokens.create(
                user, options["name"], scopes, now=now, expires_at=expires_at
            )
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(key)
