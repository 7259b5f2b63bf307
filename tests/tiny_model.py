"""The tiny random model of the tests."""

from training.tiny import build

__all__ = ["build"]
