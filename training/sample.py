"""Sampling: what models answer to the same prompts, drawn in several ways, scored, side by side.

Answers are drawn in batches by the chat's engine. Each is written down as it comes, so a run that
broke off goes on where it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chat_app.inference.engine import TransformersEngine
from chat_app.inference.requests import Delta, EngineRequest, Finished, RequestTooLarge, Turn
from chat_app.inference.sampling import MAX_SEED, SamplingParameters
from tasks_app import export_format
from training import checkpoints, claims, modeling, presets, report, scoring, sources, synthetic
from training.config import ConfigError, DataConfig, SampleConfig, SourceConfig, to_dict
from training.prompt_files import Prompt, read_prompts
from training.report import ModelReport, Output, Result
from training.rundir import RunDir, half, publish, read_lines, write_whole
from training.stopping import Cancelled, should_stop

logger = logging.getLogger(__name__)

SCORED_AT_ONCE = 16
SCORED_BETWEEN_LOOKS = 256  # at the wish to cancel
SCORED_TOKENS = 1024
SUMMARY = "summary"
_UNFIT = re.compile(r"[^\w.-]+")  # for the name of a file


@dataclass(frozen=True)
class Draw:
    """One answer to be drawn. `number` tells the answers of one prompt apart."""

    model: str
    preset: str
    prompt: str
    number: int


def run(config: SampleConfig, run: RunDir) -> Path:
    """Draw, score and write `final/`: a report as JSON for each model, one page of all, summary,
    and the answers as trees of synthetic replies. Raises ConfigError, Cancelled."""
    modeling.environment(config)
    folders = name_folders(config.models)
    if _is_done(config, run, folders):
        return run.final
    ways = presets.named(config.presets, max_new_tokens=config.max_new_tokens)
    prompts = read_prompts(config.prompts, count=config.count, languages=config.languages)
    wanted = [
        Draw(model, preset, prompt.id, number)
        for model in folders
        for preset, parameters in ways.items()
        for prompt in prompts
        for number in range(1 if parameters.temperature == 0 else config.per_prompt)
    ]
    drawn = _draw_all(config, run, folders, prompts, ways, wanted)
    reports = _collect(folders, prompts, ways, drawn)
    if config.reward:
        _score_all(config, run, reports)
    _write(config, run, reports)
    return run.final


def _is_done(config: SampleConfig, run: RunDir, folders: dict[str, Path]) -> bool:
    """Whether the folder holds the result already; else it belongs to this run from now on.

    Raises ConfigError if it holds answers of others, or to others, or drawn in another way.
    """
    prompts = DataConfig(sources=(SourceConfig(path=config.prompts),))
    judge = [modeling.resolve(config.reward)] if config.reward else []
    record = sources.record(prompts) + [
        {"path": str(folder), "sha256": _weights(folder)} for folder in [*folders.values(), *judge]
    ]
    has_begun = run.data.is_file()
    if has_begun and claims.is_done(run, config, record):
        return True
    claims.claim(run.make(), config, record, has_begun=has_begun)
    return False


def _weights(folder: Path) -> str:
    lineage = _lineage(folder)
    return str(lineage["weights_sha256"]) if lineage else checkpoints.weights_sha256(folder)


def name_folders(models: Sequence[str]) -> dict[str, Path]:
    """A short name for each model, in order: that of the run which made it, else of its folder.

    It is a name that a file can have, and that no other file of the result has.
    """
    named: dict[str, Path] = {}
    for model in models:
        folder = modeling.resolve(model)
        name, number = _name(folder), 2
        while name in named or name == SUMMARY:
            name, number = f"{_name(folder)}-{number}", number + 1
        named[name] = folder
    return named


def _name(folder: Path) -> str:
    of_folder = folder.parent.name if folder.name == "final" else folder.name
    name = str(_lineage(folder).get("name", of_folder))
    return _UNFIT.sub("-", name).strip("-.")[:100] or "model"


def _lineage(folder: Path) -> dict[str, Any]:
    return checkpoints.read_lineage(folder) if (folder / checkpoints.LINEAGE).is_file() else {}


# Drawing


def _draw_all(
    config: SampleConfig,
    run: RunDir,
    folders: dict[str, Path],
    prompts: Sequence[Prompt],
    ways: dict[str, SamplingParameters],
    wanted: Sequence[Draw],
) -> dict[Draw, Output]:
    """Every wanted answer; those that an earlier attempt wrote down are not drawn again."""
    path = run.path / "outputs.jsonl"
    rows = list(read_lines(path))
    # Without the half of a line that a crash may have left.
    write_whole(path, "".join(_line(row) for row in rows))
    drawn = dict(map(_drawn, rows))
    by_id = {prompt.id: prompt for prompt in prompts}
    total = len(wanted)
    run.write_status("running", step=len(drawn), max_steps=total)
    for model, folder in folders.items():
        missing = [draw for draw in wanted if draw.model == model and draw not in drawn]
        if not missing:
            continue
        engine = TransformersEngine(
            _servable(folder),
            quantization=config.quantization,
            max_batch=config.max_batch,
            threads=config.threads or None,
        )
        requests = [
            (draw, _request(config, draw, by_id[draw.prompt], ways[draw.preset]))
            for draw in missing
        ]
        with path.open("a", encoding="utf-8") as file:
            for draw, output in _answers(engine, requests, run):
                file.write(_line(asdict(draw) | asdict(output)))
                file.flush()
                drawn[draw] = output
                run.write_status("running", step=len(drawn), max_steps=total)
    return drawn


def _servable(folder: Path) -> Path:
    """The engine reads merged weights only."""
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(
            f"models: {folder} holds an adapter only; train with output.weights=both or merged"
        )
    return folder


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _drawn(row: dict[str, Any]) -> tuple[Draw, Output]:
    draw = Draw(row["model"], row["preset"], row["prompt"], row["number"])
    return draw, Output(row["text"], row["ended"], row["tokens"])


def _request(
    config: SampleConfig, draw: Draw, prompt: Prompt, parameters: SamplingParameters
) -> EngineRequest:
    turns = [Turn(turn["role"], turn["content"]) for turn in prompt.messages]  # type: ignore[arg-type]
    return EngineRequest(
        f"{draw.model} {draw.preset} {draw.prompt} {draw.number}",
        turns,
        replace(parameters, seed=_seed(config.seed, draw)),
    )


def _seed(seed: int, draw: Draw) -> int:
    """The same for all models, so that their answers differ by what they learned alone."""
    text = f"{seed} {draw.preset} {draw.prompt} {draw.number}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % MAX_SEED


def _answers(
    engine: TransformersEngine, requests: Sequence[tuple[Draw, EngineRequest]], run: RunDir
) -> Iterator[tuple[Draw, Output]]:
    """Answers as they are finished. Raises Cancelled."""
    with asyncio.Runner() as runner:
        runner.run(engine.start())
        try:
            stream = _stream(engine, requests, run)
            while (found := runner.run(anext(stream, None))) is not None:
                yield found
        finally:
            runner.run(engine.stop())


async def _stream(
    engine: TransformersEngine, requests: Sequence[tuple[Draw, EngineRequest]], run: RunDir
) -> Any:
    waiting = {asyncio.create_task(_answer(engine, *each)) for each in requests}
    try:
        while waiting:
            done, waiting = await asyncio.wait(
                waiting, timeout=1, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                yield task.result()
            if waiting and should_stop(run):
                raise Cancelled
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _answer(
    engine: TransformersEngine, draw: Draw, request: EngineRequest
) -> tuple[Draw, Output]:
    output = Output("", ended=False)
    try:
        async for event in engine.generate(request):
            if isinstance(event, Delta):
                output.text += event.text
            elif isinstance(event, Finished):
                output.ended = event.reason == "stop"
                output.tokens = event.completion_tokens
    except RequestTooLarge:
        logger.warning("a prompt of %d turns is too long for the model", len(request.turns))
    output.text = output.text.strip()
    return draw, output


def _collect(
    folders: Iterable[str],
    prompts: Sequence[Prompt],
    ways: dict[str, SamplingParameters],
    drawn: dict[Draw, Output],
) -> list[ModelReport]:
    outputs: dict[tuple[str, str, str], list[Output]] = {}
    for draw in sorted(drawn, key=lambda draw: draw.number):
        key = (draw.model, draw.preset, draw.prompt)
        outputs.setdefault(key, []).append(drawn[draw])
    return [
        ModelReport(
            model,
            prompts,
            [
                [
                    Result(name, parameters.to_dict(), outputs.get((model, name, prompt.id), []))
                    for name, parameters in ways.items()
                ]
                for prompt in prompts
            ],
        )
        for model in folders
    ]


# Scoring


def _score_all(config: SampleConfig, run: RunDir, reports: Sequence[ModelReport]) -> None:
    model, tokenizer = modeling.load_reward(str(config.reward), quantization=config.quantization)
    todo = [
        (prompt, output)
        for each in reports
        for prompt, results in zip(each.prompts, each.results, strict=True)
        for result in results
        for output in result.outputs
    ]
    for start in range(0, len(todo), SCORED_BETWEEN_LOOKS):
        if should_stop(run):
            raise Cancelled
        some = todo[start : start + SCORED_BETWEEN_LOOKS]
        rows = [
            scoring.encode(tokenizer, prompt.messages, output.text, max_length=SCORED_TOKENS)
            for prompt, output in some
        ]
        for (_, output), value in zip(
            some, scoring.scores(model, rows, batch_size=SCORED_AT_ONCE), strict=True
        ):
            output.score = value
    for each in reports:
        for results in each.results:
            report.keep_best(results, config.keep)


# Writing


def _write(config: SampleConfig, run: RunDir, reports: Sequence[ModelReport]) -> None:
    now = datetime.now(UTC)
    args = to_dict(config)
    summary = report.summarise(reports, seed=config.seed)
    folder = half(run.final)
    folder.mkdir(parents=True)
    for each in reports:
        _write_json(folder / f"{each.name}.json", report.to_json(each, args=args, now=now))
    _write_json(folder / f"{SUMMARY}.json", summary)
    page = report.to_html(reports, name=config.name, now=now, summary=summary)
    (folder / "samples.html").write_text(page, encoding="utf-8")
    trees = synthetic.trees(
        [
            synthetic.Case(prompt, synthetic.replies(reports, place))
            for place, prompt in enumerate(reports[0].prompts)
        ],
        origin=f"samples {config.name}",
        seed=config.seed,
    )
    with (folder / "synthetic.jsonl").open("wb") as file:
        export_format.write_objects(file, map(export_format.tree_to_json, trees))
    publish(folder, run.final)
    run.add_metrics(len(summary), _metrics(summary), phase="eval")


def _metrics(summary: Sequence[dict[str, Any]]) -> dict[str, float]:
    return {
        f"{row['model']}/{row['preset']}/score": row["score"]["value"]
        for row in summary
        if row["score"]
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
