"""RLOO and GRPO on trl's trainers: no critic, answers to one prompt are compared instead."""

from __future__ import annotations

from pathlib import Path

from training.config import ConfigError, PpoConfig
from training.rundir import RunDir


def run(config: PpoConfig, run: RunDir) -> Path:
    raise ConfigError("algorithm: being written")
