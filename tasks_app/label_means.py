"""What all people together said about messages: the mean and the number of votes per label."""

import uuid
from collections import defaultdict
from collections.abc import Collection
from math import fsum

from tasks_app import reliability
from tasks_app.config import TreeConfig
from tasks_app.export_format import LabelMean
from tasks_app.labels import LABELS
from tasks_app.models import ImportedLabelAggregate, TextLabels

_ORDER = {name: place for place, name in enumerate(LABELS)}

_Vote = tuple[float, float]  # value and weight


def means_of(
    messages: Collection[uuid.UUID], *, config: TreeConfig
) -> dict[uuid.UUID, dict[str, LabelMean]]:
    """Means over every label set (reviews, free labels, reports) and what was imported.

    A label counts only those who answered it, and nobody who is held back; each by the weight that
    the person has for this label, and what was imported as so many people. Two queries, whatever
    the number of messages, and with weights one more.
    """
    sets = TextLabels.objects.counted().filter(message__in=messages).order_by("id")
    rows = list(sets.values_list("message", "message__lang", "user", "values"))
    weights = reliability.label_weights({user for _, _, user, _ in rows}, config=config)
    votes: dict[uuid.UUID, dict[str, list[_Vote]]] = defaultdict(lambda: defaultdict(list))
    for pk, lang, user, values in rows:
        for name, value in values.items():
            votes[pk][name].append((value, weights.get((user, lang, name), 1.0)))
    imported = dict(
        ImportedLabelAggregate.objects.filter(message__in=messages)
        .exclude(values={})
        .values_list("message", "values")
    )
    return {pk: _merge(votes.get(pk, {}), imported.get(pk, {})) for pk in {*votes, *imported}}


def _merge(
    votes: dict[str, list[_Vote]], imported: dict[str, dict[str, float]]
) -> dict[str, LabelMean]:
    names = sorted({*votes, *imported}, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
    return {name: _mean(votes.get(name, []), imported.get(name)) for name in names}


def _mean(votes: list[_Vote], imported: dict[str, float] | None) -> LabelMean:
    if not votes and imported is not None:
        return LabelMean(imported["value"], int(imported["count"]))
    total = fsum(value * weight for value, weight in votes)
    weights = fsum(weight for _, weight in votes)
    if imported is None:
        return LabelMean(total / weights, len(votes))
    count = int(imported["count"])
    mean = (total + imported["value"] * imported["count"]) / (weights + count)
    return LabelMean(mean, len(votes) + count)
