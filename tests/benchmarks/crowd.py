"""How well crowds with bad members find the truth: accuracy of reviews, τ of ranks, reviews asked.

Everybody first judges the same number of messages, from which the product's own functions learn
how far to trust them. Then other messages are decided on, and held against the published verdict.
Thresholds of adaptive overlap are chosen on seeds that nothing is measured on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from random import Random
from statistics import fmean, stdev
from typing import Any

from tasks_app import dawid_skene, overlap, ranker_skill
from tasks_app.dawid_skene import Fit, Skill
from tasks_app.overlap import Verdict
from tasks_app.ranker_skill import RankerFit
from tasks_app.ranking import Groups, kendall_tau, ranked_pairs
from tests.benchmarks import crowd_labels
from tests.benchmarks import crowd_world as world
from tests.benchmarks.crowd_world import Condition, Item, Person, Set, World

MAIN = "spammers_30"
CONDITIONS = {
    "spammers_0": Condition(),
    "spammers_10": Condition(spammers=0.1),
    MAIN: Condition(spammers=0.3),
    "colluders_30": Condition(colluders=0.3),
    "biased_30": Condition(biased=0.3),
}
PEOPLE = 150
LABELS = 20  # that everybody gave before
RANKINGS = 8  # likewise
GOLD_LABELS = 4  # of those, where there are gold items
GOLD_RANKINGS = 2
VOTES = 3
SEEDS = 20
FIRST_SEED = 1
TUNING_SEEDS = range(1001, 1005)
THRESHOLDS = (0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995)
METHODS = ("majority", "weights", "weights_gold", "adaptive")
LIKELY = 1.96  # standard errors that hold 95 %

Vote = tuple[bool, Skill]


@dataclass
class Figures:
    """What one seed gave."""

    accuracy: dict[str, float] = field(default_factory=dict)
    tau: dict[str, float] = field(default_factory=dict)
    reviews: dict[str, float] = field(default_factory=dict)
    spammer_auc: float | None = None
    spammer_auc_without_gold: float | None = None
    honest_flagged: float = 0.0
    bad_flagged: float | None = None
    curve: dict[float, tuple[float, float, float]] = field(default_factory=dict)


def measure(seeds: int = SEEDS, *, say: Callable[..., None]) -> dict[str, Any]:
    """All conditions over so many seeds."""
    told = {}
    for name, condition in CONDITIONS.items():
        tuning = [play(condition, seed) for seed in TUNING_SEEDS]
        threshold = _choose(tuning)
        found = [play(condition, seed, threshold) for seed in range(FIRST_SEED, FIRST_SEED + seeds)]
        told[name] = _report(found, threshold)
        told[name]["labels"] = crowd_labels.measure(
            condition, range(FIRST_SEED, FIRST_SEED + seeds)
        )
        say(name, {method: told[name][method] for method in METHODS})
    return told.pop(MAIN) | {"seeds": seeds, "votes": VOTES, "labels": LABELS, "conditions": told}


def play(condition: Condition, seed: int, threshold: float = 0.95) -> Figures:
    """One crowd: what it learned of its members, then what it finds."""
    scene = world.gather(condition, PEOPLE, Random(seed))
    plain, with_gold = _fit_reviews(scene, gold=0), _fit_reviews(scene, gold=GOLD_LABELS)
    figures = Figures()
    _judge_people(figures, scene, plain, with_gold)
    _decide(figures, scene, plain, with_gold, threshold)
    _rank(figures, scene)
    return figures


# What is known of people


def _fit_reviews(scene: World, *, gold: int) -> Fit:
    """Skills after everybody's first messages, `gold` of them with a known answer."""
    votes: list[tuple[int, Any, bool]] = []
    for number in range(LABELS - gold):
        for task, people in enumerate(_in_groups(scene)):
            item = scene.rng.choice(scene.items)
            for person, answers in _asked(scene, item, people):
                votes.append((person.number, (number, task), world.accepts(item, [answers], [1])))
    known = {}
    for item in _clear(scene, gold):
        known[item.number] = item.is_good
        for person in scene.people:
            answers = scene.vote(person, item, scene.rng.randrange(world.JURY))
            votes.append((person.number, item.number, world.accepts(item, [answers], [1])))
    return dawid_skene.fit(votes, gold=known)


def _clear(scene: World, count: int) -> list[Item]:
    """Gold items: as many good as bad ones, on which the published jury was of one mind."""
    good = [item for item in scene.items if item.is_good and _is_undisputed(item)]
    bad = [item for item in scene.items if item.line is None]
    return scene.rng.sample(good, count - count // 2) + scene.rng.sample(bad, count // 2)


def _is_undisputed(item: Item) -> bool:
    means = item.line.node.labels if item.line else {}
    return all(not means[name].value for name in world.OBJECTIONS & means.keys())


def _fit_rankings(scene: World, *, gold: int) -> RankerFit:
    """The same for those who rank."""
    rankings: list[tuple[int, Any, Groups[str]]] = []
    for number in range(RANKINGS - gold):
        for task, people in enumerate(_in_groups(scene)):
            shown = scene.rng.choice(scene.sets)
            rankings += [(p.number, (number, task), scene.rank(p, shown)) for p in people]
    known = {shown.number: shown.order for shown in scene.rng.sample(scene.sets, gold)}
    for key in known:
        rankings += [(p.number, key, scene.rank(p, scene.sets[key])) for p in scene.people]
    return ranker_skill.fit([row for row in rankings if row[2]], gold=known)


def _in_groups(scene: World) -> Iterator[list[Person]]:
    """Everybody once, by threes."""
    people = scene.rng.sample(scene.people, len(scene.people))
    return (people[n : n + VOTES] for n in range(0, len(people), VOTES))


def _judge_people(figures: Figures, scene: World, plain: Fit, with_gold: Fit) -> None:
    honest = [person.number for person in scene.people if person.is_honest]
    bad = [person.number for person in scene.people if not person.is_honest]
    flagged = {n for n, s in with_gold.skills.items() if dawid_skene.is_doubtful(s, with_gold.mean)}
    figures.honest_flagged = len(flagged & set(honest)) / len(honest)
    if bad:
        figures.spammer_auc = _auc(with_gold, honest, bad)
        figures.spammer_auc_without_gold = _auc(plain, honest, bad)
        figures.bad_flagged = len(flagged & set(bad)) / len(bad)


def _auc(found: Fit, honest: Sequence[int], bad: Sequence[int]) -> float:
    """How often an honest person is seen as more often right than one who is not."""
    right = {n: skill.sensitivity + skill.specificity for n, skill in found.skills.items()}
    return fmean((right[a] > right[b]) + (right[a] == right[b]) / 2 for a in honest for b in bad)


# What they find


def _decide(figures: Figures, scene: World, plain: Fit, with_gold: Fit, threshold: float) -> None:
    right: dict[str, list[bool]] = {method: [] for method in METHODS}
    rows = []
    for item in scene.items:
        answers = list(_asked(scene, item, scene.rng.sample(scene.people, overlap.MOST)))
        first = answers[:VOTES]
        weights = {
            "majority": [1.0] * VOTES,
            "weights": [_weight(plain, person) for person, _ in first],
            "weights_gold": [_weight(with_gold, person) for person, _ in first],
        }
        for method, counted in weights.items():
            verdict = world.accepts(item, [values for _, values in first], counted)
            right[method].append(verdict == item.is_good)
        rows.append((item, [_vote(with_gold, item, *answer) for answer in answers]))
    figures.accuracy = {method: fmean(found) for method, found in right.items() if found}
    figures.reviews = dict.fromkeys(figures.accuracy, float(VOTES))
    figures.curve = {level: _adaptive(rows, with_gold.prior, level) for level in THRESHOLDS}
    accuracy, reviews, _ = figures.curve[threshold]
    figures.accuracy["adaptive"], figures.reviews["adaptive"] = accuracy, reviews


def _vote(found: Fit, item: Item, person: Person, values: dict[str, float]) -> Vote:
    return world.accepts(item, [values], [1]), found.skills[person.number]


def _weight(found: Fit, person: Person) -> float:
    # Nobody weighs nothing here: a verdict needs somebody.
    return max(0.01, dawid_skene.weight(found.skills[person.number], found.mean))


def _asked(scene: World, item: Item, people: Sequence[Person]) -> Iterator[tuple[Person, dict]]:
    """Each person's answer; the first three share the published jury's opinions."""
    turns = scene.rng.sample(range(world.JURY), world.JURY)
    for number, person in enumerate(people):
        turn = turns[number] if number < len(turns) else scene.rng.randrange(world.JURY)
        yield person, scene.vote(person, item, turn)


def _adaptive(
    rows: Sequence[tuple[Item, Sequence[Vote]]], prior: float, threshold: float
) -> tuple[float, float, float]:
    """Accuracy, reviews for each message, and the share that went to a moderator.

    The moderator's look counts as a review more, and the verdict as that of the posterior.
    """
    right = asked = escalated = 0
    for item, votes in rows:
        verdict, used = _ask(votes, prior, threshold)
        if verdict == Verdict.ESCALATE:
            escalated += 1
            accepted = dawid_skene.posterior(votes, prior) > 0.5
        else:
            accepted = verdict == Verdict.ACCEPT
        right += accepted == item.is_good
        asked += used + (verdict == Verdict.ESCALATE)
    return right / len(rows), asked / len(rows), escalated / len(rows)


def _ask(votes: Sequence[Vote], prior: float, threshold: float) -> tuple[Verdict, int]:
    for used in range(len(votes) + 1):
        verdict = overlap.enough(votes[:used], prior=prior, threshold=threshold)
        if verdict != Verdict.MORE:
            return verdict, used
    raise AssertionError("nobody decided")


def _rank(figures: Figures, scene: World) -> None:
    plain, with_gold = (_fit_rankings(scene, gold=gold) for gold in (0, GOLD_RANKINGS))
    taus: dict[str, list[float]] = {method: [] for method in METHODS[:3]}
    for shown in scene.sets:
        people = scene.rng.sample(scene.people, VOTES)
        ranked = [(person, groups) for person in people if (groups := scene.rank(person, shown))]
        weights = {
            "majority": [1.0] * len(ranked),
            "weights": [_rank_weight(plain, person) for person, _ in ranked],
            "weights_gold": [_rank_weight(with_gold, person) for person, _ in ranked],
        }
        for method, counted in weights.items():
            taus[method].append(_tau(shown, [groups for _, groups in ranked], counted))
    figures.tau = {method: fmean(found) for method, found in taus.items()}
    # Overlap of rankings is not adaptive: the weights are all that can help.
    figures.tau["adaptive"] = figures.tau["weights_gold"]


def _rank_weight(found: RankerFit, person: Person) -> float:
    return ranker_skill.weight(found.skills.get(person.number, found.mean), found.mean)


def _tau(shown: Set, rankings: Sequence[Groups[str]], weights: Sequence[float]) -> float:
    """Agreement of the ranks with the published ones; 0 where there are none."""
    if len(rankings) * 2 < VOTES:  # more than half say that there is no order
        return 0.0
    order = ranked_pairs(rankings, weights).order
    return kendall_tau([[key] for key in order], shown.order) or 0.0


# What is told


def _choose(tuning: Sequence[Figures]) -> float:
    """The lowest threshold as accurate as the majority of three, else the most accurate one."""
    majority = fmean(figures.accuracy["majority"] for figures in tuning)
    means = {level: fmean(f.curve[level][0] for f in tuning) for level in THRESHOLDS}
    enough = [level for level, accuracy in means.items() if accuracy >= majority]
    return min(enough, default=max(means, key=lambda level: means[level]))


def _report(found: Sequence[Figures], threshold: float) -> dict[str, Any]:
    told: dict[str, Any] = {method: _of_method(found, method) for method in METHODS}
    for name in ("spammer_auc", "spammer_auc_without_gold", "honest_flagged", "bad_flagged"):
        told[name] = _mean([getattr(figures, name) for figures in found])
    told["threshold"] = threshold
    told["gains"] = {method: _gains(found, method) for method in METHODS[1:]}
    told["curve"] = [
        {"threshold": level} | dict(zip(("accuracy", "reviews", "escalated"), row, strict=True))
        for level in THRESHOLDS
        for row in [
            [round(fmean(c), 4) for c in zip(*(f.curve[level] for f in found), strict=True)]
        ]
    ]
    return told


def _of_method(found: Sequence[Figures], method: str) -> dict[str, float | None]:
    rows = [asdict(figures) for figures in found]
    return {name: _mean([r[name][method] for r in rows]) for name in ("accuracy", "tau", "reviews")}


def _gains(found: Sequence[Figures], method: str) -> dict[str, list[float]]:
    """By how much a method beats the majority, seed by seed: mean, and where 95 % of means lie."""
    accuracy = [f.accuracy[method] - f.accuracy["majority"] for f in found]
    tau = [f.tau[method] - f.tau["majority"] for f in found]
    saved = [1 - f.reviews[method] / VOTES for f in found]
    return {"accuracy": _interval(accuracy), "tau": _interval(tau), "saved": _interval(saved)}


def _interval(values: Sequence[float]) -> list[float]:
    mean = fmean(values)
    reach = LIKELY * stdev(values) / sqrt(len(values)) if len(values) > 1 else 0.0
    return [round(value, 4) for value in (mean, mean - reach, mean + reach)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 4) if known else None
