"""How fast boards of points and the trollboard are computed and shown, however many entries."""

import random
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils import timezone

from leaderboard_app import ledger, trolls
from leaderboard_app.enums import Frame
from leaderboard_app.models import PointEntry
from oasst.accounts.models import User
from tasks_app import skill_fits
from tests.benchmarks import sql
from tests.benchmarks.timing import answers, percentile_ms, seconds_of
from tests.sessions import signed_in

_KINDS = "'prompt', 'reply', 'labels', 'ranking'"
# A confirmed entry for each contribution, as if the ledger had booked it.
_REASON = """CASE c.kind WHEN 'prompt' THEN 'prompt' WHEN 'ranking' THEN 'ranking'
    WHEN 'labels' THEN 'review_full' ELSE CASE WHEN c.task_kind = 'assistant_reply'
    THEN 'assistant_reply' ELSE 'prompter_reply' END END"""


def measure(requests: int, *, say: Callable[..., None]) -> dict[str, Any]:
    """Fill the ledger of a built collection, compute the boards and look at them."""
    _fill_ledger()
    User.objects.update(tos_version=settings.TOS_VERSION)
    figures: dict[str, Any] = {"entries": PointEntry.objects.count()}
    for name, act in _ACTS.items():
        figures[name] = round(seconds_of(act), 2)
        say(f"{name}: {figures[name]}")
    return figures | _look(requests)


def _fill_ledger() -> None:
    with sql.unchecked(), sql.without_indexes(PointEntry):
        sql.fill(
            PointEntry,
            f"FROM tasks_app_contribution c WHERE c.kind IN ({_KINDS})",
            user_id="c.user_id",
            contribution_id="c.id",
            reason=_REASON,
            points="1 + c.id %% 4",
            state="'confirmed'",
            why="'decided'",
            lang="c.lang",
            at="c.created_at",
            settled_at="c.created_at",
            closeness="0.9",
        )
    sql.run("ANALYZE leaderboard_app_pointentry")


def _boards(frame: Frame) -> None:
    ledger.refresh_frame(frame, now=timezone.now())


def _trolls(frame: Frame) -> None:
    trolls.refresh(frame, now=timezone.now())


_ACTS: dict[str, Callable[[], Any]] = {
    "board_of_a_day_s": lambda: _boards(Frame.DAY),
    "board_of_all_time_s": lambda: _boards(Frame.TOTAL),
    "trollboard_of_a_day_s": lambda: _trolls(Frame.DAY),
    "trollboard_of_all_time_s": lambda: _trolls(Frame.TOTAL),
    "skills_s": lambda: skill_fits.refit(now=timezone.now()),
}


def _look(requests: int) -> dict[str, dict[str, float]]:
    """Requests by different people; nothing is in the cache."""
    people = list(User.objects.order_by("pk")[:requests])
    root = User.objects.create_superuser("root@example.org", tos_version=settings.TOS_VERSION)
    return {
        "board": _timed("/leaderboard/", people),
        "points": _timed("/leaderboard/points/", people),
        "trollboard": _timed("/admin/leaderboard_app/trollstats/", [root] * (requests // 4)),
    }


def _timed(path: str, people: list[User]) -> dict[str, float]:
    rng = random.Random(7)
    frames = [rng.choice([Frame.DAY, Frame.TOTAL]) for _ in people]
    urls = [path if "admin" in path else f"{path}?frame={frame}" for frame in frames]
    browsers = map(signed_in, people)
    times = answers(zip(browsers, urls, strict=True), fresh=True)
    return {f"p{p}_ms": percentile_ms(times, p / 100) for p in (50, 95)}
