"""What a config would train on, before it does: counts, lengths, samples with what is learned.

`python -m training show CONFIG` prints it; the page of a run shows the same.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from training import chat_template, data, modeling
from training.config import ConfigError, PpoConfig, SftConfig, StageConfig
from training.data import DataReport, Split
from training.rows import Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MEASURED = 2000  # examples; more would not change the figures that are shown
WHOLE = 2**31  # tokens: nothing is cut off
OPEN, CLOSE = "⟦", "⟧"  # around what is learned
Segment = tuple[str, bool]


@dataclass(frozen=True)
class Text:
    """A rendered conversation in pieces, each with whether it is learned, or judged in a pair.

    `name` is conversation, chosen, rejected or prompt; `tokens` counts all, `is_cut` says that the
    run does not read all of them.
    """

    name: str
    segments: list[Segment]
    tokens: int
    is_cut: bool


@dataclass(frozen=True)
class Sample:
    """One example as the trainer gets it."""

    tree: str
    lang: str
    weight: float
    texts: list[Text]


@dataclass(frozen=True)
class Lengths:
    """In tokens, of `measured` texts drawn by chance. `cut` is a share, 0 to 1."""

    median: float
    p95: float
    longest: int
    limit: int
    cut: float
    measured: int


@dataclass(frozen=True)
class Preview:
    stage: str
    report: DataReport
    lengths: Lengths
    samples: list[Sample]


def look(config: StageConfig, tokenizer_path: str | None = None, *, samples: int = 10) -> Preview:
    """Read the data of a config and render some of it with the tokenizer of its model.

    Raises ConfigError, and NotEnoughData as the run would.
    """
    if not isinstance(config, StageConfig):
        raise ConfigError(f"stage: {config.stage} learns from no data, so there is nothing to show")
    tokenizer = modeling.load_tokenizer(
        replace(config.model, path=tokenizer_path or config.model.path)
    )
    split = _read(config, tokenizer)
    rows = split.train or split.eval
    chance = random.Random(config.seed)
    measured = chance.sample(rows, min(MEASURED, len(rows)))
    limit = _limit(config)
    return Preview(
        stage=config.stage,
        report=split.report,
        lengths=_lengths(tokenizer, measured, limit),
        samples=[_sample(tokenizer, row, limit) for row in measured[:samples]],
    )


def run(config: StageConfig) -> str:
    """The preview as text for a terminal. Raises ConfigError, NotEnoughData."""
    preview = look(config)
    return "\n\n".join([_told(preview), *(_shown(sample) for sample in preview.samples)])


def _read(config: StageConfig, tokenizer: PreTrainedTokenizerBase) -> Split:
    if isinstance(config, PpoConfig):
        return data.prompts(config.data, seed=config.seed)
    if isinstance(config, SftConfig):
        fits = chat_template.room(tokenizer, config.data.max_length)
        return data.sft(config.data, seed=config.seed, fits=fits)
    return data.preferences(config.data, seed=config.seed)


# Rendering


def _sample(tokenizer: PreTrainedTokenizerBase, row: dict[str, Any], limit: int) -> Sample:
    return Sample(row["tree"], row["lang"], row.get("weight", 1.0), _texts(tokenizer, row, limit))


def _texts(tokenizer: PreTrainedTokenizerBase, row: dict[str, Any], limit: int) -> list[Text]:
    if "messages" in row:
        return [_conversation(tokenizer, row["messages"], limit)]
    if "chosen" in row:
        names = ("chosen", "rejected")
        return [_judged(tokenizer, row["prompt"], row[name], limit, name) for name in names]
    ids = chat_template.tokens(tokenizer, row["prompt"], is_open=True)
    text = chat_template.render(tokenizer, row["prompt"], is_open=True)
    return [Text("prompt", [(text, False)], len(ids), len(ids) > limit)]


def _conversation(tokenizer: PreTrainedTokenizerBase, messages: list[Turn], limit: int) -> Text:
    ids, mask = chat_template.encode(tokenizer, messages, max_length=WHOLE)
    mask = [is_learned if place < limit else 0 for place, is_learned in enumerate(mask)]
    segments = [
        (str(tokenizer.decode(ids[run[0] : run[-1] + 1])), bool(is_learned))
        for is_learned, places in groupby(range(len(ids)), key=mask.__getitem__)
        if (run := list(places))
    ]
    return Text("conversation", segments, len(ids), len(ids) > limit)


def _judged(
    tokenizer: PreTrainedTokenizerBase,
    prompt: list[Turn],
    answer: list[Turn],
    limit: int,
    name: str,
) -> Text:
    before = chat_template.render(tokenizer, prompt, is_open=True)
    whole = chat_template.render(tokenizer, [*prompt, *answer])
    count = len(chat_template.tokens(tokenizer, [*prompt, *answer]))
    start = len(before) if whole.startswith(before) else whole.rfind(answer[0]["content"])
    return Text(name, [(whole[:start], False), (whole[start:], True)], count, count > limit)


def _lengths(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict[str, Any]], limit: int
) -> Lengths:
    texts = [text for row in rows for text in _texts(tokenizer, row, limit)]
    counts = sorted(text.tokens for text in texts)
    return Lengths(
        median=median(counts),
        p95=quantiles(counts, n=20, method="inclusive")[-1] if len(counts) > 1 else counts[0],
        longest=counts[-1],
        limit=limit,
        cut=sum(text.is_cut for text in texts) / len(texts),
        measured=len(texts),
    )


def _limit(config: StageConfig) -> int:
    if isinstance(config, PpoConfig):
        return config.rollout.max_prompt_tokens
    return config.data.max_length


# Telling


def _told(preview: Preview) -> str:
    report, lengths = preview.report, preview.lengths
    languages = ", ".join(f"{name or 'unknown'} {n}" for name, n in report.languages.items())
    lines = [
        f"Stage {preview.stage}: {report.train} examples to learn from, {report.eval} held out,"
        f" of {report.found} found in {report.trees} trees.",
        *(f"  {count} from {path}" for path, count in report.sources.items()),
        f"Languages: {languages}",
        f"Tokens: median {lengths.median:g}, 95 % up to {lengths.p95:g}, longest {lengths.longest};"
        f" {lengths.cut:.1%} of {lengths.measured} are longer than {lengths.limit}.",
    ]
    if report.left_out:
        lines += ["Left out:", *(f"  {reason}" for reason in report.reasons())]
    lines += [f"  unreadable: {line}" for line in report.bad_lines]
    return "\n".join([*lines, f"What is learned stands between {OPEN} and {CLOSE}."])


def _shown(sample: Sample) -> str:
    title = (
        f"--- tree {sample.tree}, language {sample.lang or 'unknown'}, weight {sample.weight:.3g}"
    )
    texts = [
        f"[{text.name}, {text.tokens} tokens{', cut' if text.is_cut else ''}]\n"
        + "".join(f"{OPEN}{part}{CLOSE}" if learned else part for part, learned in text.segments)
        for text in sample.texts
    ]
    return "\n".join([title, *texts])
