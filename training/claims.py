"""Whose a run's folder is: it holds one run, of one config, on the same data. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from training import rundir
from training.config import ConfigError, from_yaml, to_dict, to_yaml
from training.rundir import RunDir

# What may differ when a run is resumed: how it is computed and told, not what is learned.
ALTERABLE = {
    "output",
    "threads",
    "max_batch",
    "model.device",
    "model.gradient_checkpointing",
    "loss.micro_batch",
    "rollout.batch_size",
}
WEIGHTS = "output.weights"  # of a result they stay what they are


def is_done(run: RunDir, config: Any, record: Any) -> bool:
    """Whether the folder holds the result of this very run. Raises ConfigError if of another.

    `record` says which data the run reads, as JSON.
    """
    if not run.final.is_dir():
        return False
    compare(run, config, record, also=[WEIGHTS])
    return True


def claim(run: RunDir, config: Any, record: Any, *, has_begun: bool) -> None:
    """Write down whose folder it is. Raises ConfigError if another run `has_begun` there."""
    if has_begun:  # else nothing is lost by beginning in another way
        compare(run, config, record)
    rundir.write_whole(run.data, json.dumps(record, ensure_ascii=False, indent=2))
    rundir.write_whole(run.config, to_yaml(config))


def compare(run: RunDir, config: Any, record: Any, *, also: Iterable[str] = ()) -> None:
    """Raise ConfigError if what is in the folder was made in another way than this."""
    text = run.config.read_text(encoding="utf-8")
    old, new = to_dict(from_yaml(text, stage=config.stage)), to_dict(config)
    changed = [*_changes(old, new), *(key for key in also if _at(old, key) != _at(new, key))]
    if not changed and record != json.loads(run.data.read_text(encoding="utf-8")):
        changed = ["the data itself"]
    if changed:
        raise ConfigError(
            f"{run.path} holds a run with another config ({', '.join(changed)}). Give this "
            "one a folder of its own (--run-dir), or another name."
        )


def _changes(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """Which keys differ, of those that change what is learned."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        a, b, name = old.get(key), new.get(key), f"{prefix}{key}"
        if name in ALTERABLE:
            continue
        if name == "optim" and a and b:
            a, b = _effective(a), _effective(b)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _changes(a, b, f"{name}.")
        elif a != b:
            found.append(name)
    return found


def _effective(optim: dict[str, Any]) -> dict[str, Any]:
    """Two ways to read the same number of examples per step are one."""
    size = optim["batch_size"] * optim["grad_accum"]
    return {**optim, "batch_size": size, "grad_accum": 1}


def _at(values: dict[str, Any], key: str) -> Any:
    """The value at `a.b`, or None."""
    first, _, rest = key.partition(".")
    value = values.get(first)
    return _at(value, rest) if rest and isinstance(value, dict) else value
