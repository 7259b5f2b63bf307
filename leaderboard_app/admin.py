"""The community at the desk."""

from leaderboard_app import admin_goals, admin_points, admin_trolls

__all__ = ["admin_goals", "admin_points", "admin_trolls"]
