"""From files to a play and what came of it."""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any
from uuid import UUID

from oasst.lib import queue
from tasks_app import checks, config
from tasks_app.agreement import Level, krippendorff_alpha
from tasks_app.config import TreeConfig
from tasks_app.enums import LabelKind, TreeState
from tasks_app.export_format import BadLine, read_trees
from tasks_app.models import Message, MessageTree, TextLabels
from tasks_app.ranking import kendall_tau
from tasks_app.simulation.crowd import gather
from tasks_app.simulation.script import Line, NotFinishable, Script
from tasks_app.simulation.stage import Stage

# Characters of what trolls write, and others where the file says nothing.
OWN_TEXTS = 60
# The play begins so long before now, so that it lies in the past when it ends.
PAST = timedelta(days=60)


@dataclass(frozen=True)
class Rest:
    """A tree that is not played, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Report:
    """What a replay prints. Messages are those of the finishable trees; `messages_out` counts
    those that ended as in the file: text, role, parent, review result, deletion."""

    trees_in: int
    trees_finishable: int
    trees_exported: int
    trees_stuck: int
    messages_in: int
    messages_out: int
    messages_written: int
    second_attempts: int
    interactions: int
    interactions_per_s: float
    kendall_tau: float | None
    alpha_spam: float | None
    alpha_quality: float | None
    invariants_broken: int
    not_finishable: list[Rest]
    broken: list[dict[str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def read_scripts(paths: Iterable[Path], *, contributors: int) -> tuple[list[Script], list[Rest]]:
    """The trees of the files that so many honest people can finish, and the others.

    Raises OSError.
    """
    scripts: list[Script] = []
    rest: list[Rest] = []
    rankers = TreeConfig.defaults().num_required_rankings
    for path in paths:
        for tree in read_trees(path):
            if isinstance(tree, BadLine):
                rest.append(Rest(f"{path.name}:{tree.number}", tree.reason))
                continue
            try:
                script = Script(tree)
            except NotFinishable as error:
                rest.append(Rest(tree.message_tree_id, str(error)))
                continue
            needed = script.contributors_needed(rankers)
            if needed > contributors:
                rest.append(Rest(script.id, f"it needs {needed} honest contributors"))
            else:
                scripts.append(script)
    return scripts, rest


class Replay:
    """One play of the files' trees. Uses the database it finds."""

    def __init__(
        self, paths: Iterable[Path], *, contributors: int, trolls: float, seed: int, now: datetime
    ) -> None:
        honest = contributors - round(contributors * trolls)
        self.scripts, self.rest = read_scripts(paths, contributors=honest)
        self._contributors = contributors
        self._trolls = trolls
        self._rng = random.Random(seed)
        self._start = now - PAST

    def run(self, *, on_export: Callable[[], None] = lambda: None) -> Report:
        """Play, then look at what came of it. `on_export` is called for every finished tree."""
        began = time.monotonic()
        with queue.silent(), config.overridden(**self._tunables()):
            crowd = gather(
                self._contributors,
                self._trolls,
                langs=sorted({script.lang for script in self.scripts}),
                rng=self._rng,
                now=self._start,
            )
            stage = Stage(self.scripts, crowd, now=self._start, rng=self._rng, on_export=on_export)
            if self.scripts:
                stage.play()
            seconds = time.monotonic() - began
            return self._report(stage, seconds)

    def _tunables(self) -> dict[str, Any]:
        texts = [len(line.node.text) for script in self.scripts for line in script.lines()]
        return {
            "message_size_limit": max([*texts, OWN_TEXTS]),
            "weight_initial_prompt": 0.0,  # people think of prompts by themselves
            # People skip what the file has no reply to; that is no reason to stop a tree.
            "auto_mod_max_skip_reply": self._contributors + 1,
        }

    def _report(self, stage: Stage, seconds: float) -> Report:
        rows = {m.pk: m for m in Message.objects.filter(tree__in=stage.trees)}
        states = dict(MessageTree.objects.filter(pk__in=stage.trees).values_list("pk", "state"))
        done = [s for s in self.scripts if states.get(s.tree_id) == TreeState.READY_FOR_EXPORT]
        broken = [asdict(entry) for entry in checks.broken_invariants()]
        return Report(
            trees_in=len(self.scripts) + len(self.rest),
            trees_finishable=len(self.scripts),
            trees_exported=len(done),
            trees_stuck=_stuck(self.scripts, states),
            messages_in=sum(1 for script in self.scripts for _ in script.lines()),
            messages_out=sum(_is_equal(line, rows) for s in done for line in s.lines()),
            messages_written=len(rows),
            second_attempts=stage.second_attempts,
            interactions=stage.interactions,
            interactions_per_s=round(stage.interactions / max(seconds, 1e-9), 1),
            kendall_tau=_mean_tau(done, rows),
            alpha_spam=_alpha(stage.trees, "spam", Level.NOMINAL),
            alpha_quality=_alpha(stage.trees, "quality", Level.ORDINAL),
            invariants_broken=len(broken),
            not_finishable=self.rest,
            broken=broken,
        )


def _stuck(scripts: list[Script], states: dict[UUID, str]) -> int:
    """Trees that wait for something nobody does, and scripts whose prompt is not written."""
    open_states = {S for S in TreeState if not S.is_terminal} | {TreeState.PROMPT_LOTTERY_WAITING}
    unwritten = sum(script.tree_id is None for script in scripts)
    return unwritten + sum(state in open_states for state in states.values())


def _is_equal(line: Line, rows: dict[UUID, Message]) -> bool:
    """The message that stands for the line ended as the file says."""
    row = rows.get(line.message_id) if line.message_id else None
    if row is None:
        return False
    above = line.parent.message_id if line.parent else None
    node = line.node
    found = (row.text, row.role, row.parent_id, row.review_result, row.deleted)
    return found == (node.text.strip(), node.role, above, node.review_result, node.deleted)


def _mean_tau(scripts: list[Script], rows: dict[UUID, Message]) -> float | None:
    taus = [_tau(line, rows) for script in scripts for line in script.lines()]
    known = [tau for tau in taus if tau is not None]
    return fmean(known) if known else None


def _tau(parent: Line, rows: dict[UUID, Message]) -> float | None:
    """How well the ranks below one message agree with those of the file."""
    ranked = []
    for reply in parent.replies:
        row = rows.get(reply.message_id) if reply.message_id else None
        if row and row.rank is not None and reply.node.rank is not None:
            ranked.append((reply.node.rank, row.rank, row.pk))
    wanted = [[pk] for _, _, pk in sorted(ranked)]
    found = [[pk] for _, _, pk in sorted(ranked, key=lambda entry: entry[1])]
    return kendall_tau(wanted, found)


def _alpha(trees: set[UUID], name: str, level: Level) -> float | None:
    return krippendorff_alpha(_votes(trees, name), level)


def _votes(trees: set[UUID], name: str) -> Iterator[list[float]]:
    """The values of one label, message by message."""
    votes: dict[UUID, list[float]] = defaultdict(list)
    sets = TextLabels.objects.filter(message__tree__in=trees, kind=LabelKind.TASK)
    for pk, values in sets.values_list("message", "values"):
        if name in values:
            votes[pk].append(values[name])
    yield from votes.values()
