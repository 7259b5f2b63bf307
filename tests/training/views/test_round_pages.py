"""The pages of rounds: for staff, with figures that say how sure they are."""

from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from oasst.accounts.models import User
from tests.training import given, given_rounds
from training.enums import RoundState, StepState
from training.models import Round

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
BACKEND = "django.contrib.auth.backends.ModelBackend"
LOSS = {"value": 1.25, "low": 1.1, "high": 1.4, "n": 60}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


@pytest.fixture
def web(root: User) -> Client:
    return browser(root)


def url(found: Round, page: str = "") -> str:
    return f"/training/rounds/{found.name}/{page}"


@pytest.mark.parametrize("page", ["", "samples/"])
def test_pages_are_for_staff(alice: User, page: str) -> None:
    found = given_rounds.begun()

    assert browser(alice).get(url(found, page)).status_code == 403
    assert Client().get(url(found, page)).status_code == 302


def test_list_leads_to_each_round(web: Client) -> None:
    assert "No round yet" in web.get("/training/rounds/").text

    found = given_rounds.begun()

    assert f'href="{url(found)}"' in web.get("/training/rounds/").text


def queries(web: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert web.get(address).status_code == 200
    return len(asked)


def test_pages_ask_as_little_for_many_as_for_one(web: Client) -> None:
    found = given_rounds.begun()
    web.get("/training/rounds/")  # what the process remembers
    before = queries(web, "/training/rounds/"), queries(web, url(found))

    for number in (3, 5):
        given_rounds.begun(f"name=other-{number}")
    for kind in ("sft", "rm", "ppo"):
        found.steps.filter(kind=kind).update(run=given.queued())

    assert (queries(web, "/training/rounds/"), queries(web, url(found))) == before


def test_page_shows_each_step_with_its_record(web: Client) -> None:
    found = given_rounds.begun()
    found.steps.filter(kind="sft").update(
        state=StepState.DONE, record={"evaluation": {"loss": LOSS}}
    )
    none = {"accuracy": LOSS | {"value": None, "low": None, "high": None, "n": 3}}
    warned = none | {"warnings": ["It does not beat length."]}
    given_rounds.write(found, "rm", {"evaluation": warned})

    page = web.get(url(found)).text

    assert page.count('class="card round-step"') == 8
    assert "1.250" in page
    assert "(1.100 … 1.400)" in page
    assert "n = 60" in page
    assert "not enough data" in page
    assert "It does not beat length." in page


def test_page_says_who_wins_and_how_sure_that_is(web: Client, tmp_path: Path) -> None:
    found = given_rounds.in_ranking(tmp_path)
    before = web.get(url(found)).text
    given_rounds.ranked_by(len)

    after = web.get(url(found)).text

    assert before.count("not enough data") == 4
    assert "0 rankings of answers to 12 prompts" in before
    assert "36 rankings of answers to 12 prompts" in after
    assert "not enough data" not in after
    assert "The new model, against the one before" in after


def test_failed_round_says_why_and_can_go_on(web: Client, mona: User) -> None:
    found = given_rounds.begun()
    Round.objects.filter(pk=found.pk).update(
        state=RoundState.FAILED, message="sft: the disk is full"
    )

    page = web.get(url(found)).text
    assert "sft: the disk is full" in page
    assert url(found, "go-on/") in page
    assert browser(mona).post(url(found, "go-on/")).status_code == 403

    assert web.post(url(found, "go-on/")).status_code == 302
    found.refresh_from_db()
    assert (found.state, found.message) == (RoundState.QUEUED, "")


def test_ended_round_cannot_go_on(web: Client, tmp_path: Path) -> None:
    found = given_rounds.in_ranking(tmp_path)

    assert url(found, "go-on/") not in web.get(url(found)).text
    assert web.post(url(found, "go-on/")).status_code == 409


def test_samples_are_a_page_without_rights(web: Client, tmp_path: Path) -> None:
    found = given_rounds.begun()
    assert web.get(url(found, "samples/")).status_code == 404
    (tmp_path / "samples.html").write_text("<style>p{}</style><p>Bread")
    given_rounds.write(found, "sample", {"folder": str(tmp_path)})

    page = web.get(url(found, "samples/"))

    assert page.text.endswith("<p>Bread")
    policy = page["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
