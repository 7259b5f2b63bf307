"""What a run learns from: files become examples, of which whole trees are held out. Pure.

The same config and seed give the same rows in the same order on any machine.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import floor
from typing import Any

from training import examples, sources
from training.config import ConfigError, DataConfig
from training.examples import REASONS, Example, Maker, Tally

Fits = Callable[[dict[str, Any]], bool]
TEXTS = ("messages", "prompt", "chosen", "rejected")  # what makes two rows the same


class NotEnoughData(ConfigError):
    """Too little is left to learn from. `found` and `needed` are numbers of examples."""

    def __init__(self, text: str, *, found: int, needed: int) -> None:
        super().__init__(text)
        self.found, self.needed = found, needed


@dataclass(frozen=True)
class DataReport:
    """How much was found, what became of it, and why the rest was left out.

    `left_out` has the keys of examples.REASONS. `groups` are prompts that the examples answer.
    """

    found: int = 0
    train: int = 0
    eval: int = 0
    trees: int = 0
    groups: int = 0
    languages: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    bad_lines: list[str] = field(default_factory=list)

    def reasons(self) -> list[str]:
        """Lines such as "messages that were deleted (27)"."""
        return [f"{REASONS[name]} ({count})" for name, count in self.left_out.items()]


@dataclass(frozen=True)
class Unit:
    """The rows of one prompt, which are drawn together."""

    group: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows that are held out. No tree has rows in both."""

    train: list[dict[str, Any]]
    eval: list[dict[str, Any]]
    report: DataReport


def sft(config: DataConfig, *, seed: int = 0, fits: Fits | None = None) -> Split:
    """Rows `{"messages", "tree", "lang"}`, each a thread that ends on an answer.

    `fits` says of a row whether a model can learn anything of it. Raises ConfigError, and
    NotEnoughData below `min_examples`.
    """
    return _make(config, examples.sft, "conversations", seed=seed, fits=fits)


def preferences(config: DataConfig, *, seed: int = 0) -> Split:
    """Rows `{"prompt", "chosen", "rejected", "weight", "group", "best_vs_worst", "tree", "lang"}`.

    The weights of all pairs of a prompt (its `group`) sum to 1. Raises ConfigError, NotEnoughData.
    """
    _refuse_tags(config)
    return _make(config, examples.preferences, "pairs", seed=seed)


def prompts(config: DataConfig, *, seed: int = 0) -> Split:
    """Rows `{"prompt", "tree", "lang"}`, each a conversation that waits for an answer.

    Raises ConfigError, NotEnoughData.
    """
    _refuse_tags(config)
    return _make(config, examples.prompts, "prompts", seed=seed)


def sources_record(config: DataConfig) -> list[dict[str, Any]]:
    """`{"path", "sha256", "snapshot"}` of each file, for the lineage of what is trained."""
    return sources.record(config)


def _make(
    config: DataConfig, make: Maker, name: str, *, seed: int, fits: Fits | None = None
) -> Split:
    _check(config)
    tally = Tally()
    read, released = _read(config, make, tally, seed)
    found = [
        [example for example in part if fits is None or _is_kept(example, fits, tally)]
        for part in read
    ]
    trees = {example.tree for part in found for example in part}
    held_out = _held_out(trees, config, released=released)
    train: list[Unit] = []
    held: list[Unit] = []
    for source, part in zip(config.sources, found, strict=True):
        learned, kept = _units(part, held_out)
        train += _drawn(learned, source.weight, seed, tally)
        held += _drawn(kept, min(source.weight, 1.0), config.split_seed, tally)
    random.Random(seed).shuffle(train)
    split = Split(
        train=_rows(train, config.max_train, tally),
        eval=_rows(_by_chance(held, config.split_seed), config.max_eval, tally),
        report=DataReport(),
    )
    report = _report(config, found, split, tally)
    _demand(report, config, name)
    return replace(split, report=report)


def _check(config: DataConfig) -> None:
    if not config.sources:
        raise ConfigError("data.sources: names no file, expected at least one")
    if not 0 <= config.eval_share <= 1:
        raise ConfigError(f"data.eval_share: {config.eval_share:g}, expected 0 to 1")
    for source in config.sources:
        if source.weight < 0:
            raise ConfigError(f"data.sources: {source.path}: weight {source.weight:g} is below 0")


def _read(
    config: DataConfig, make: Maker, tally: Tally, seed: int
) -> tuple[list[list[Example]], set[str]]:
    """The examples of each source; what an earlier one holds already is left out. And the trees
    that are not to be held out."""
    seen: set[str] = set()
    released: set[str] = set()
    found: list[list[Example]] = []
    for source in config.sources:
        part = []
        for item in sources.read(source):
            if config.release_ranked and examples.is_ranked_of_models(item):
                released.add(examples.origin(item.prompt.text))
            for example in make(item, config, tally, seed):
                text = {key: example.row[key] for key in TEXTS if key in example.row}
                name = examples.key_of(text)
                if name in seen:
                    tally.add("repeated")
                    continue
                seen.add(name)
                part.append(example)
        found.append(part)
    return found, released


def _is_kept(example: Example, fits: Fits, tally: Tally) -> bool:
    if fits(example.row):
        return True
    tally.add("too_long")
    return False


# Splitting and mixing


def is_reserved(prompt: str, config: DataConfig) -> bool:
    """Whether trees of this prompt are held out by their hash, however many others there are.

    Not those that are held out because a split needs one.
    """
    return _chance(config.split_seed, examples.origin(prompt)) < config.eval_share


def _held_out(trees: set[str], config: DataConfig, *, released: set[str]) -> set[str]:
    """Each tree by its own hash, so that other trees that come or go change nothing.

    As few as two trees are split too.
    """
    if config.eval_share in (0, 1):
        return trees if config.eval_share else set()
    mine = trees - released
    if len(trees) < 2 or not mine:
        return set()
    places = {tree: _chance(config.split_seed, tree) for tree in trees}
    held_out = {tree for tree in mine if places[tree] < config.eval_share}
    held_out.add(min(mine, key=places.__getitem__))
    if held_out == trees:
        held_out.discard(max(trees, key=places.__getitem__))
    return held_out


def _units(part: list[Example], held_out: set[str]) -> tuple[list[Unit], list[Unit]]:
    """The rows of each prompt together: to learn from, and held out."""
    units: dict[tuple[bool, str], Unit] = {}
    for example in part:
        place = (example.tree in held_out, example.group)
        units.setdefault(place, Unit(example.group, [])).rows.append(example.row)
    learned = [unit for (is_held_out, _), unit in units.items() if not is_held_out]
    return learned, [unit for (is_held_out, _), unit in units.items() if is_held_out]


def _drawn(units: list[Unit], weight: float, seed: int, tally: Tally) -> list[Unit]:
    """2.5 takes all twice and a random half once more."""
    times = floor(weight)
    part = _by_chance(units, seed)[: round((weight - times) * len(units))]
    if not times:
        tally.add("weight", _count(units) - _count(part))
    return units * times + part


def _rows(units: list[Unit], most: int | None, tally: Tally) -> list[dict[str, Any]]:
    """The rows of all units up to `most`; where they are weighted, each unit weighs 1."""
    rows: list[dict[str, Any]] = []
    for unit in units:
        taken = unit.rows if most is None else unit.rows[: max(0, most - len(rows))]
        tally.add("cap", len(unit.rows) - len(taken))
        weight = {"weight": 1 / len(taken), "group": unit.group} if taken else {}
        rows += [row | weight if "best_vs_worst" in row else row for row in taken]
    return rows


def _by_chance(units: list[Unit], seed: int) -> list[Unit]:
    return sorted(units, key=lambda unit: _chance(seed, unit.group))


def _chance(seed: int, name: str) -> float:
    """A number from 0 to 1 that belongs to the name."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _count(units: list[Unit]) -> int:
    return sum(len(unit.rows) for unit in units)


# Telling


def _report(
    config: DataConfig, found: list[list[Example]], split: Split, tally: Tally
) -> DataReport:
    kept = [example for part in found for example in part]
    languages = Counter(row["lang"] for row in split.train + split.eval)
    return DataReport(
        found=len(kept),
        train=len(split.train),
        eval=len(split.eval),
        trees=len({example.tree for example in kept}),
        groups=len({example.group for example in kept}),
        languages=dict(languages.most_common()),
        left_out={name: tally.left_out[name] for name in REASONS if tally.left_out[name]},
        sources=_sources(config, found),
        bad_lines=tally.bad_lines,
    )


def _sources(config: DataConfig, found: list[list[Example]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for source, part in zip(config.sources, found, strict=True):
        counts[source.path] += len(part)
    return dict(counts)


def _demand(report: DataReport, config: DataConfig, name: str) -> None:
    needed = max(1, config.min_examples)
    ranked = ", or with prompts that models answered" if config.release_ranked else ""
    texts = [f"{report.found} {name} found, at least {needed} needed (data.min_examples)."]
    if report.found >= needed:
        if config.eval_share < 1 and not report.train:
            texts = [f"{report.found} {name} found, but none to train on."]
        elif config.eval_share and config.max_eval != 0 and not report.eval:
            texts = [
                f"All {report.found} {name} begin with one prompt{ranked}, so none can be held "
                "out. Add another tree, or set data.eval_share to 0."
            ]
        else:
            return
    if report.left_out:
        texts.append(f"Left out: {', '.join(report.reasons())}.")
    if report.bad_lines:
        texts.append(f"The first that could not be read: {report.bad_lines[0]}.")
    raise NotEnoughData(" ".join(texts), found=report.found, needed=needed)


def _refuse_tags(config: DataConfig) -> None:
    if config.system_tags:
        raise ConfigError("data.system_tags: only a run of SFT learns from them")
