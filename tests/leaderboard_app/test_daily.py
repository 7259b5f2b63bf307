"""Statistics by day and by week: what they count, again and again, and what they find late."""

from datetime import date, datetime, timedelta
from typing import Any

import django_rq
import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from leaderboard_app import daily, jobs
from leaderboard_app.models import DailyStatistics, WeeklyLabels, WeeklyPeople
from leaderboard_app.stages import STAGE_OF, Stage
from oasst.cron import LONG_JOBS
from tasks_app.enums import ContributionKind, LabelKind, TreeState
from tasks_app.importing import SnapshotUse, record_usage
from tasks_app.journal import record
from tasks_app.models import MessageTree, TextLabels, TreeTransition
from tests.elsewhere import held_elsewhere
from tests.factories import NOW, Grown, alice, bob, grow

pytestmark = pytest.mark.django_db

TODAY = NOW.date()  # a Monday
S = TreeState


def day(of: date = TODAY, lang: str = "") -> DailyStatistics:
    return DailyStatistics.objects.get(day=of, lang=lang)


def everything() -> list[Any]:
    days = DailyStatistics.objects.order_by("day", "lang").values_list(
        "day", "lang", "trees", "prompts", "states", "stages", "contributions"
    )
    labels = WeeklyLabels.objects.order_by("week", "lang").values_list("week", "lang", "values")
    people = WeeklyPeople.objects.order_by("week", "lang").values_list("week", "lang", "active")
    return [*days, *labels, *people]


def move(grown: Grown, *states: TreeState, now: datetime = NOW) -> None:
    before = TreeTransition.objects.filter(tree=grown.tree).latest("id").to_state
    for hours, state in enumerate(states):
        TreeTransition.objects.create(
            tree=grown.tree,
            from_state=before,
            to_state=state,
            reason="x",
            created_at=now + timedelta(hours=hours),
        )
        before = state


def label(grown: Grown, values: dict[str, float], kind: str = LabelKind.FREE) -> None:
    person = bob() if kind == LabelKind.FREE else alice()
    message = grown.root
    TextLabels.objects.create(
        message=message, user=person, kind=kind, values=values, created_at=NOW
    )


def snapshot(name: str, *trees: Grown, now: datetime = NOW) -> None:
    uses = [(each.tree.pk, [each.root.pk]) for each in trees]
    record_usage(snapshots=[SnapshotUse(name, made_at=now, superseded_at=None, trees=uses)])


def test_tree_counts_as_exported_on_the_day_of_its_first_snapshot() -> None:
    yesterday = NOW - timedelta(days=1)
    first, second = grow("P", now=yesterday), grow("P", now=NOW)
    german = grow("P", lang="de", now=NOW)
    snapshot("first", first, now=yesterday)
    snapshot("second", first, second, german)

    daily.recount(now=NOW)

    exported = str(Stage.EXPORTED.value)
    assert day(yesterday.date()).stages[exported] == 1
    assert day().stages[exported] == 2
    assert day(lang="de").stages[exported] == 1
    assert day(lang="en").stages[exported] == 1


def test_day_counts_what_was_written_in_each_language_and_in_all() -> None:
    grow("P(A A(P))", now=NOW)
    grow("P", lang="de", now=NOW)
    grow("P", now=NOW - timedelta(days=1))

    daily.refresh(now=NOW)

    written = [
        (row.lang, row.prompts, row.prompter_replies, row.assistant_replies)
        for row in DailyStatistics.objects.filter(day=TODAY).order_by("lang")
    ]
    assert written == [("", 2, 1, 2), ("de", 1, 0, 0), ("en", 1, 1, 2)]
    assert day(TODAY - timedelta(days=1)).prompts == 1


def test_changes_of_state_add_up_to_the_trees_there_are() -> None:
    first = grow("P", state=S.INITIAL_PROMPT_REVIEW, now=NOW - timedelta(days=9))
    move(first, S.PROMPT_LOTTERY_WAITING, now=NOW - timedelta(days=9))
    move(first, S.GROWING)
    grow("P", state=S.INITIAL_PROMPT_REVIEW, now=NOW)

    daily.refresh(now=NOW)

    assert day(TODAY - timedelta(days=9)).states == {S.PROMPT_LOTTERY_WAITING: 1}
    assert day().states == {S.PROMPT_LOTTERY_WAITING: -1, S.GROWING: 1, S.INITIAL_PROMPT_REVIEW: 1}


def test_stage_counts_once_and_a_later_one_includes_those_before() -> None:
    grown = grow("P", state=S.INITIAL_PROMPT_REVIEW, now=NOW)
    move(grown, S.PROMPT_LOTTERY_WAITING, S.GROWING, S.HALTED_BY_MODERATOR, S.GROWING)
    grow("P", state=S.READY_FOR_EXPORT, now=NOW)  # as an imported one

    daily.refresh(now=NOW)

    assert day().stages == {"0": 2, "1": 2, "2": 1, "3": 1}


def test_every_state_has_a_stage() -> None:
    assert set(STAGE_OF) == set(TreeState)
    assert STAGE_OF[S.READY_FOR_EXPORT] == Stage.RANKED


def test_counting_what_is_new_equals_counting_everything() -> None:
    for hours in (0, 30, 200):
        now = NOW - timedelta(hours=hours)
        grown = grow("P?2(A)", now=now)
        record(ContributionKind.PROMPT, user=alice(), now=now, message=grown.root)
        daily.refresh(now=NOW)
    piece_by_piece = everything()

    daily.recount(now=NOW)

    assert everything() == piece_by_piece
    assert len(piece_by_piece) > 6


def test_trees_that_come_with_old_dates_are_found_by_the_next_run() -> None:
    grow("P", now=NOW)
    daily.refresh(now=NOW)
    grow("P", now=NOW - timedelta(days=90))

    daily.refresh(now=NOW)

    assert day(TODAY - timedelta(days=90)).prompts == 1


def test_run_with_nothing_old_leaves_older_days_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    grow("P", now=NOW - timedelta(days=5))
    daily.refresh(now=NOW)
    old = day(TODAY - timedelta(days=5)).pk

    daily.refresh(now=NOW)

    assert day(TODAY - timedelta(days=5)).pk == old
    assert DailyStatistics.objects.filter(day=TODAY, lang="").count() == 1


def test_deleted_trees_leave_the_numbers() -> None:
    grow("P", now=NOW - timedelta(days=5))
    daily.refresh(now=NOW)
    MessageTree.objects.all().delete()

    daily.refresh(now=NOW)

    assert not DailyStatistics.objects.filter(prompts__gt=0).exists()


def test_job_counts_a_long_past_slice_by_slice(django_capture_on_commit_callbacks: Any) -> None:
    now = timezone.now()
    for weeks in (0, 3, 5, 20):
        grow("P", now=now - timedelta(weeks=weeks))
    assert daily.recount_slice(None, now=now) is not None
    DailyStatistics.objects.all().delete()

    with django_capture_on_commit_callbacks(execute=True):
        jobs.refresh_statistics()

    counted = everything()
    assert not daily.is_behind(now=now)
    assert DailyStatistics.objects.filter(lang="", prompts=1).count() == 4
    daily.recount(now=now)
    assert everything() == counted


def test_past_is_counted_where_no_mail_waits_and_by_one_worker_at_a_time(
    settings: Settings, django_capture_on_commit_callbacks: Any
) -> None:
    settings.RQ_QUEUES = {name: {"URL": settings.REDIS_URL} for name in ("default", "long")}
    now = timezone.now()
    grow("P", now=now - timedelta(weeks=3))

    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            jobs.refresh_statistics()
    with held_elsewhere("recount of statistics"):
        jobs.recount_statistics()
        jobs.catch_up_statistics()

    assert [django_rq.get_queue(name).count for name in ("default", "long")] == [0, 1]
    for name in ("recount_statistics", "refresh_statistics"):
        assert f"leaderboard_app.jobs.{name}" in LONG_JOBS
    assert daily.is_behind(now=now)
    jobs.catch_up_statistics()
    assert not daily.is_behind(now=now)


def test_past_that_is_counted_is_left_alone_by_a_job_that_waited() -> None:
    grow("P", now=timezone.now() - timedelta(weeks=3))
    jobs.catch_up_statistics()
    before = set(DailyStatistics.objects.values_list("pk", flat=True))

    jobs.catch_up_statistics()

    assert set(DailyStatistics.objects.values_list("pk", flat=True)) == before


def test_labels_are_binned_and_pairs_summed_but_reports_are_not() -> None:
    grown = grow("P?", now=NOW)
    label(grown, {"quality": 0.75, "spam": 0})
    label(grow("P?", lang="de", now=NOW), {"quality": 0.25, "spam": 1})
    label(grown, {"quality": 0.0}, kind=LabelKind.REPORT)

    daily.refresh(now=NOW)

    both, german = (WeeklyLabels.objects.get(lang=lang) for lang in ("", "de"))
    assert both.week == TODAY
    assert both.values == {"quality": [0, 1, 0, 1, 0], "spam": [1, 0, 0, 0, 1]}
    assert both.pairs == {"quality spam": [2, 1.0, 1.0, 0.625, 1.0, 0.25]}
    assert german.values == {"quality": [0, 1, 0, 0, 0], "spam": [0, 0, 0, 0, 1]}


def test_people_are_counted_once_a_week_by_the_week_they_began_in() -> None:
    root = grow("P", now=NOW).root
    before = NOW - timedelta(days=8)
    record(ContributionKind.PROMPT, user=alice(), now=before, message=root)
    for _ in range(3):
        record(ContributionKind.LABELS, user=alice(), now=NOW, message=root)
    record(ContributionKind.RANKING, user=bob(), now=NOW, message=root)
    record(ContributionKind.SKIP, user=bob(), now=before, message=root)

    daily.refresh(now=NOW)

    weeks = WeeklyPeople.objects.filter(lang="").order_by("week")
    first = (TODAY - timedelta(days=14)).isoformat()
    assert [(row.active, row.by_first_week) for row in weeks] == [
        (1, {first: 1}),
        (2, {first: 1, TODAY.isoformat(): 1}),
    ]
