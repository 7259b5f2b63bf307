"""The report on samples: what several models answer to the same prompts, as JSON and as a page.

Pure. The JSON of one model has the shape of reference 9.7: {model_name, date, args, prompts:
[{prompt, results: [{sampling_config, sampling_params, outputs}]}]}, with scores beside the outputs.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import fsum
from pathlib import Path
from statistics import fmean
from typing import Any

from jinja2 import Environment, FileSystemLoader

from training.prompt_files import Prompt

TEMPLATES = Path(__file__).parent / "report_templates"
RESAMPLES = 1000


@dataclass
class Output:
    """One answer. `ended` is false where it was cut off for its length."""

    text: str
    ended: bool = True
    tokens: int = 0
    score: float | None = None
    is_kept: bool = False  # among the best of its prompt


@dataclass
class Result:
    """The answers of one model to one prompt, drawn in one way."""

    preset: str
    parameters: dict[str, Any]
    outputs: list[Output] = field(default_factory=list)


@dataclass
class ModelReport:
    """All answers of one model; `results` are in the order of the prompts, then of the presets."""

    name: str
    prompts: Sequence[Prompt]
    results: list[list[Result]]


def keep_best(results: Sequence[Result], keep: int) -> None:
    """Mark the `keep` best scored answers of one model to one prompt (rejection sampling).

    Of equal scores the first is taken; a text that is there twice is kept once.
    """
    scored = [output for result in results for output in result.outputs]
    ordered = sorted(
        (output for output in scored if output.score is not None and output.text),
        key=lambda output: -(output.score or 0.0),
    )
    texts: set[str] = set()
    for output in ordered:
        if len(texts) < keep and output.text not in texts:
            texts.add(output.text)
            output.is_kept = True


def to_json(report: ModelReport, *, args: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The report on one model as plain values."""
    return {
        "model_name": report.name,
        "date": now.isoformat(timespec="seconds"),
        "args": args,
        "prompts": [
            _prompt_to_json(prompt, results)
            for prompt, results in zip(report.prompts, report.results, strict=True)
        ],
    }


def _prompt_to_json(prompt: Prompt, results: Sequence[Result]) -> dict[str, Any]:
    row: dict[str, Any] = {"prompt": prompt.text, "id": prompt.id, "lang": prompt.lang}
    if len(prompt.messages) > 1:
        row["messages"] = list(prompt.messages)
    return row | {"results": [_result_to_json(result) for result in results]}


def _result_to_json(result: Result) -> dict[str, Any]:
    outputs = result.outputs
    row: dict[str, Any] = {
        "sampling_config": result.preset,
        "sampling_params": result.parameters,
        "outputs": [output.text for output in outputs],
        "ended": [output.ended for output in outputs],
    }
    if any(output.score is not None for output in outputs):
        row["scores"] = [output.score for output in outputs]
        row["kept"] = [place for place, output in enumerate(outputs) if output.is_kept]
    return row


def endings_of(told: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Of a report on one model as JSON, answer by answer: the prompt, whether it came to an end
    by itself, and its words."""
    found: dict[str, list[Any]] = {"prompts": [], "ended": [], "length": []}
    for row in told["prompts"]:
        for result in row["results"]:
            for text, ended in zip(result["outputs"], result["ended"], strict=True):
                found["prompts"].append(row["id"])
                found["ended"].append(float(ended))
                found["length"].append(len(text.split()))
    return found


def summarise(reports: Sequence[ModelReport], *, seed: int = 0) -> list[dict[str, Any]]:
    """One row per model and preset: how many answers, how long, how they were scored.

    `score` has its interval from a bootstrap over prompts; `kept` and `rejected` are what the best
    of each prompt score, and the rest.
    """
    return [
        _summary(report, place, seed)
        for report in reports
        for place in range(len(report.results[0]) if report.results else 0)
    ]


def _summary(report: ModelReport, place: int, seed: int) -> dict[str, Any]:
    results = [results[place] for results in report.results]
    outputs = [output for result in results for output in result.outputs]
    return {
        "model": report.name,
        "preset": results[0].preset,
        "n": len(outputs),
        "prompts": len(results),
        "words": fmean(len(output.text.split()) for output in outputs),
        "ended": fmean(output.ended for output in outputs),
        "score": _mean([_scores(result.outputs) for result in results], seed),
        "kept": _spread(_scores([output for output in outputs if output.is_kept])),
        "rejected": _spread(_scores([output for output in outputs if not output.is_kept])),
    }


def _scores(outputs: Sequence[Output]) -> list[float]:
    return [output.score for output in outputs if output.score is not None]


def _mean(by_prompt: Sequence[Sequence[float]], seed: int) -> dict[str, Any] | None:
    """The mean of all, with the interval that prompts drawn anew would give in 95 of 100 cases."""
    groups = [scores for scores in by_prompt if scores]
    if not groups:
        return None
    rng = random.Random(seed)
    means = sorted(_flat_mean(rng.choices(groups, k=len(groups))) for _ in range(RESAMPLES))
    cut = int(0.025 * RESAMPLES)
    return {
        "value": _flat_mean(groups),
        "low": means[cut],
        "high": means[-1 - cut],
        "n": sum(map(len, groups)),
    }


def _flat_mean(groups: Sequence[Sequence[float]]) -> float:
    return fsum(score for group in groups for score in group) / sum(map(len, groups))


def _spread(scores: Sequence[float]) -> dict[str, Any] | None:
    if not scores:
        return None
    return {"mean": fmean(scores), "min": min(scores), "max": max(scores), "n": len(scores)}


def _chooses(results: Sequence[Result]) -> bool:
    """True if some answers were kept and others not: else there is nothing to mark."""
    kept = {output.is_kept for result in results for output in result.outputs}
    return len(kept) == 2


def to_html(
    reports: Sequence[ModelReport], *, name: str, now: datetime, summary: Sequence[dict[str, Any]]
) -> str:
    """One page with nothing outside of it: every prompt with the answers of all side by side."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    rows = [
        {
            "prompt": prompt,
            "columns": [
                {"model": report.name, "result": result, "chooses": _chooses(report.results[place])}
                for report in reports
                for result in report.results[place]
            ],
        }
        for place, prompt in enumerate(reports[0].prompts)
    ]
    template = environment.get_template("samples.html")
    return template.render(name=name, now=now, summary=summary, rows=rows)
