"""Fresh prompts: what the models of a round answer for people to rank, and none learned from."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from training import config as configs
from training import data, examples
from training.config import DataConfig
from training.prompt_files import Prompt
from training.round_work import Skipped, Work

PROMPTS = "prompts.jsonl"  # of a round, in its folder


def fresh_prompts(work: Work, count: int) -> list[Prompt]:
    """Prompts of one turn that no model of this round or those before learned from, by chance.

    Each is asked in one round only, unless the data are a file, which no ranking adds to. Raises
    Skipped if there is none.
    """
    config = configs.build(
        work.data() | {"min_examples": 0, "max_eval": None, "max_length": 10**6}, of=DataConfig
    )
    held_out = data.prompts(config, seed=work.config.seed).eval
    asked = set() if work.config.data else _asked_before(work)
    found = {
        key: row
        for row in held_out
        if (key := examples.key_of(row["prompt"])) not in asked and _is_fresh(row, work, config)
    }
    if not found:
        raise Skipped(
            _(
                "No prompt is left from which none of the models learned: collect more, or begin "
                "rounds of another name with a larger eval_share."
            )
        )
    keys = random.Random(work.config.seed + work.number).sample(
        sorted(found), min(count, len(found))
    )
    return [
        Prompt(key, tuple(found[key]["prompt"]), found[key]["lang"], found[key]["tree"])
        for key in keys
    ]


def _is_fresh(row: dict[str, Any], work: Work, config: DataConfig) -> bool:
    """A tree may be held out only because a split needs one: then models before know it."""
    if len(row["prompt"]) != 1:
        return False
    return not work.earlier or data.is_reserved(row["prompt"][0]["content"], config)


def _asked_before(work: Work) -> set[str]:
    paths = [work.folder_of(round) / PROMPTS for round in work.earlier]
    rows = [row for path in paths if path.is_file() for row in read_rows(path)]
    return {examples.key_of(row["prompt"]) for row in rows}


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
