"""How fast one person may write, outside of asking for tasks."""

import pytest
from django.test import Client

from oasst.accounts.models import User
from oasst.lib import edges
from tasks_app import pacing
from tasks_app.models import Report
from tests.factories import grow

pytestmark = pytest.mark.django_db


def test_a_machine_is_slowed_down_and_told_for_how_long(
    web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(edges._WRITES, "limit", 2)
    url = f"/messages/{grow('P').root.pk}/react/"

    answers = [web.post(url, {"code": "clap"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [302, 302, 429]
    assert int(answers[2]["Retry-After"]) > 0
    assert web.get(url).status_code == 200


def test_a_script_hears_it_in_json(web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(edges._WRITES, "limit", 0)

    url = f"/messages/{grow('P').root.pk}/react/"
    answer = web.post(url, {}, headers={"accept": "application/json"})

    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many_requests"


def test_reports_have_a_limit_of_their_own(
    web: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pacing._REPORTS, "limit", 1)
    for message in (grow("P").root, grow("P").root):
        answer = web.post(f"/messages/{message.pk}/report/", {"category": "spam", "text": "Look"})

    assert answer.status_code == 429
    assert Report.objects.filter(user=alice).count() == 1
