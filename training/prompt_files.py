"""Which prompts are to be answered: the beginnings of trees, or the lines of any file. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks_app.export_format import MessageTree
from training import examples, sources
from training.config import ConfigError, DataConfig, SourceConfig

Turn = dict[str, str]


@dataclass(frozen=True)
class Prompt:
    """A conversation that ends with a turn of the user. `tree` names the tree it begins, if any."""

    id: str
    messages: tuple[Turn, ...]
    lang: str = ""
    tree: str = ""

    @property
    def text(self) -> str:
        """What is answered: the last turn."""
        return self.messages[-1]["content"]


def read_prompts(
    path: str | Path, *, count: int | None = None, languages: Sequence[str] = ()
) -> list[Prompt]:
    """The first `count` prompts in these languages, each once.

    Of a tree the initial prompt is taken, of any other line the conversation up to the last turn
    of its user. Raises ConfigError.
    """
    config = DataConfig(languages=tuple(languages))
    tally = examples.Tally()
    found: dict[str, Prompt] = {}
    for item in sources.read(SourceConfig(path=str(path))):
        for example in examples.prompts(item, config, tally, 0):
            turns = tuple(example.row["prompt"])
            is_of_tree = isinstance(item, MessageTree)
            if is_of_tree and len(turns) > 1:
                continue
            tree = example.row["tree"] if is_of_tree else ""
            key = examples.key_of(turns)
            found.setdefault(key, Prompt(key, turns, example.row["lang"], tree))
        if count is not None and len(found) >= count:
            break
    if not found:
        reasons = "; ".join(f"{n} {examples.REASONS[name]}" for name, n in tally.left_out.items())
        raise ConfigError(
            f"prompts: there is none to answer in {path} ({reasons or 'it is empty'})"
        )
    return list(found.values())
