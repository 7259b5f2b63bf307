"""How near weighted means of labels come to the published ones, and whom the skills tell apart.

Part of the benchmark `crowd`: everybody first labels the same number of messages, from which the
product's own functions learn; then others are labelled by three people each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from math import sqrt
from random import Random
from statistics import fmean

from tasks_app import label_skill
from tasks_app.enums import SkillGroup
from tasks_app.export_format import LabelMean
from tasks_app.label_skill import LabelFit
from tasks_app.labels import SKILLS
from tasks_app.ranker_skill import RankerSkill
from tests.benchmarks import crowd_world as world
from tests.benchmarks.crowd_world import Condition, Item, Person, World

GROUPS = (SkillGroup.FLAGS, SkillGroup.QUALITY, SkillGroup.TONE)
PEOPLE = 150
LABELS = 30  # messages that everybody labelled before; spammers leave out some of the labels
VOTES = 3

Figures = dict[str, float | None]
Answers = dict[tuple[int, str], list[tuple[int, float]]]  # which message, label: who, value
Errors = list[tuple[float, float]]  # of the plain and of the weighted mean


def measure(condition: Condition, seeds: Sequence[int]) -> dict[str, Figures]:
    """By group of labels, means over the seeds."""
    found = [play(condition, seed) for seed in seeds]
    return {group: _mean([figures[group] for figures in found]) for group in GROUPS}


def play(condition: Condition, seed: int) -> dict[str, Figures]:
    """One crowd: root mean squared errors of means, and how well people are told apart."""
    scene = world.gather(condition, PEOPLE, Random(seed))
    answers: Answers = defaultdict(list)
    for number, people in enumerate(_in_groups(scene)):
        _answer(answers, number, scene.rng.choice(scene.items), people, scene)
    fits = {group: _fit(answers, SKILLS[group]) for group in GROUPS}
    errors: dict[SkillGroup, Errors] = defaultdict(list)
    for item in scene.items:
        if item.line is None or not item.line.node.labels:
            continue
        found: Answers = defaultdict(list)
        _answer(found, 0, item, scene.rng.sample(scene.people, VOTES), scene)
        for group, fit in fits.items():
            errors[group] += _errors(found, item.line.node.labels, SKILLS[group], fit)
    return {group: _told(fits[group], errors[group], scene.people) for group in GROUPS}


def _in_groups(scene: World) -> list[list[Person]]:
    groups = []
    for _ in range(LABELS):
        people = scene.rng.sample(scene.people, len(scene.people))
        groups += [people[n : n + VOTES] for n in range(0, len(people), VOTES)]
    return groups


def _answer(
    answers: Answers, number: int, item: Item, people: Sequence[Person], scene: World
) -> None:
    turns = scene.rng.sample(range(world.JURY), world.JURY)
    for person, turn in zip(people, turns, strict=True):
        for name, value in scene.describe(person, item, turn).items():
            answers[number, name].append((person.number, value))


def _fit(answers: Answers, names: Sequence[str]) -> LabelFit:
    sets: dict[tuple[int, int], dict[str, float]] = defaultdict(dict)
    for (number, name), given in answers.items():
        for who, value in given:
            sets[who, number][name] = value
    rows = [(who, number, [said.get(n) for n in names]) for (who, number), said in sets.items()]
    return label_skill.fit(rows, len(names))


def _errors(
    found: Answers, published: Mapping[str, LabelMean], names: Collection[str], fit: LabelFit
) -> Errors:
    errors = []
    for (_, name), given in found.items():
        if name in names and name in published:
            truth = published[name].value
            weights = [_weight(fit, who) for who, _ in given]
            weighted = sum(w * v for w, (_, v) in zip(weights, given, strict=True)) / sum(weights)
            errors.append((fmean(value for _, value in given) - truth, weighted - truth))
    return errors


def _weight(fit: LabelFit, who: int) -> float:
    return max(0.05, label_skill.weight(fit.skills.get(who, fit.mean), fit.mean))


def _told(fit: LabelFit, errors: Errors, people: Sequence[Person]) -> Figures:
    known = [person for person in people if person.number in fit.skills]
    honest = [fit.skills[person.number] for person in known if person.is_honest]
    bad = [fit.skills[person.number] for person in known if not person.is_honest]
    return {
        "mean_error": sqrt(fmean(plain**2 for plain, _ in errors)),
        "weighted_error": sqrt(fmean(weighted**2 for _, weighted in errors)),
        "auc": _auc(honest, bad),
        "honest_flagged": _flagged(honest, fit.mean),
        "bad_flagged": _flagged(bad, fit.mean),
    }


def _auc(honest: Sequence[RankerSkill], bad: Sequence[RankerSkill]) -> float | None:
    pairs = [(a.agreement, b.agreement) for a in honest for b in bad]
    return fmean((a > b) + (a == b) / 2 for a, b in pairs) if pairs else None


def _flagged(skills: Sequence[RankerSkill], mean: RankerSkill) -> float | None:
    return fmean(label_skill.is_doubtful(skill, mean) for skill in skills) if skills else None


def _mean(rows: Sequence[Figures]) -> Figures:
    means: Figures = {}
    for name in rows[0]:
        known = [value for row in rows if (value := row[name]) is not None]
        means[name] = round(fmean(known), 4) if known else None
    return means
