"""The benchmarks' database is one that the domain could have written."""

from collections import defaultdict

import pytest

from tasks_app import agreement_report, agreement_sums
from tasks_app.agreement import Level, krippendorff_alpha
from tasks_app.checks import agreement as check_of_agreement
from tasks_app.checks import broken_invariants
from tasks_app.models import Message, MessageTree, Offer, Task, TextLabels
from tests.benchmarks import collection


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_filled_database_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "USERS", 400)

    collection.build(1_500)

    assert 1_200 < Message.objects.count() < 1_800
    assert TextLabels.objects.count() > 2.5 * Message.objects.count()
    assert (
        0.01 < MessageTree.objects.filter(active=True).count() / MessageTree.objects.count() < 0.1
    )
    assert Offer.objects.count() > 10
    assert not Task.objects.filter(holds_slot=True).exists()
    assert list(broken_invariants()) == []
    assert_agreement_is_that_of_the_labels()


def assert_agreement_is_that_of_the_labels() -> None:
    while agreement_sums.fold():
        pass
    units = defaultdict(list)
    for message, values in TextLabels.objects.values_list("message", "values"):
        units[message].append(values["quality"])

    found = agreement_report.report("quality", agreement_report.Filter())

    expected = krippendorff_alpha(units.values(), Level.ORDINAL)
    quality = next(row for row in found.labels if row.label.name == "quality")
    assert quality.alpha.value == pytest.approx(expected, abs=1e-9)
    assert 0.5 < quality.alpha.low < expected < quality.alpha.high < 1
    assert 0.5 < found.rankings.tau.value < 1
    assert list(check_of_agreement.findings()) == []
