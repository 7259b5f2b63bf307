"""The community at the desk."""

from leaderboard_app import admin_points, admin_trolls

__all__ = ["admin_points", "admin_trolls"]
