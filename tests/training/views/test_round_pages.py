"""The pages of rounds: for staff, with figures that say how sure they are."""

from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, Task
from tests.factories import grow, hand_out
from tests.training import given, given_rounds
from training.enums import RoundState, StepState
from training.models import Round, TrainingRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
BACKEND = "oasst.accounts.backends.ByPassword"
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


@pytest.fixture
def ranked(tmp_path: Path) -> Round:
    """A round whose answers wait to be ranked, with samples of its own and of its SFT run."""
    found = given_rounds.in_ranking(tmp_path)
    (tmp_path / "samples.html").write_text("<p>model-2: Bread")
    given_rounds.write(found, "sample", {"folder": str(tmp_path)})
    run = given.queued()
    TrainingRun.objects.filter(pk=run.pk).update(round=found)
    run.folder.make().add_samples(2, "Why?", [{"text": "Bread, of course."}])
    found.steps.filter(kind="sft").update(run=run)
    return found


def ranking_of(found: Round, person: User) -> Task:
    """A ranking of the round's answers that somebody has just taken."""
    trees = found.steps.get(kind="rank").record["trees"]
    kind = TaskType.RANK_ASSISTANT_REPLIES
    return hand_out(person, kind, Message.objects.get(pk=trees[3]), now=timezone.now())


def test_samples_wait_for_whoever_is_about_to_rank_them(ranked: Round, mona: User) -> None:
    web, run = browser(mona), ranked.runs.get()
    assert "Bread" in web.get(url(ranked, "samples/")).text
    assert "Bread" in web.get(f"/training/runs/{run.pk}/").text

    task = ranking_of(ranked, mona)

    response = web.get(url(ranked, "samples/"))
    assert (response.status_code, response["Location"]) == (302, url(ranked))
    page = web.get(url(ranked)).text
    assert "once you have ranked these answers" in page
    assert url(ranked, "samples/") not in page
    assert f'href="/tasks/{task.pk}/"' in page
    page = web.get(f"/training/runs/{run.pk}/").text
    assert "Bread" not in page
    assert f'href="/tasks/{task.pk}/"' in page


def test_samples_come_back_with_the_order_and_were_never_gone_for_others(
    ranked: Round, mona: User, root: User
) -> None:
    task = ranking_of(ranked, mona)
    assert "Bread" in browser(root).get(url(ranked, "samples/")).text

    places = {f"place_{pk}": str(n) for n, pk in enumerate(task.shown_ids, start=1)}
    assert browser(mona).post(f"/tasks/{task.pk}/", places).status_code == 302

    assert "Bread" in browser(mona).get(url(ranked, "samples/")).text
    assert "Bread" in browser(mona).get(f"/training/runs/{ranked.runs.get().pk}/").text


def test_a_ranking_of_another_tree_leaves_the_samples(ranked: Round, mona: User) -> None:
    other = grow("P(A A)", state=TreeState.RANKING)
    hand_out(mona, TaskType.RANK_ASSISTANT_REPLIES, other.root, now=timezone.now())

    assert "Bread" in browser(mona).get(url(ranked, "samples/")).text
