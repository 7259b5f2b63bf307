"""Routes that no app owns."""

import pytest
from django.conf import settings
from django.test import Client

from oasst.accounts.models import User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/admin/queues/", "/admin/queues/stats.json"])
def test_job_queue_is_shown_to_admins_only(client: Client, path: str) -> None:
    admin = User.objects.create_superuser("root@example.org", tos_version=settings.TOS_VERSION)

    client.force_login(factories.mona())
    assert client.get(path).status_code == 403
    client.force_login(factories.alice())
    assert client.get(path).status_code in {302, 403}
    client.force_login(admin)
    assert client.get(path).status_code == 200


def test_job_queue_asks_strangers_to_sign_in(client: Client) -> None:
    response = client.get("/admin/queues/")

    assert response.status_code == 302
    assert "login" in response.headers["Location"]
