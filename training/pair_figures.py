"""How well a reward model knows what people prefer, and whether it only counts words. Pure.

A row is one pair: `{"tree", "group", "weight", "best_vs_worst", "chosen", "rejected",
"chosen_length", "rejected_length", "chosen_key", "rejected_key"}`: scores, lengths in characters,
and keys that tell which answers of a group are the same one. A group is a prompt.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from training.figures import Array, Bootstrap, Figure, Rows, mean

# ln(chosen length / rejected length): from "chosen much shorter" to "chosen much longer".
GAPS = (-0.7, 0.0, 0.7)
GAP_NAMES = ("much shorter", "shorter", "longer", "much longer")
CALIBRATION_BINS = 10
HACKED_SHARE = 0.9  # of pairs in which the longer answer gets the higher score
LEAST_PAIRS = 20  # fewer are not judged


def reward_model(rows: Rows, how: Bootstrap) -> dict[str, Any]:
    """All figures of a reward model on held-out pairs; `warnings` are sentences."""
    clusters = [row["tree"] for row in rows]
    right, longer = rightness(rows), longer_wins(rows)
    weights = [row["weight"] for row in rows]
    best = [i for i, row in enumerate(rows) if row["best_vs_worst"]]
    figures: dict[str, Any] = {
        "accuracy": mean(right, clusters, how),
        "accuracy_by_prompt": mean(right, clusters, how, weights=weights),
        "accuracy_best_vs_worst": mean(right[best], [clusters[i] for i in best], how),
        "longer_wins": mean(longer, clusters, how),
        "accuracy_over_longer_wins": mean(right - longer, clusters, how),
        "accuracy_length_controlled": length_controlled(right, longer, clusters, how),
        "prefers_longer": prefers_longer(rows, how),
        "calibration_error": calibration_error(rows, how),
        **_rank_correlations(rows, how),
    }
    found: dict[str, Any] = {name: figure.to_dict() for name, figure in figures.items()}
    found |= {
        "n": len(rows),
        "trees": len(set(clusters)),
        "prompts": len({row["group"] for row in rows}),
        "accuracy_by_length_gap": by_length_gap(rows, how),
        "calibration": calibration(rows),
    }
    found["warnings"] = warnings(figures)
    return found


def rightness(rows: Rows) -> Array:
    """1 where the chosen answer scores higher, ½ where both score alike, else 0; (N,)."""
    return _wins(np.array([row["chosen"] - row["rejected"] for row in rows]))


def longer_wins(rows: Rows) -> Array:
    """1 where the chosen answer is the longer one, ½ where both are as long; (N,)."""
    return _wins(_lengths(rows))


def prefers_longer(rows: Rows, how: Bootstrap) -> Figure:
    """How often the longer answer of a pair gets the higher score."""
    told = [row for row in rows if row["chosen_length"] != row["rejected_length"]]
    agree = _wins(np.array([r["chosen"] - r["rejected"] for r in told]) * np.sign(_lengths(told)))
    return mean(agree, [row["tree"] for row in told], how)


def length_controlled(right: Array, longer: Array, clusters: list[str], how: Bootstrap) -> Figure:
    """Accuracy if the longer answer were as often the better one as the shorter one.

    The mean of the accuracies where the chosen answer is longer and where it is shorter; a model
    that only counts words has 1 and 0 there, so ½.
    """
    members, taken = how.counts(clusters)
    drawn, value = np.zeros(len(taken)), 0.0
    for side in (longer == 1, longer == 0):
        hits = np.bincount(members, right * side, minlength=taken.shape[1])
        cases = np.bincount(members, side, minlength=taken.shape[1])
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn += (taken @ hits) / (taken @ cases) / 2
            value += float(np.divide(hits.sum(), cases.sum())) / 2
    return Figure(value, *how.interval(drawn), int((longer != 0.5).sum()))


def by_length_gap(rows: Rows, how: Bootstrap) -> list[dict[str, Any]]:
    """Accuracy in four classes, from "the chosen answer is much shorter" to "much longer"."""
    ratios = np.log([max(r["chosen_length"], 1) / max(r["rejected_length"], 1) for r in rows])
    places = np.digitize(ratios, GAPS)
    right = rightness(rows)
    found = []
    for place, name in enumerate(GAP_NAMES):
        inside = np.flatnonzero(places == place)
        if len(inside):
            figure = mean(right[inside], [rows[int(i)]["tree"] for i in inside], how)
            found.append({"chosen_is": name, **figure.to_dict()})
    return found


# Calibration: is an answer that is preferred with 80 % really the better one in 80 of 100 cases?


def calibration(rows: Rows) -> list[dict[str, float]]:
    """Per bin of confidence: its mean, the share that was right, how many pairs."""
    sure, right, bins = _confidence(rows)
    return [
        {
            "confidence": float(sure[bins == b].mean()),
            "accuracy": float(right[bins == b].mean()),
            "n": int((bins == b).sum()),
        }
        for b in range(CALIBRATION_BINS)
        if (bins == b).any()
    ]


def calibration_error(rows: Rows, how: Bootstrap) -> Figure:
    """Expected calibration error (Naeini et al. 2015) of σ(s_chosen − s_rejected)."""
    sure, right, bins = _confidence(rows)
    members, taken = how.counts([row["tree"] for row in rows])
    total, drawn = 0.0, np.zeros(len(taken))
    for b in range(CALIBRATION_BINS):
        gap = np.bincount(members, (right - sure) * (bins == b), minlength=taken.shape[1])
        total += abs(gap.sum())
        drawn += np.abs(taken @ gap)
    cases = taken @ np.bincount(members, minlength=taken.shape[1])
    return Figure(total / max(len(rows), 1), *how.interval(drawn / cases), len(rows))


def _confidence(rows: Rows) -> tuple[Array, Array, Array]:
    margin = np.array([row["chosen"] - row["rejected"] for row in rows])
    sure = 1 / (1 + np.exp(-np.abs(margin)))  # of the answer that scores higher; ½ to 1
    bins = np.minimum((sure - 0.5) * 2 * CALIBRATION_BINS, CALIBRATION_BINS - 1).astype(int)
    return sure, _wins(margin), bins


# Order of all answers to a prompt


def _rank_correlations(rows: Rows, how: Bootstrap) -> dict[str, Figure]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["group"]].append(row)
    trees = [pairs[0]["tree"] for pairs in groups.values()]
    tau = [kendall(pairs) for pairs in groups.values()]
    several = [(spearman(p), p[0]["tree"]) for p in groups.values() if len(answers(p)) > 2]
    found = {"kendall_tau": mean(tau, trees, how)}
    if several:
        found["spearman"] = mean([rho for rho, _ in several], [tree for _, tree in several], how)
    return found


def kendall(pairs: Rows) -> float:
    """τ of one prompt: (pairs in the right order − in the wrong one) / pairs. Ties count 0."""
    return float(np.mean(2 * rightness(pairs) - 1))


def spearman(pairs: Rows) -> float:
    """ρ between people's order of a prompt's answers and that of their scores, ties averaged.

    People's order is by how many other answers each was preferred to.
    """
    found = answers(pairs)
    wins, scores = zip(*found.values(), strict=True)
    a, b = _ranks(np.array(wins, dtype=float)), _ranks(np.array(scores, dtype=float))
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def answers(pairs: Rows) -> dict[str, tuple[int, float]]:
    """Of each answer to a prompt, by key: to how many it was preferred, and its score."""
    found: dict[str, tuple[int, float]] = {}
    for row in pairs:
        for side, won in (("chosen", 1), ("rejected", 0)):
            key = row[f"{side}_key"]
            found[key] = (found.get(key, (0, 0.0))[0] + won, row[side])
    return found


def _ranks(values: Array) -> Array:
    """Ranks from 0, those of equal values averaged."""
    smaller = (values[:, None] > values[None, :]).sum(1)
    equal = (values[:, None] == values[None, :]).sum(1)
    ranks: Array = smaller + (equal - 1) / 2
    return ranks


# Words


def warnings(figures: dict[str, Figure]) -> list[str]:
    """What must be said before the figures are believed."""
    accuracy, over = figures["accuracy"], figures["accuracy_over_longer_wins"]
    if accuracy.n < LEAST_PAIRS:
        return [f"Only {accuracy.n} pairs were held out: too few to judge the reward model."]
    found = []
    if accuracy.high < 0.5:
        found.append("Worse than chance: the interval of its accuracy lies below 0.5.")
    elif accuracy.low <= 0.5:
        found.append("Not shown to be better than chance: the interval of its accuracy holds 0.5.")
    if over.low <= 0:
        word = "worse than" if over.high < 0 else "not shown to be better than"
        found.append(f"It is {word} the rule “the longer answer wins”.")
    if is_length_hacked(figures):
        found.append(
            "It rewards length: the longer answer scores higher in "
            f"{figures['prefers_longer'].value:.0%} of the pairs, and once length is controlled "
            "for, it is not shown to be better than chance."
        )
    return found


def is_length_hacked(figures: dict[str, Figure]) -> bool:
    """Whether the scores could come from counting words alone; as well where the chosen answers
    are all longer, or all shorter, so that nothing can be controlled for.
    """
    likes, controlled = figures["prefers_longer"], figures["accuracy_length_controlled"]
    return likes.high >= HACKED_SHARE and not controlled.low > 0.5


def _lengths(rows: Rows) -> Array:
    return np.array([float(row["chosen_length"] - row["rejected_length"]) for row in rows])


def _wins(differences: Array) -> Array:
    wins: Array = (np.sign(differences) + 1) / 2
    return wins
