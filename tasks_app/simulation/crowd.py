"""The simulated people: accounts that do nothing but contribute, some of them trolls."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from oasst.accounts.models import User


@dataclass(frozen=True)
class Person:
    """An account and its character."""

    user: User
    is_troll: bool


@dataclass(frozen=True)
class Crowd:
    """Everybody who takes part, and the moderator who deletes what the file says was deleted."""

    people: list[Person]
    moderator: User

    @property
    def honest(self) -> int:
        """How many are no trolls."""
        return sum(not person.is_troll for person in self.people)


def gather(
    contributors: int,
    trolls: float,
    *,
    langs: Sequence[str],
    rng: random.Random,
    now: datetime,
) -> Crowd:
    """Make the accounts; the share `trolls` of them, rounded, misbehaves."""
    users = [_account(f"Player {n + 1}", langs, rng, now) for n in range(contributors)]
    moderator = _account("Prompter's box", langs, rng, now)
    User.objects.bulk_create([*users, moderator])
    bad = round(contributors * trolls)
    return Crowd([Person(user, n < bad) for n, user in enumerate(users)], moderator)


def _account(name: str, langs: Sequence[str], rng: random.Random, now: datetime) -> User:
    """Ids come from `rng`, so that the same seed plays the same play."""
    key = uuid.UUID(int=rng.getrandbits(128), version=4)
    user = User(
        id=key,
        email=f"{key.hex}@players.invalid",
        display_name=name,
        contribution_languages=list(langs),
        tos_version=settings.TOS_VERSION,
        tos_accepted_at=now,
        date_joined=now,
    )
    user.set_unusable_password()
    return user
