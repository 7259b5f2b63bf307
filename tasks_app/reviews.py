"""Whether reviewers accept a message: the score from their labels and the verdict (pure)."""

from collections.abc import Mapping, Sequence
from math import fsum

# Scores nearer to the threshold than this equal it; what is left are rounding errors.
EPSILON = 1e-9


def acceptance(
    label_sets: Sequence[Mapping[str, float]], weights: Sequence[float] | None = None
) -> float:
    """Score of a message: 1 − (mean of spam + mean of lang_mismatch), so from −1 to 1.

    Each set holds one reviewer's labels, values in [0, 1]. `spam` is mandatory, a missing
    `lang_mismatch` counts 0. `weights` are the reviewers' weights, by default 1 each.
    Raises ValueError if there are no sets, weights do not fit, or a set lacks `spam`.
    Source: the original's `_calculate_acceptance`, reference 2.4.
    """
    chosen = [1.0] * len(label_sets) if weights is None else list(weights)
    if len(chosen) != len(label_sets) or any(not weight >= 0 for weight in chosen):
        raise ValueError(f"{len(label_sets)} label sets need as many weights >= 0: {chosen}")
    total = fsum(chosen)
    if total <= 0:
        raise ValueError("acceptance needs at least one label set with a weight above 0")
    objections = fsum(
        weight * _objection(labels) for weight, labels in zip(chosen, label_sets, strict=True)
    )
    return 1 - objections / total


def is_accepted(score: float, threshold: float) -> bool:
    """True if `score` is strictly greater than `threshold`."""
    return score - threshold > EPSILON


def takes_in(labels: Mapping[str, float]) -> bool:
    """True if a reviewer objects to nothing that decides: their vote is yes."""
    return not _objection(labels)


def _objection(labels: Mapping[str, float]) -> float:
    if "spam" not in labels:
        raise ValueError("every label set needs a value for spam")
    return labels["spam"] + labels.get("lang_mismatch", 0.0)


def deciding_review(
    label_sets: Sequence[Mapping[str, float]], result: bool, *, least: int, threshold: float
) -> int:
    """The place, from 0, of the review with which `least` or more came to `result` at first.

    As all weigh 1 here, none may have; then it is the one that made the number full.
    """
    full = min(least, len(label_sets))
    for count in range(full, len(label_sets) + 1):
        if is_accepted(acceptance(label_sets[:count]), threshold) == result:
            return count - 1
    return full - 1
