"""`python -m training STAGE CONFIG [--run-dir DIR] [key=value …]`: one stage, without the site.

With `show` in place of the stage it tells what would be trained on, and trains nothing.

Exit codes: 0 done, 1 failed, 2 wrong config or too little data, 3 cancelled and saved.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Before anything imports the hub's library, which reads them once. Models are fetched elsewhere.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from training import config as configs
from training.outcome import DONE, WRONG_CONFIG, guarded
from training.rundir import RunDir

SHOW = "show"
ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_intermixed_args(arguments)
    stage = "" if given.stage == SHOW else given.stage
    try:
        config = configs.load(given.config, given.overrides, stage=stage)
        if given.stage == SHOW:
            return _show(config)
    except configs.ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no run to log it to
        return WRONG_CONFIG
    run = RunDir(Path(given.run_dir or runs_dir() / config.name).resolve())
    run.path.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        handlers=[logging.StreamHandler(), logging.FileHandler(run.log, encoding="utf-8")],
    )
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns while it is imported
    return guarded(config, run)


def _show(config: Any) -> int:
    from training import preview

    print(preview.run(config))  # noqa: T201 - it was asked for
    return DONE


def runs_dir() -> Path:
    var = Path(os.environ.get("OASST_VAR_DIR") or ROOT / "var")
    return Path(os.environ.get("RUNS_DIR") or var / "runs")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Run one stage of training. Started again on the same folder it goes on.",
    )
    parser.add_argument("stage", choices=[SHOW, *configs.STAGES])
    parser.add_argument("config", help="a YAML file, or the name of one in training/configs")
    parser.add_argument("--run-dir", help="default: the config's name, in RUNS_DIR or var/runs")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as optim.lr=1e-4")
    return parser


if __name__ == "__main__":
    sys.exit(main())
