"""Sampling with a tiny model: every answer drawn once, also by a run that broke off."""

import json
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tasks_app.export_format import read_trees
from tests import tiny_model
from training import config as configs
from training.config import ConfigError, SampleConfig
from training.prompt_files import Prompt, read_prompts
from training.rundir import RunDir, read_lines

QUESTIONS = ("Where is the cat?", "Count to ten.", "What did the dog do?")


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in QUESTIONS))
    return path


def config(model: Path, prompts: Path, **more: Any) -> SampleConfig:
    values = {
        "stage": "sample",
        "name": "first",
        "models": [str(model)],
        "prompts": str(prompts),
        "presets": ["k50", "greedy"],
        "per_prompt": 2,
        "max_new_tokens": 6,
        "threads": 1,
    }
    return configs.build(values | more)


def sample(wanted: SampleConfig, folder: Path) -> RunDir:
    from training import sample as pipeline

    run = RunDir(folder)
    assert pipeline.run(wanted, run) == run.final
    return run


def outputs(run: RunDir, name: str = "tiny") -> list[list[str]]:
    found = json.loads((run.final / f"{name}.json").read_text())
    return [result["outputs"] for row in found["prompts"] for result in row["results"]]


@pytest.mark.slow
def test_every_prompt_is_answered_in_every_way(
    tiny_path: Path, prompts: Path, tmp_path: Path
) -> None:
    run = sample(config(tiny_path, prompts), tmp_path / "run")

    found = json.loads((run.final / "tiny.json").read_text())
    assert [row["prompt"] for row in found["prompts"]] == list(QUESTIONS)
    assert [len(texts) for texts in outputs(run)] == [2, 1] * len(QUESTIONS)  # greedy: once
    assert found["args"]["presets"] == ["k50", "greedy"]
    assert found["prompts"][0]["results"][0]["sampling_params"]["max_new_tokens"] == 6
    assert "Where is the cat?" in (run.final / "samples.html").read_text()
    trees = list(read_trees(run.final / "synthetic.jsonl"))
    assert {node.model_name for tree in trees for node in tree.prompt.replies} == {"tiny"}


@pytest.mark.slow
def test_a_broken_run_draws_only_what_is_missing(
    tiny_path: Path, prompts: Path, tmp_path: Path
) -> None:
    wanted = config(tiny_path, prompts)
    whole = sample(wanted, tmp_path / "whole")
    lines = (whole.path / "outputs.jsonl").read_text().splitlines(keepends=True)
    broken = RunDir(tmp_path / "broken").make()
    marked = json.loads(lines[0]) | {"text": "drawn before"}
    (broken.path / "outputs.jsonl").write_text(json.dumps(marked) + "\n" + lines[1] + '{"mod')

    sample(wanted, broken.path)

    rows = list(read_lines(broken.path / "outputs.jsonl"))
    assert len(rows) == len(lines)
    again, before = (list(chain(*outputs(run))) for run in (broken, whole))
    assert [a for a, b in zip(again, before, strict=True) if a != b] == ["drawn before"]


@pytest.mark.slow
def test_same_seed_gives_each_model_the_same_luck(
    tiny_path: Path, prompts: Path, tmp_path: Path
) -> None:
    wanted = config(tiny_path, prompts, models=[str(tiny_path)] * 2, presets=["k50"])
    run = sample(wanted, tmp_path / "run")

    assert outputs(run, "tiny") == outputs(run, "tiny-2")
    assert outputs(run, "tiny")[0][0] != outputs(run, "tiny")[0][1]


@pytest.mark.slow
def test_a_cancelled_run_ends_and_is_gone_on_with(
    tiny_path: Path, prompts: Path, tmp_path: Path
) -> None:
    from training import sample as pipeline
    from training.stopping import Cancelled

    run = RunDir(tmp_path / "run").make()
    run.cancel()
    wanted = config(tiny_path, prompts, per_prompt=4, max_batch=2)
    with pytest.raises(Cancelled):
        pipeline.run(wanted, run)
    assert not run.final.exists()

    run.allow()
    assert [len(texts) for texts in outputs(sample(wanted, run.path))] == [4, 1] * 3


@pytest.mark.slow
def test_answers_drawn_in_another_way_are_not_given_out(
    tiny_path: Path, prompts: Path, tmp_path: Path
) -> None:
    """Neither of a run that broke off, nor of one that came to its end."""
    run = sample(config(tiny_path, prompts), tmp_path / "run")
    assert sample(config(tiny_path, prompts, max_batch=2), run.path)  # that changes no answer
    with pytest.raises(ConfigError, match=r"another config \(seed\)"):
        sample(config(tiny_path, prompts, seed=1), run.path)

    run.final.rename(tmp_path / "gone")
    with pytest.raises(ConfigError, match=r"another config \(seed\)"):
        sample(config(tiny_path, prompts, seed=1), run.path)
    prompts.write_text(prompts.read_text() + '{"text": "And then?"}\n')
    with pytest.raises(ConfigError, match="the data itself"):
        sample(config(tiny_path, prompts), run.path)


def test_names_of_models_are_names_of_files(tmp_path: Path) -> None:
    """They come from training.json, which somebody else may have written."""
    from training.sample import name_folders

    names = ("../../away", "summary", "..", "my model", "summary-2")
    folders = [tmp_path / str(place) for place in range(len(names))]
    for folder, name in zip(folders, names, strict=True):
        folder.mkdir()
        (folder / "config.json").touch()
        (folder / "training.json").write_text(json.dumps({"name": name}))

    found = name_folders([str(folder) for folder in folders])

    assert [*found] == ["away", "summary-2", "model", "my-model", "summary-2-2"]


def test_unknown_preset_names_those_there_are(
    tiny_path: Path, prompts: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"presets: 'k51', expected some of k50, .*greedy"):
        sample(config(tiny_path, prompts, presets=["k51"]), tmp_path / "run")


# Prompts


def texts(found: Sequence[Prompt]) -> list[str]:
    return [prompt.text for prompt in found]


def test_prompts_of_trees_are_their_beginnings(tmp_path: Path) -> None:
    def tree(number: int, **more: Any) -> dict[str, Any]:
        key = f"tree-{number}"
        reply = {"message_id": f"{key}-1", "parent_id": key, "text": "Yes.", "role": "assistant"}
        again = {"message_id": f"{key}-2", "parent_id": f"{key}-1", "text": "Oh?"}
        root = {"message_id": key, "text": f"Prompt {number}", "role": "prompter", "lang": "en"}
        reply["replies"] = [again | {"role": "prompter"}]
        return {"message_tree_id": key, "prompt": root | {"replies": [reply]} | more}

    path = tmp_path / "trees.jsonl"
    rows = [tree(1), tree(2, deleted=True), tree(3, lang="de"), tree(4), tree(5)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    assert texts(read_prompts(path)) == ["Prompt 1", "Prompt 3", "Prompt 4", "Prompt 5"]
    found = read_prompts(path, count=2, languages=["en"])
    assert texts(found) == ["Prompt 1", "Prompt 4"]
    assert [prompt.tree for prompt in found] == ["tree-1", "tree-4"]


def test_a_prompt_that_is_there_twice_is_answered_once(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"text": "Why?"}\n{"text": "How?"}\n{"text": "Why?"}\n')

    assert texts(read_prompts(path)) == ["Why?", "How?"]


def test_a_file_without_prompts_says_so(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"messages": [{"role": "assistant", "content": "Hi."}]}\n')

    with pytest.raises(ConfigError, match="none to answer"):
        read_prompts(path)


# Scores


@pytest.fixture
def reward(tmp_path: Path, tiny_path: Path) -> Path:
    """A reward model as an RM run leaves it, but untrained."""
    from training import modeling
    from training.config import ModelConfig

    model, tokenizer = modeling.load_scorer(ModelConfig(path=str(tiny_path)))
    model.save_pretrained(tmp_path / "reward")
    tokenizer.save_pretrained(tmp_path / "reward")
    return tmp_path / "reward"


@pytest.mark.slow
def test_best_scored_answers_become_the_synthetic_replies(
    tiny_path: Path, reward: Path, prompts: Path, tmp_path: Path
) -> None:
    more = {"presets": ["plain"], "per_prompt": 4, "keep": 2, "reward": str(reward)}
    run = sample(config(tiny_path, prompts, **more), tmp_path / "run")

    found = json.loads((run.final / "tiny.json").read_text())["prompts"]
    for row, tree in zip(found, read_trees(run.final / "synthetic.jsonl"), strict=True):
        (result,) = row["results"]
        best = sorted(range(4), key=lambda place: -result["scores"][place])[:2]
        assert sorted(result["kept"]) == sorted(best)
        # Without the characters that cannot be stored: the model writes any.
        kept = {re.sub(r"[\x00-\x1f\x7f]", "", result["outputs"][place]).strip() for place in best}
        assert {re.sub("\n|\t", "", n.text) for n in tree.prompt.replies} == kept
    summary = json.loads((run.final / "summary.json").read_text())[0]
    assert summary["kept"]["mean"] > summary["score"]["value"] > summary["rejected"]["mean"]
