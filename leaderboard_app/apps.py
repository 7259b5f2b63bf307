"""Django app of points, leaderboards and public statistics."""

from django.apps import AppConfig


class LeaderboardAppConfig(AppConfig):
    name = "leaderboard_app"
    verbose_name = "Community"
    default_auto_field = "django.db.models.BigAutoField"
