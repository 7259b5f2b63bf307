"""The schedule of periodic jobs: what runs how often. `manage.py cron` puts them on the queue."""

SCHEDULE_S = {
    "tasks_app.jobs.release_expired_reservations": 30,
    "tasks_app.jobs.settle_languages": 60,
    "tasks_app.jobs.fold_agreement": 30,
    "tasks_app.jobs.recount_trees": 30,
    "tasks_app.jobs.carry_on_bulk_actions": 60,
    "tasks_app.jobs.tell_news": 30,
    "tasks_app.jobs.send_digests": 3600,
    "tasks_app.jobs.expire_tasks": 3600,
    "tasks_app.jobs.refit_reliability": 300,
    "tasks_app.jobs.promote_gold": 3600,
    "tasks_app.jobs.halt_prompts_of_disabled_users": 3600,
    "leaderboard_app.jobs.refresh_statistics": 120,
    "leaderboard_app.jobs.recount_statistics": 86400,
    "tasks_app.jobs.announce_reports": 60,
    "leaderboard_app.troll_jobs.refresh_day": 300,
    "leaderboard_app.troll_jobs.refresh_week": 900,
    "leaderboard_app.troll_jobs.refresh_month": 3600,
    "leaderboard_app.troll_jobs.refresh_total": 14400,
    "leaderboard_app.jobs.book_points": 30,
    "leaderboard_app.jobs.refresh_day": 300,
    "leaderboard_app.jobs.refresh_week": 900,
    "leaderboard_app.jobs.refresh_month": 3600,
    "leaderboard_app.jobs.refresh_total": 14400,
    "leaderboard_app.jobs.settle_points": 24 * 3600,
    "chat_app.jobs.reap_replies": 10,
    "chat_app.jobs.delete_api_calls": 600,
    "chat_app.jobs.forget_workers": 3600,
    "training.jobs.reap_runs": 10,
    "training.jobs.reap_snapshot_checks": 60,
    "training.jobs.reap_snapshot_requests": 60,
    "training.jobs.heed_withdrawn_chats": 60,
    "training.jobs.heed_deleted_messages": 60,
    "training.jobs.tell_usage": 600,
    "oasst.accounts.jobs.send_waiting_codes": 30,
    "oasst.accounts.jobs.delete_expired_codes": 3600,
    "oasst.privacy.finish_erasures": 600,
}

# These read as much as there is, in one go: they have the queue `long`.
LONG_JOBS = frozenset(
    {
        "tasks_app.jobs.refit_reliability",
        "leaderboard_app.jobs.recount_statistics",
        "leaderboard_app.jobs.refresh_month",
        "leaderboard_app.jobs.refresh_total",
        "leaderboard_app.jobs.settle_points",
        "leaderboard_app.troll_jobs.refresh_month",
        "leaderboard_app.troll_jobs.refresh_total",
    }
)
