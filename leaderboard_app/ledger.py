"""The ledger of points: from the journal, and what became of the messages, to entries.

What the entries of a tree should be follows from the tree as it is now. `catch_up` reads what is
new in the journal, the moderation log and the moves of trees, and brings the entries of those trees
up to date; so it may run twice, break off and start again, and a lost job only delays it.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, transaction

from leaderboard_app import derive, holds, merging, stats
from leaderboard_app.cursors import Reader
from leaderboard_app.enums import Frame
from leaderboard_app.models import PointEntry
from tasks_app.enums import ModerationKind
from tasks_app.models import Contribution, MessageTree, ModerationAction, TreeTransition

logger = logging.getLogger(__name__)

SLICE = 500  # rows of the journal that one transaction reads
TREES_AT_ONCE = 100
PEOPLE_AT_ONCE = 200
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_UPDATED = ["state", "why", "settled_at", "closeness", "knows"]
# What moderators do to a person that changes what the person's entries count.
_ABOUT_PEOPLE = frozenset(
    {
        ModerationKind.BAN_USER,
        ModerationKind.UNBAN_USER,
        ModerationKind.PURGE_USER,
        ModerationKind.MERGE_PEOPLE,
        ModerationKind.UNDO,
    }
)


def catch_up(*, now: datetime) -> int:
    """Bring the ledger up to date; returns how many entries it wrote or moved."""
    changed, more = 0, True
    while more:
        count, more = _read_on(now)
        changed += count
    if changed:
        logger.info("ledger: %d entries written or moved", changed)
    return changed


def settle_slice(after: UUID | None, *, now: datetime) -> UUID | None:
    """Look at some trees again, whatever happened; returns the last one, None after all.

    For what leaves no trace in a log, as when rules of acceptance change.
    """
    trees = MessageTree.objects.order_by("pk")
    trees = trees.filter(pk__gt=after) if after else trees
    ids = list(trees.values_list("pk", flat=True)[:TREES_AT_ONCE])
    with transaction.atomic():
        take_turn()
        stats.refresh_people(_settle(ids, [], now)[1], now=now)
    return ids[-1] if len(ids) == TREES_AT_ONCE else None


def look_at_people(*, now: datetime) -> None:
    """Look at everybody's record again, some people at a time."""
    for people in _chunks(_people()):
        with transaction.atomic():
            take_turn()
            changed = _hold(dict.fromkeys(people, _LONG_AGO), now)
            stats.refresh_people({entry.user_id for entry in changed}, now=now)


def refresh_frame(frame: Frame, *, now: datetime, at_once: int = PEOPLE_AT_ONCE) -> int:
    """Compute a board anew for everybody; returns how many rows it has.

    Some people at a time, so that nobody's points wait until all are counted.
    """
    rows = 0
    for people in _chunks(sorted(stats.people_in(frame, now=now)), at_once):
        with transaction.atomic():
            take_turn()
            rows += stats.refresh_frame(frame, people, now=now)
    return rows


@transaction.atomic
def follow_taken_back(user_id: UUID, tree_id: UUID, *, now: datetime) -> None:
    """Settle a tree, and count somebody's entries anew, after they took a review back: its entry
    went with it, whether it was settled or not, and the logs do not tell."""
    take_turn()
    _count, touched = _settle([tree_id], [], now)
    touched |= {entry.user_id for entry in _hold({user_id: _LONG_AGO}, now)}
    stats.refresh_people(touched | {user_id}, now=now)


@transaction.atomic
def refresh_streak(user_id: UUID) -> None:
    """Count somebody's days anew, in the time zone that they have now."""
    take_turn()
    stats.refresh_streaks([user_id])


def take_turn() -> None:
    """Wait until nobody else writes points or standings, and keep others waiting till the end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('leaderboard.ledger', 0))")


def disagreements() -> Iterator[tuple[str, str, str]]:
    """Where the ledger is not what the trees say it should be: rule, id, detail."""
    ids = MessageTree.objects.order_by("pk").values_list("pk", flat=True)
    for trees in _chunks(ids.iterator(chunk_size=2000)):
        created, moved = derive.changes(trees, [], now=None)
        for entry in created:
            yield "every_contribution_is_booked", str(entry.contribution_id), str(entry)
        for entry in moved:
            yield "entries_stand_as_the_rules_say", str(entry.pk), f"should be {entry}: {entry.why}"
    for users in _chunks(_people()):
        for entry in holds.flips(dict.fromkeys(users, _LONG_AGO)):
            detail = f"held: {entry.held}, waits: {entry.waits}"
            yield "entries_are_held_as_the_rules_say", str(entry.pk), detail
    yield from stats.disagreements()


@transaction.atomic
def _read_on(now: datetime) -> tuple[int, bool]:
    """Read one slice of each log, settle what it is about; and: is there more?"""
    take_turn()
    journal = Reader("journal", Contribution.objects.select_related("message"))
    actions = Reader("moderation", ModerationAction.objects.select_related("undoes"))
    moves = Reader("transitions", TreeTransition.objects.all())
    done, more_done = journal.read(SLICE)
    acted, more_acted = actions.read(SLICE)
    moved, more_moved = moves.read(SLICE)
    trees = {row.message.tree_id for row in done if row.message}
    trees |= {row.tree_id for row in [*acted, *moved] if row.tree_id}
    loose = [row.pk for row in done if row.message_id is None]
    people = {row.user_id for row in acted if row.user_id and row.action in _ABOUT_PEOPLE}
    followed = merging.follow(acted)
    people |= followed
    if people:
        theirs = Contribution.objects.filter(user__in=people)
        trees |= set(theirs.exclude(message=None).values_list("message__tree", flat=True))
        loose += theirs.filter(message=None).values_list("pk", flat=True)
    count, touched = _settle(trees, loose, now)
    # Entries that changed hands are judged by another record, though they did not change.
    held = _hold(dict.fromkeys(followed, _LONG_AGO), now)
    touched |= followed | {entry.user_id for entry in held}
    stats.refresh_people(touched, now=now)
    for reader in (journal, actions, moves):
        reader.save()
    return count, more_done or more_acted or more_moved


def _settle(trees: Iterable[UUID], loose: Collection[int], now: datetime) -> tuple[int, set[UUID]]:
    """Write what changes in the entries of these trees and of contributions without a message,
    and in those of the same people that must be held back therefore, or no more."""
    changed = _write_changes(trees, loose, now)
    changed += _hold(holds.earliest(changed), now)
    return len(changed), {entry.user_id for entry in changed}


def _hold(since: Mapping[UUID, datetime], now: datetime) -> list[PointEntry]:
    """Hold back what these people's contributions from a time on tell upon, or do so no more."""
    flipped = holds.flips(since)
    if not flipped:
        return []
    PointEntry.objects.bulk_update(flipped, ["held", "waits"], batch_size=500)
    done = Contribution.objects.filter(pk__in=[entry.contribution_id for entry in flipped])
    trees = set(done.exclude(message=None).values_list("message__tree", flat=True))
    loose = list(done.filter(message=None).values_list("pk", flat=True))
    return _write_changes(trees, loose, now)


def _write_changes(
    trees: Iterable[UUID], loose: Collection[int], now: datetime
) -> list[PointEntry]:
    changed: list[PointEntry] = []
    chunks = list(_chunks(sorted(trees))) or [[]]
    for number, chunk in enumerate(chunks):
        created, moved = derive.changes(chunk, loose if number == 0 else [], now=now)
        created = _still_there(created)
        # Ours is the only turn, so nothing can be there already.
        PointEntry.objects.bulk_create(created, batch_size=1000)
        PointEntry.objects.bulk_update(moved, _UPDATED, batch_size=500)
        changed += [*created, *moved]
    return changed


def _people() -> list[UUID]:
    return list(PointEntry.objects.order_by("user").values_list("user", flat=True).distinct())


def _still_there(entries: list[PointEntry]) -> list[PointEntry]:
    """Those whose contribution nobody took back meanwhile; nobody can, until the end."""
    wanted = {entry.contribution_id for entry in entries}
    rows = Contribution.objects.filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True)
    found = set(rows.values_list("pk", flat=True))
    return [entry for entry in entries if entry.contribution_id in found]


def _chunks(ids: Iterable[UUID], size: int = TREES_AT_ONCE) -> Iterator[list[UUID]]:
    chunk: list[UUID] = []
    for pk in ids:
        chunk.append(pk)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
