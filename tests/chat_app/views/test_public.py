"""Pages of the chat that need no account."""

import pytest
from django.test import Client

from tests.chat_app import given

pytestmark = pytest.mark.django_db


def test_models_page_says_what_each_model_is_and_who_runs_it(client: Client) -> None:
    model = given.served(
        "sft-1", title="SFT 1", licence="Apache-2.0", parameter_count=1_711_376_384
    )
    given.served("hidden", enabled=False)
    given.worker(model, quantization="4bit")

    page = client.get("/models/").content.decode()

    assert "1.7 B parameters" in page
    assert "Apache-2.0" in page
    assert "4 bit (nf4)" in page
    assert "Hidden" not in page


def test_models_page_without_models_says_what_to_do(client: Client) -> None:
    assert "manage.py fetch_model" in client.get("/models/").content.decode()


def test_link_that_is_none_leads_nowhere(client: Client) -> None:
    assert client.get("/chat/shared/nothing/").status_code == 404
