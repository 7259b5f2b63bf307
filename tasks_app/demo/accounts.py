"""Makes the accounts of the cast, as sign-in would leave them."""

import uuid
from datetime import datetime, timedelta

from oasst.accounts import people, roles
from oasst.accounts.models import User
from tasks_app.demo.cast import CAST, Person

JOINED = timedelta(days=45)  # before the demonstration's present

# The same person has the same id wherever the demonstration is played.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "demo.example.org")


def hire(*, now: datetime) -> dict[str, User]:
    """The cast's accounts by key. Accounts that exist stay as they are."""
    known = {user.email: user for user in User.objects.filter(email__in=[p.email for p in CAST])}
    return {
        person.key: known.get(person.email) or _sign_up(person, now=now - JOINED) for person in CAST
    }


def _sign_up(person: Person, *, now: datetime) -> User:
    user = User.objects.create_user(
        person.email,
        id=uuid.uuid5(NAMESPACE, person.email),
        display_name=person.name,
        contribution_languages=list(person.langs),
        date_joined=now,
        is_superuser=person.role == "admin",
    )
    people.set_address(user, person.email)
    people.accept_terms(user, now=now)
    if person.role == "moderator":
        roles.grant(user, roles.MODERATORS)
    elif person.role == "admin":
        roles.grant(user, roles.ADMINS)
    return user
