"""The desk leads from a person to their points, and to nobody else's."""

import re

import pytest
from django.test import Client

from leaderboard_app import ledger
from oasst.accounts.models import User
from tests.factories import NOW, grow
from tests.leaderboard_app.given import A_MINUTE, review

pytestmark = pytest.mark.django_db


def test_page_of_a_person_leads_to_their_points(moderator: Client, alice: User, bob: User) -> None:
    message = grow("P(A?)")[1]
    for person in (alice, bob):
        review(person, message)
    ledger.catch_up(now=NOW + A_MINUTE)

    page = moderator.get(f"/admin/accounts/user/{alice.pk}/change/")
    (address,) = re.findall(r'href="(/admin/leaderboard_app/pointentry/\?[^"]+)"', page.text)
    entries = moderator.get(address).context["cl"].queryset

    assert [entry.user for entry in entries] == [alice]
