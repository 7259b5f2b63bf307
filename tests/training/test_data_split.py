"""Holding out whole trees, mixing sources, weighing pairs: for any data."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import data
from training.config import DataConfig, SourceConfig
from training.data import NotEnoughData, Split

Row = dict[str, Any]
NUMBERS = st.lists(st.integers(0, 30), min_size=2, max_size=40)


def pair(prompt: int, answer: int) -> Row:
    return {"prompt": f"Prompt {prompt}", "chosen": f"Good {answer}", "rejected": f"Bad {answer}"}


def save(folder: Path, rows: Iterable[Row], name: str = "pairs.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(*paths: Path, weights: tuple[float, ...] = (), seed: int = 0, **more: Any) -> Split:
    found = zip(paths, weights or (1.0,) * len(paths), strict=True)
    sources = tuple(SourceConfig(path=str(path), weight=weight) for path, weight in found)
    config = DataConfig(**{"sources": sources, "min_examples": 1, "eval_share": 0.3} | more)
    return data.preferences(config, seed=seed)


def trees(rows: list[Row]) -> set[str]:
    return {row["tree"] for row in rows}


@settings(max_examples=30)
@given(NUMBERS, st.integers(0, 3), st.sampled_from([0.1, 0.5, 0.9]))
def test_no_tree_straddles_and_each_prompt_weighs_one(
    tmp_path_factory: pytest.TempPathFactory, prompts: list[int], split_seed: int, share: float
) -> None:
    rows = [pair(prompt, place) for place, prompt in enumerate([*prompts, 98, 99])]
    path = save(tmp_path_factory.mktemp("data"), rows)

    split = read(path, split_seed=split_seed, eval_share=share)

    assert trees(split.train)
    assert trees(split.eval)
    assert not trees(split.train) & trees(split.eval)
    assert len(split.train + split.eval) == len(rows)
    weights: dict[str, float] = defaultdict(float)
    for row in split.train + split.eval:
        weights[row["group"]] += row["weight"]
    assert list(weights.values()) == pytest.approx([1.0] * len(weights))


@settings(max_examples=20)
@given(st.integers(1, 20))
def test_more_data_moves_no_tree_to_the_other_side(
    tmp_path_factory: pytest.TempPathFactory, more: int
) -> None:
    folder = tmp_path_factory.mktemp("data")
    before = read(save(folder, [pair(n, n) for n in range(20)], "a.jsonl"))
    after = read(save(folder, [pair(n, n) for n in range(20 + more)], "b.jsonl"))

    assert trees(before.train) <= trees(after.train)
    assert trees(before.eval) <= trees(after.eval)


def test_the_same_prompt_in_another_file_is_held_out_too(tmp_path: Path) -> None:
    ours = save(tmp_path, [pair(n, n) for n in range(20)], "a.jsonl")
    shouted = [pair(n, 100 + n) | {"prompt": f" PROMPT   {n}"} for n in range(20)]
    theirs = save(tmp_path, shouted, "b.jsonl")

    split = read(ours, theirs)

    assert len(split.train + split.eval) == 40
    assert not trees(split.train) & trees(split.eval)


def test_the_order_hangs_on_the_seed_and_what_is_held_out_does_not(tmp_path: Path) -> None:
    path = save(tmp_path, [pair(n, n) for n in range(30)])

    first, again, other = read(path), read(path), read(path, seed=1)

    assert first == again
    assert first.train != other.train
    assert trees(first.train) == trees(other.train)
    assert first.eval == other.eval


@pytest.mark.parametrize(("weight", "times"), [(0.5, {1: 10}), (2.0, {2: 20}),
                                               (1.25, {1: 15, 2: 5}), (0.0, {})])  # fmt: skip
def test_a_source_is_read_as_often_as_its_weight_says(
    tmp_path: Path, weight: float, times: dict[int, int]
) -> None:
    weighted = save(tmp_path, [pair(n, n) for n in range(20)], "a.jsonl")
    other = save(tmp_path, [pair(n, n) for n in range(50, 55)], "b.jsonl")

    split = read(weighted, other, weights=(weight, 1.0), eval_share=0.0)

    read_often = Counter(row["chosen"][0]["content"] for row in split.train)
    others = [read_often.pop(f"Good {n}") for n in range(50, 55)]
    assert others == [1] * 5
    assert Counter(read_often.values()) == times


def test_what_is_held_out_is_never_repeated(tmp_path: Path) -> None:
    split = read(save(tmp_path, [pair(n, n) for n in range(20)]), weights=(3.0,))

    assert len(split.eval) == len(trees(split.eval))
    assert len(split.train) == 3 * len(trees(split.train))


def test_the_most_that_is_taken_keeps_prompts_at_weight_one(tmp_path: Path) -> None:
    path = save(tmp_path, [pair(n // 4, n) for n in range(40)])

    split = read(path, eval_share=0.0, max_train=10)

    assert len(split.train) == 10
    assert sum(row["weight"] for row in split.train) == pytest.approx(3)
    assert split.report.left_out == {"cap": 30}


def test_what_occurs_twice_is_taken_once(tmp_path: Path) -> None:
    path = save(tmp_path, [pair(1, 1), pair(1, 1), pair(2, 2)])

    split = read(path, path, eval_share=0.0)

    assert len(split.train) == 2
    assert split.report.left_out == {"repeated": 4}


def test_one_tree_alone_cannot_be_held_out(tmp_path: Path) -> None:
    path = save(tmp_path, [pair(1, n) for n in range(9)])

    with pytest.raises(NotEnoughData, match="All 9 pairs begin with one prompt"):
        read(path)

    assert len(read(path, eval_share=0.0).train) == 9


def test_everything_can_be_held_out_to_judge_on(tmp_path: Path) -> None:
    split = read(save(tmp_path, [pair(n, n) for n in range(9)]), eval_share=1.0)

    assert (len(split.train), len(split.eval)) == (0, 9)


def test_a_prompt_whose_answers_of_models_were_ranked_is_released_if_asked(tmp_path: Path) -> None:
    path = save(tmp_path, [pair(n, n) for n in range(20)], "a.jsonl")
    held = trees(read(path).eval)
    one, other, *_ = sorted(row["prompt"][0]["content"] for row in read(path).eval)
    ranked = save(tmp_path, [of_models(one), of_models(other, state="ranking")], "b.jsonl")

    split = read(path, ranked, release_ranked=True)

    told = {row["prompt"][0]["content"] for row in split.train}
    assert (one in told, other in told) == (True, False)
    assert trees(split.eval) < held
    assert trees(read(path, ranked).eval) >= held


def of_models(prompt: str, *, state: str = "ready_for_export") -> dict[str, Any]:
    """A tree of a prompt with two answers that models wrote."""
    key = f"copy of {prompt}"
    replies = [
        {"message_id": f"{key} {rank}", "parent_id": key, "text": f"Answer {rank}", "rank": rank,
         "role": "assistant", "synthetic": True}
        for rank in range(2)
    ]  # fmt: skip
    root = {"message_id": key, "text": prompt, "role": "prompter", "replies": replies}
    return {"message_tree_id": key, "tree_state": state, "prompt": root}
