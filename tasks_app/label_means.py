"""What all people together said about messages: the mean and the number of votes per label."""

import uuid
from collections import defaultdict
from collections.abc import Collection
from math import fsum

from tasks_app.export_format import LabelMean
from tasks_app.labels import LABELS
from tasks_app.models import ImportedLabelAggregate, TextLabels

_ORDER = {name: place for place, name in enumerate(LABELS)}


def means_of(messages: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, LabelMean]]:
    """Means over every label set (reviews, free labels, reports) and what was imported.

    A label counts only those who answered it, and nobody who is held back. Two queries, whatever
    the number of messages.
    """
    votes: dict[uuid.UUID, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    sets = TextLabels.objects.counted().filter(message__in=messages).order_by("id")
    for pk, values in sets.values_list("message", "values"):
        for name, value in values.items():
            votes[pk][name].append(value)
    imported = dict(
        ImportedLabelAggregate.objects.filter(message__in=messages)
        .exclude(values={})
        .values_list("message", "values")
    )
    return {pk: _merge(votes.get(pk, {}), imported.get(pk, {})) for pk in {*votes, *imported}}


def _merge(
    votes: dict[str, list[float]], imported: dict[str, dict[str, float]]
) -> dict[str, LabelMean]:
    names = sorted({*votes, *imported}, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
    return {name: _mean(votes.get(name, []), imported.get(name)) for name in names}


def _mean(votes: list[float], imported: dict[str, float] | None) -> LabelMean:
    if imported is None:
        return LabelMean(fsum(votes) / len(votes), len(votes))
    if not votes:
        return LabelMean(imported["value"], int(imported["count"]))
    count = len(votes) + int(imported["count"])
    return LabelMean((fsum(votes) + imported["value"] * imported["count"]) / count, count)
