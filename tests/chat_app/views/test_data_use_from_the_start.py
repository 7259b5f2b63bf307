"""A chat may be kept out of training before its first message is sent."""

import pytest
from django.test import Client
from django.urls import reverse

from chat_app.models import Chat
from oasst.accounts.models import User
from tests.chat_app import given

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("values", "allowed"), [({}, True), ({"private": "on"}, False)])
def test_first_message_says_whether_the_chat_may_train(
    client: Client, alice: User, values: dict[str, str], allowed: bool
) -> None:
    given.served()
    client.force_login(alice)

    page = client.get(reverse("chat:list"))
    client.post(reverse("chat:list"), {"text": "Hello", **values})

    assert "Keep this chat out of training" in page.content.decode()
    assert Chat.objects.get().allow_data_use is allowed
