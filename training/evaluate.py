"""Judges a model on trees it was never trained on: while it learns, at the end, and later.

Held-out rows go to the model here; what is made of them is in `figures` and `pair_figures`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import PreTrainedTokenizerBase

from training import chat_template, checkpoints, data, modeling, plots, probes, scoring
from training.config import ConfigError, DataConfig, EvaluateConfig, ModelConfig
from training.figures import Bootstrap, Rows, language_model
from training.pair_figures import reward_model, rightness
from training.rundir import RunDir
from training.scoring import IGNORED

Encoded = dict[str, list[int]]
SIDES = ("chosen", "rejected")
Judge = Callable[[Any, Sequence[int]], list[dict[str, Any]]]  # model, places → rows


@dataclass(frozen=True)
class HeldOut:
    """The held-out examples of a run, and what was found on them at each evaluation.

    `judge(model, places)` gives the rows of some of the `count` examples; the processes of a run
    share the work. `probe` asks what no held-out example does.
    """

    run: RunDir
    count: int
    judge: Judge
    probe: Callable[[Any], dict[str, Any]] | None = None  # of a reward model, at the end

    def at(self, model: Any, step: int) -> dict[str, float]:
        """Judge the model, keep the rows and give the figures of the curves."""
        rows = self._together(model)
        if PartialState().is_main_process:
            self.run.evaluations.mkdir(exist_ok=True)
            checkpoints.write_json(self.run.evaluations / f"{step}.json", rows)
        return curve(rows)

    def report(self, model: Any, stage: str, how: Bootstrap) -> dict[str, Any]:
        """The figures of the last evaluation, beside those of the first where it helps.

        They are written to the run's folder, with plots.
        """
        found = sorted(self.run.evaluations.glob("*.json"), key=lambda path: int(path.stem))
        rows = json.loads(found[-1].read_text(encoding="utf-8"))
        first = json.loads(found[0].read_text(encoding="utf-8"))
        probed = self.probe(model) if self.probe else None
        return write(self.run, stage, rows, how, before=first, probed=probed)

    def _together(self, model: Any) -> list[dict[str, Any]]:
        """Each process judges its share; all get all rows."""
        mine, world = _share(self.count)
        judged = list(zip(mine, self.judge(model, mine), strict=True))
        gathered = gather_object(judged) if world > 1 else judged
        return [row for _, row in sorted(dict(gathered).items())]


def _share(count: int) -> tuple[list[int], int]:
    """Places of this process; all get as many, or those that wait would wait forever."""
    state = PartialState()
    each = -(-count // state.num_processes)
    first = state.process_index * each
    return [place % count for place in range(first, first + each)], state.num_processes


# Language models


def encoded(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, *, max_length: int) -> Encoded:
    """`input_ids` and `labels` of a conversation: only what the assistant wrote is learned."""
    ids, mask = chat_template.encode(tokenizer, row["messages"], max_length=max_length)
    labels = [token if learned else IGNORED for token, learned in zip(ids, mask, strict=True)]
    return {"input_ids": ids, "labels": labels}


def judge_texts(
    rows: Rows,
    texts: Sequence[Encoded],
    *,
    batch_size: int,
    pad: int,
    compute: torch.dtype | None = None,
) -> Judge:
    """Rows `{"tree", "lang", "loss", "tokens"}`."""

    def judge(model: Any, places: Sequence[int]) -> list[dict[str, Any]]:
        some = [(texts[i]["input_ids"], texts[i]["labels"]) for i in places]
        found = scoring.losses(model, some, batch_size=batch_size, pad=pad, compute=compute)
        return [
            {"tree": rows[i]["tree"], "lang": rows[i]["lang"], "loss": loss, "tokens": tokens}
            for i, (loss, tokens) in zip(places, found, strict=True)
        ]

    return judge


# Reward models


def encoded_pair(
    row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, *, max_length: int
) -> dict[str, Any]:
    """`chosen_ids`, `rejected_ids` and `weight` of a pair."""
    ids = {
        f"{side}_ids": scoring.encode(
            tokenizer, row["prompt"], row[side][-1]["content"], max_length=max_length
        )
        for side in SIDES
    }
    return {**ids, "weight": row["weight"]}


def judge_pairs(
    rows: Rows,
    pairs: Sequence[dict[str, Any]],
    *,
    batch_size: int,
    compute: torch.dtype | None = None,
) -> Judge:
    """Rows as `pair_figures` reads them. An answer that is in several pairs is scored once."""

    def judge(model: Any, places: Sequence[int]) -> list[dict[str, Any]]:
        asked = {tuple(pairs[i][f"{side}_ids"]) for i in places for side in SIDES}
        unique = sorted(asked)
        found = scoring.scores(model, unique, batch_size=batch_size, compute=compute)
        scores = dict(zip(unique, found, strict=True))
        return [
            judged(rows[i], {side: scores[tuple(pairs[i][f"{side}_ids"])] for side in SIDES})
            for i in places
        ]

    return judge


def judged(row: dict[str, Any], scores: Mapping[str, float]) -> dict[str, Any]:
    """A pair with its scores, as `pair_figures` reads it."""
    kept = {key: row[key] for key in ("tree", "lang", "group", "weight", "best_vs_worst")}
    for side in SIDES:
        text = row[side][-1]["content"]
        kept[side] = scores[side]
        kept[f"{side}_length"] = len(text)
        kept[f"{side}_key"] = text
    return kept


# What is made of the rows


def are_pairs(rows: Rows) -> bool:
    return "chosen" in rows[0]


def curve(rows: Rows) -> dict[str, float]:
    """The few figures that are drawn while a run goes on."""
    if are_pairs(rows):
        margins = np.array([row["chosen"] - row["rejected"] for row in rows])
        return {
            "eval_loss": float(np.logaddexp(0, -margins).mean()),
            "eval_accuracy": float(rightness(rows).mean()),
            "eval_margin": float(margins.mean()),
        }
    return {"eval_loss": sum(r["loss"] for r in rows) / max(sum(r["tokens"] for r in rows), 1)}


def write(
    run: RunDir,
    stage: str,
    rows: Rows,
    how: Bootstrap,
    *,
    before: Rows | None = None,
    probed: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write `evaluation.json` and the plots into the run's folder, and give the figures, with
    those of probes."""
    measured = (
        reward_model(rows, how) if are_pairs(rows) else language_model(rows, how, before=before)
    )
    found = {"stage": stage, **measured}
    if probed is not None:
        warnings = [*found.get("warnings", []), *probed["warnings"]]
        found |= probed | {"warnings": warnings}
    checkpoints.write_json(run.evaluation, found)
    draw = plots.of_pairs if are_pairs(rows) else plots.of_texts
    for name, svg in draw(rows, found).items():
        (run.path / f"{name}.svg").write_text(svg, encoding="utf-8")
    return found


# A finished model, on data of one's choice


def run(config: EvaluateConfig, run: RunDir) -> Path:
    """Judge a result, or any model, and give the folder with `evaluation.json` and plots.

    Raises ConfigError, NotEnoughData.
    """
    modeling.environment(config)
    run.make()
    folder = modeling.resolve(config.model)
    stage = checkpoints.read_lineage(folder)["stage"] if _is_ours(folder) else "sft"
    how = Bootstrap(config.bootstrap, config.confidence, config.seed)
    if stage == "rm":
        rows, probed = _pairs(config, folder, how)
        write(run, stage, rows, how, probed=probed)
    else:
        write(run, stage, _texts(config, folder), how)
    return run.path


def _is_ours(folder: Path) -> bool:
    return (folder / checkpoints.LINEAGE).is_file()


def _some(rows: list[dict[str, Any]], config: DataConfig) -> list[dict[str, Any]]:
    if not rows:
        raise ConfigError(f"data.eval_share: {config.eval_share} holds nothing out to judge on")
    return rows


def _texts(config: EvaluateConfig, folder: Path) -> list[dict[str, Any]]:
    asked = ModelConfig(path=str(folder))
    model, tokenizer = modeling.load_trained(asked)
    fits = chat_template.room(tokenizer, config.data.max_length)
    rows = _some(data.sft(config.data, seed=config.seed, fits=fits).eval, config.data)
    encode = functools.partial(encoded, tokenizer=tokenizer, max_length=config.data.max_length)
    judge = judge_texts(
        rows,
        [encode(row) for row in rows],
        batch_size=config.batch_size,
        pad=tokenizer.pad_token_id,
        compute=modeling.compute_of(asked),
    )
    return judge(model, range(len(rows)))


def _pairs(
    config: EvaluateConfig, folder: Path, how: Bootstrap
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What a reward model says of held-out pairs, and of the probes."""
    rows = _some(data.preferences(config.data, seed=config.seed).eval, config.data)
    asked = ModelConfig(path=str(folder))
    model, tokenizer = modeling.load_reward(asked)
    encode = functools.partial(encoded_pair, tokenizer=tokenizer, max_length=config.data.max_length)
    compute, batch_size = modeling.compute_of(asked), config.batch_size
    judge = judge_pairs(rows, [encode(row) for row in rows], batch_size=batch_size, compute=compute)
    length = config.data.max_length
    probed = probes.judge(
        model, tokenizer, how, max_length=length, batch_size=batch_size, compute=compute
    )
    return judge(model, range(len(rows))), probed
