"""The benchmarks' database is one that the domain could have written."""

import pytest

from tasks_app.checks import broken_invariants
from tasks_app.models import Message, MessageTree, Offer, Task, TextLabels
from tests.benchmarks import collection


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_filled_database_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "USERS", 400)

    collection.build(3_000)

    assert 2_400 < Message.objects.count() < 3_600
    assert TextLabels.objects.count() > 2.5 * Message.objects.count()
    assert (
        0.01 < MessageTree.objects.filter(active=True).count() / MessageTree.objects.count() < 0.1
    )
    assert Offer.objects.count() > 10
    assert not Task.objects.filter(holds_slot=True).exists()
    assert list(broken_invariants()) == []
