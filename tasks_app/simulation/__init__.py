"""Plays real conversation trees through the workflow, with simulated people."""

from tasks_app.simulation.replay import Replay, Report, read_scripts

__all__ = ["Replay", "Report", "read_scripts"]
