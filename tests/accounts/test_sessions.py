"""The list of signed-in devices: seen, ended one by one, and without addresses of the network."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from oasst.accounts import devices, jobs
from oasst.accounts.models import OpenSession, User
from tests.accounts.conftest import Ask, Post, user_id
from tests.sessions import signed_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def devices_of_alice(ask: Ask, post: Post, alice: User) -> tuple[Client, Client]:
    """Alice's computer and phone, signed in by mail."""
    computer, phone = Client(headers={"user-agent": FIREFOX}), Client(headers={"user-agent": PHONE})
    for client in (computer, phone):
        post(client, ask(client, alice.email).link)
    return computer, phone


def test_somebody_sees_their_devices_and_ends_one(devices_of_alice: tuple[Client, Client]) -> None:
    computer, phone = devices_of_alice
    page = computer.get("/account/").content.decode()
    assert "Firefox, Linux" in page
    assert "Safari, iPhone" in page
    assert page.count("This device") == 1
    assert phone.session.session_key not in page
    handle = OpenSession.objects.get(session_key=phone.session.session_key).handle

    computer.post(f"/account/sessions/{handle}/end/")

    assert phone.get("/account/").status_code == 302
    assert computer.get("/account/").content.decode().count("/end/") == 2  # its own, and everywhere


def test_ending_the_session_one_is_in_signs_out(devices_of_alice: tuple[Client, Client]) -> None:
    computer, phone = devices_of_alice
    handle = OpenSession.objects.get(session_key=computer.session.session_key).handle

    response = computer.post(f"/account/sessions/{handle}/end/")

    assert response["Location"] == "/accounts/login/"
    assert user_id(computer) is None
    assert phone.get("/account/").status_code == 200


def test_nobody_ends_the_session_of_another(
    devices_of_alice: tuple[Client, Client], bob: User
) -> None:
    _computer, phone = devices_of_alice
    handle = OpenSession.objects.get(session_key=phone.session.session_key).handle
    other = Client()
    other.force_login(bob)

    other.post(f"/account/sessions/{handle}/end/")

    assert phone.get("/account/").status_code == 200


def test_sign_out_everywhere_and_time_leave_no_session(
    devices_of_alice: tuple[Client, Client], alice: User
) -> None:
    computer, _phone = devices_of_alice
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2), tick=False) as later:
        computer.get("/account/")
        used = OpenSession.objects.values_list("last_used_on", flat=True)
        today = datetime.now(UTC).date()
        assert sorted(used) == [today - timedelta(days=2), today]

        later.shift(timedelta(days=29))
        jobs.delete_expired_codes()
        assert OpenSession.objects.get().user == alice

        assert computer.post("/account/sessions/end/").status_code == 302
        assert not OpenSession.objects.filter(user=alice).exists()


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX.replace("X11; Linux x86_64", "Windows NT 10.0"), "Firefox, Windows"),
        ("… (Linux; Android 15) … Chrome/140.0 Mobile Safari/537.36 EdgA/140", "Edge, Android"),
        ("curl/8.0", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_browsers_have_names(user_agent: str, name: str) -> None:
    assert devices.in_words(user_agent) == name


def test_a_session_keeps_no_address_of_the_network() -> None:
    columns = {field.name for field in OpenSession._meta.get_fields()}

    assert columns == {"session_key", "session_data", "expire_date", "user", "device",
                       "signed_in_at", "last_used_on"}  # fmt: skip


def test_account_and_groups_are_read_with_the_session(mona: User) -> None:
    client = signed_in(mona)
    client.get("/messages/")
    with CaptureQueriesContext(connection) as asked:
        client.get("/messages/")

    sql = [query["sql"] for query in asked]
    assert len([each for each in sql if '"accounts_opensession"."session_data"' in each]) == 1
    assert not [
        each for each in sql if each.startswith(('SELECT "accounts_user"', 'SELECT "auth_'))
    ]


def test_what_changes_between_two_pages_holds_on_the_second(mona: User) -> None:
    client = signed_in(mona)
    assert client.get("/stats/agreement/people/").status_code == 200

    User.objects.filter(pk=mona.pk).update(is_staff=False)
    assert client.get("/stats/agreement/people/").status_code != 200
    User.objects.filter(pk=mona.pk).update(is_active=False)
    assert client.get("/dashboard/").status_code == 302
