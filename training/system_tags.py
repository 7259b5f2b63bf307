"""Lines before an answer that say how it is: `quality: 0.9`. Reference 9.1.

A model that was trained with them can be asked for better, longer or funnier answers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tasks_app.export_format import MessageNode
from training.config import SystemTagsConfig
from training.rows import Turn

WORDS_PER_STEP = 5  # of the length


def insert(
    messages: Sequence[Turn], thread: Sequence[MessageNode], config: SystemTagsConfig, *, seed: int
) -> list[Turn]:
    """Put a system turn before each answer. `thread` holds the messages of the same places."""
    told: list[Turn] = []
    for turn, node in zip(messages, thread, strict=True):
        if node.role == "assistant" and (tags := _tags(node, config, seed=seed)):
            told.append({"role": "system", "content": tags})
        told.append(turn)
    return told


def _tags(node: MessageNode, config: SystemTagsConfig, *, seed: int) -> str:
    """The lines in an order of chance, each left out by chance: the same for the same seed."""
    values = {key: f"{mean.value:.1f}" for key, mean in node.labels.items() if key in config.keys}
    if "lang" in config.keys and node.lang:
        values["lang"] = node.lang
    if config.length:
        values["length"] = str(len(node.text.split()) // WORDS_PER_STEP + 1)
    chance = random.Random(f"{seed}:{node.message_id}")
    lines = [f"{key}: {values[key]}" for key in sorted(values)]
    lines = [line for line in lines if chance.random() >= config.dropout]
    chance.shuffle(lines)
    return "".join(f"{line}\n" for line in lines)
