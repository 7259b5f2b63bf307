"""What the page of a round shows: its steps with their records, in words and figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from tasks_app import reading
from training.enums import StepState
from training.models import Round, RoundStep

if TYPE_CHECKING:
    from oasst.accounts.models import User

TITLES = {
    "snapshot": (_l("Data"), _l("What the round learns from is frozen.")),
    "sft": (_l("Supervised fine-tuning"), _l("It learns to answer as people did.")),
    "rm": (_l("Reward model"), _l("A second model learns which answers people prefer.")),
    "ppo": (_l("PPO"), _l("It learns to answer as the reward model likes it.")),
    "evaluate": (_l("Evaluation"), _l("It is judged on trees it never learned from.")),
    "sample": (_l("Samples"), _l("It and the model before answer fresh prompts.")),
    "promote": (_l("Going live"), _l("If its figures allow it, the chat answers with it.")),
    "rank": (_l("Blind ranking"), _l("Its answers wait among others to be ranked.")),
}
# Of each step's evaluation, what is told first.
HEADLINES = {
    "sft": ("loss_before", "loss"),
    "rm": ("accuracy", "longer_wins", "accuracy_over_longer_wins", "kendall_tau", "honesty"),
    "ppo": ("score_before", "score", "gain_in_deviations", "kl", "ended_before", "ended",
            "length_ratio"),
    "evaluate": ("loss", "perplexity"),
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A number with its interval; `value` is None where there is too little data for one."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class StepCard:
    """One step as the page shows it."""

    step: RoundStep
    title: Any
    text: Any
    took: timedelta | None
    figures: list[Figure] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def tone(self) -> str:
        return _TONES[StepState(self.step.state)][0]

    @property
    def icon(self) -> str:
        return _TONES[StepState(self.step.state)][1]


_TONES = {
    StepState.WAITING: ("", "circle-dashed"),
    StepState.RUNNING: ("info", "loader"),
    StepState.DONE: ("good", "circle-check"),
    StepState.SKIPPED: ("warn", "skip-forward"),
    StepState.FAILED: ("bad", "circle-alert"),
}


def cards(round: Round) -> list[StepCard]:
    """The steps in their order. One query."""
    steps = round.steps.select_related("run__checkpoint").order_by("position")
    return [_card(step) for step in steps]


def samples_page(round: Round) -> Path | None:
    """The report on the samples, once it is there."""
    record = round.steps.filter(kind="sample").values_list("record", flat=True).first() or {}
    path = Path(record.get("folder", "")) / "samples.html"
    return path if record.get("folder") and path.is_file() else None


def open_ranking(round: Round, reader: User) -> UUID | None:
    """A ranking of the round's answers that the reader has open: until it has ended they are not
    to know which model wrote what. Two queries."""
    record = round.steps.filter(kind="rank").values_list("record", flat=True).first() or {}
    found = reading.to_rank([UUID(key) for key in record.get("trees", ())], reader)
    return next(iter(found.values()), None)


def _card(step: RoundStep) -> StepCard:
    title, text = TITLES[step.kind]
    ended = step.ended_at if step.state != StepState.RUNNING else None
    evaluation = step.record.get("evaluation") or {}
    return StepCard(
        step,
        title,
        text,
        took=_whole_seconds(ended - step.started_at) if ended and step.started_at else None,
        figures=list(_figures(evaluation, HEADLINES.get(step.kind, ()))),
        facts=list(_facts(step)),
        warnings=[str(line) for line in evaluation.get("warnings", [])],
    )


def _whole_seconds(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))


def _figures(evaluation: dict[str, Any], names: tuple[str, ...]) -> Iterator[Figure]:
    for name in names:
        found = evaluation.get(name)
        if isinstance(found, dict):
            value, low, high = (found.get(key) for key in ("value", "low", "high"))
            yield Figure(name.replace("_", " "), value, low, high, found.get("n") or 0)


def _facts(step: RoundStep) -> Iterator[str]:
    """What the record says beside figures, in sentences."""
    record = step.record
    if "sha256" in record:
        counts = {"trees": 0, "messages": 0} | record["counts"]
        yield _("%(trees)d trees with %(messages)d messages.") % counts
    for file in record.get("files", []):
        yield f"{Path(file['path']).name}, SHA-256 {file['sha256'][:16]}…"
    if record.get("alarms"):
        yield _("Alarms: %d. See the run.") % record["alarms"]
    for row in record.get("summary", []):
        yield _sampled(row)
    if "served" in record:
        yield _("The chat answers with it under the name %s.") % record["served"]
    if record.get("instead"):
        yield from record["objections"]
        yield _("So the result of SFT goes live in place of that of PPO.")
    if record.get("force"):
        yield from record["overruled"]
        yield _("The gate was overruled: %s") % record["force"]
    if "trees" in record and step.kind == "rank":
        counts = {"trees": len(record["trees"]), "replies": record["replies"]}
        yield _("%(replies)d answers to %(trees)d prompts wait to be ranked.") % counts


def _sampled(row: dict[str, Any]) -> str:
    words = _("%(model)s: %(n)d answers of %(words).0f words, %(ended).0f %% came to an end.") % {
        "model": row["model"],
        "n": row["n"],
        "words": row["words"],
        "ended": 100 * row["ended"],
    }
    if row.get("score"):
        words += " " + _("Score %(value).2f (%(low).2f to %(high).2f).") % row["score"]
    return words
