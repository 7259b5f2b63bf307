"""Stages the demonstration: who, which stories, at what times over the last weeks."""

import heapq
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.db import transaction

from oasst.lib import queue
from tasks_app import config, moderation, skill_fits
from tasks_app.demo import accounts, desk
from tasks_app.demo.backlog import import_backlog
from tasks_app.demo.content import Story, stories
from tasks_app.demo.play import Acts, Cast, Play
from tasks_app.enums import TreeState
from tasks_app.models import Message, MessageTree

S = TreeState


@dataclass(frozen=True)
class Span:
    """When the plays of a state happen, in days before now."""

    first: float  # the first of them begins
    last: float  # the last of them begins
    days: float  # so long each takes, rankings left aside
    ranked: float = 0  # the first begins to be ranked; others follow until now


# Only ten trees grow per language: those of one row make room for those of the next. Prompts that
# wait in the lottery come after all that are drawn, so that nobody draws them.
SPANS = {
    S.READY_FOR_EXPORT: Span(40, 28, 12, ranked=24),
    S.SCORING_FAILED: Span(34, 32, 10, ranked=9),
    S.RANKING: Span(36, 27, 12, ranked=8),
    S.HALTED_BY_MODERATOR: Span(25, 24, 4),
    S.ABORTED_LOW_GRADE: Span(30, 3, 1),
    S.GROWING: Span(10, 3.5, 2.5),
    S.PROMPT_LOTTERY_WAITING: Span(2, 1.2, 0.8),
    S.INITIAL_PROMPT_REVIEW: Span(0.9, 0.2, 0.15),
}
IMPORTED_BEFORE = timedelta(days=20)
DISPUTED_LATER = timedelta(minutes=20)  # than adaptive overlap is turned on
BANNED_BEFORE = timedelta(minutes=20)
DRAFTED_BEFORE = timedelta(minutes=6)
BAN_REASON = "Advertising and rude replies, after two friendly warnings."


@dataclass(frozen=True)
class Outcome:
    """What a run has done."""

    added: Counter[TreeState]
    already_there: int


@transaction.atomic
def build(*, seed: int, now: datetime, stage: TreeState | None = None) -> Outcome:
    """Play every story that the database does not hold yet, or only those that end in `stage`.

    All or nothing. Jobs that real contributions would queue are not queued: their work happens
    here, at the times of the stories. Raises CannotPlay and DomainErrors.
    """
    wanted = [story for story in stories() if stage in (None, story.state)]
    missing = _missing(wanted)
    with queue.silent(), config.overridden(**_stock_limits()):
        if missing:
            _perform(missing, seed=seed, now=now, with_desk=stage is None)
    return Outcome(Counter(story.state for story in missing), len(wanted) - len(missing))


def _perform(missing: Sequence[Story], *, seed: int, now: datetime, with_desk: bool) -> None:
    cast = accounts.hire(now=now)
    imported = [story for story in missing if story.state == S.BACKLOG_RANKING]
    import_backlog(imported, seed=seed, now=now - IMPORTED_BEFORE)
    plays = [Play(story, cast, seed=seed) for story in missing if story not in imported]
    extra = []
    if with_desk and cast["wanda"].held_since is None:
        extra.append((desk.begins(now=now), desk.acts(cast, now=now, rng=random.Random(seed))))
    if any(story.is_disputed for story in missing):
        extra.append((desk.adaptive_since(now), desk.switch_to_adaptive_overlap(cast)))
    _tell(plays, extra, now=now, rng=random.Random(seed))
    for play in plays:
        play.leave_drafts(now=now - DRAFTED_BEFORE)
    _ban_trudy(cast, now=now - BANNED_BEFORE)
    skill_fits.refit(now=now)


def _missing(wanted: Sequence[Story]) -> list[Story]:
    """Stories whose prompt is in no tree. Their texts are unique and last longer than ids."""
    texts = [story.prompt.text for story in wanted]
    roots = Message.objects.filter(parent=None, text__in=texts)
    held = set(roots.values_list("text", "lang"))
    return [story for story in wanted if (story.prompt.text, story.lang) not in held]


def _stock_limits() -> dict[str, object]:
    """The defaults, whatever an operator has tuned, with room beside trees that grow already."""
    growing = MessageTree.objects.filter(state=S.GROWING).values_list("lang", flat=True)
    most = max(Counter(growing).values(), default=0)
    limits = asdict(config.TreeConfig())
    return limits | {"max_active_trees": limits["max_active_trees"] + most}


def _tell(
    plays: Sequence[Play],
    extra: Sequence[tuple[datetime, Acts]],
    *,
    now: datetime,
    rng: random.Random,
) -> None:
    """Let all plays happen side by side, each act at its time; `extra` ones say theirs."""
    acts = [play.acts() for play in plays]
    starts, gaps = _schedule(plays, now)
    for begins, more in extra:
        acts.append(more)
        starts.append(begins)
        gaps.append(timedelta(0))
    for act in acts:
        next(act)
    waiting = [(start, number) for number, start in enumerate(starts)]
    heapq.heapify(waiting)
    while waiting:
        at, number = heapq.heappop(waiting)
        try:
            with config.overridden(adaptive_overlap=at > desk.adaptive_since(now)):
                not_before = acts[number].send(at) or at
        except StopIteration:
            continue
        at = max(at, not_before)
        pause = min(gaps[number], (now - at) / 4) * rng.uniform(0.5, 1.4)
        heapq.heappush(waiting, (at + pause, number))


def _schedule(plays: Sequence[Play], now: datetime) -> tuple[list[datetime], list[timedelta]]:
    """For each play its start and the usual pause between two acts; spreads the rankings."""
    total = Counter(play.story.state for play in plays)
    seen: Counter[TreeState] = Counter()
    starts, gaps = [], []
    for play in plays:
        state = play.story.state
        span = SPANS[state]
        share = seen[state] / total[state]
        seen[state] += 1
        starts.append(now - timedelta(days=span.first + share * (span.last - span.first)))
        gaps.append(timedelta(days=span.days) / play.acts_expected)
        play.ranked_after = now - timedelta(days=span.ranked * (1 - share))
        play.disputed_after = desk.adaptive_since(now) + DISPUTED_LATER
    return starts, gaps


def _ban_trudy(cast: Cast, *, now: datetime) -> None:
    """When all she has to say is said."""
    hers = [story for story in stories() if "trudy" in story.authors]
    if cast["trudy"].is_active and not _missing(hers):
        moderation.ban_user(cast["trudy"].pk, actor=cast["mona"], reason=BAN_REASON, now=now)
