"""Routes of the leaderboard and the statistics."""

from django.urls import path

from leaderboard_app.views import boards, prizes, stats

app_name = "leaderboard"
urlpatterns = [
    path("leaderboard/", boards.board, name="board"),
    path("leaderboard/points/", boards.points, name="points"),
    path("leaderboard/standing/", boards.standing, name="standing"),
    path("leaderboard/prizes/", prizes.manage, name="prizes"),
    path("leaderboard/prizes/<int:prize_id>/", prizes.show, name="prize"),
    path("leaderboard/prizes/<int:prize_id>/publish/", prizes.publish, name="prize_publish"),
    path("leaderboard/prizes/<int:prize_id>/winners.csv", prizes.table, name="prize_csv"),
    path("stats/", stats.stats, name="stats"),
    path("stats/<slug:name>.csv", stats.stats_csv, name="stats_csv"),
]
