"""From files in the oasst format to the database: whole trees, with the ids they have; and what
training says became of messages.

Importing a file twice changes nothing the second time, nor does saying a thing twice.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import DataError, IntegrityError, reset_queries, transaction

from oasst.lib import queue
from tasks_app import export_format, offers, trees
from tasks_app import facts as tree_facts
from tasks_app.config import TreeConfig
from tasks_app.enums import Topic, TreeState
from tasks_app.export_format import BadLine, MessageNode, visit_threads
from tasks_app.models import ImportedLabelAggregate, Message, MessageTree, TreeTransition
from tasks_app.topic_records import TreeTopic
from tasks_app.topics import MOST
from tasks_app.usage_records import DataSnapshot, SnapshotTree, TrainedModel

BATCH_MESSAGES = 2000
BATCH_TREES = 1000

# Ids that are no UUID become one, always the same.
NAMESPACE = uuid.UUID("8b1f6a0e-6a52-5d0c-9a63-0c3f4b1d2e57")

# Left again within one transaction, so no tree may rest there.
_STAND_INS = {TreeState.READY_FOR_SCORING: TreeState.RANKING}
_MAX_LENGTHS = {"user_id": 200, "lang": 32, "model_name": 1024}

OnBad = Callable[[BadLine], None]


@dataclass
class ImportReport:
    """What an import did: trees and messages stored, trees that were there, lines it refused, and
    the states that the file names and nobody knows, with the number of their trees."""

    trees: int = 0
    messages: int = 0
    known: int = 0
    bad: int = 0
    unknown_states: Counter[str] = field(default_factory=Counter)


@dataclass
class _Rows:
    """One tree of the file as rows, not stored yet."""

    line: int
    tree: MessageTree
    messages: list[Message]
    labels: list[ImportedLabelAggregate]
    topics: list[TreeTopic]


@dataclass(frozen=True)
class _Import:
    """One run over one file."""

    report: ImportReport
    on_bad: OnBad
    config: TreeConfig
    origin: str
    state: TreeState | None
    now: datetime
    link_authors: bool
    originals: Mapping[uuid.UUID, uuid.UUID]  # of copies

    def refuse(self, line: int, reason: str) -> None:
        self.report.bad += 1
        self.on_bad(BadLine(line, reason))


def import_trees(
    path: Path,
    *,
    now: datetime,
    on_bad: OnBad,
    state: TreeState | None = None,
    dry_run: bool = False,
    link_authors: bool = False,
    copy_of: Mapping[str, str] | None = None,
    watch: export_format.Watch = iter,
) -> ImportReport:
    """Store the trees of a `.jsonl` or `.jsonl.gz` file, of trees or of flat messages.

    Each enters `state`, by default the one the file names, or the ranking backlog if it names none
    or one that is not known, which the report counts. A tree is stored whole or not at all; what
    cannot be used goes to `on_bad` with line and reason. With `dry_run` all is done and undone.
    With `link_authors` an author whose id is that of an account is this account: for copies of
    what people wrote here; `copy_of` tells of trees of the file which tree that was. `watch` sees
    the lines pass. Raises OSError.
    """
    config = TreeConfig.current()
    run = _Import(
        ImportReport(), on_bad, config, path.name, state, now, link_authors, _originals(copy_of)
    )
    with transaction.atomic() if dry_run else nullcontext():
        for batch in _batches(export_format.read_trees(path, watch=watch), run):
            _import_batch(batch, run)
            reset_queries()  # in development Django keeps the text of each
        if dry_run:
            transaction.set_rollback(True)
        elif run.report.trees:
            queue.enqueue("tasks_app.jobs.index_all_texts", key="index-all-texts", long=True)
    return run.report


def _originals(copy_of: Mapping[str, str] | None) -> dict[uuid.UUID, uuid.UUID]:
    """Of copies, the trees they were taken from that are stored here."""
    told = {_uuid(copy): _uuid(original) for copy, original in (copy_of or {}).items()}
    known = MessageTree.objects.filter(pk__in=told.values()).values_list("pk", flat=True)
    stored = set(known)
    return {copy: original for copy, original in told.items() if original in stored}


def _batches(
    items: Iterator[export_format.MessageTree | BadLine], run: _Import
) -> Iterator[list[_Rows]]:
    """The usable trees of a file as rows, some thousand messages at a time."""
    batch: list[_Rows] = []
    size = 0
    for item in items:
        if isinstance(item, BadLine):
            run.refuse(item.number, item.reason)
            continue
        try:
            rows = _rows(item, run)
        except export_format.FormatError as error:
            run.refuse(item.line, str(error))
            continue
        batch.append(rows)
        size += len(rows.messages)
        if size >= BATCH_MESSAGES:
            yield batch
            batch, size = [], 0
    yield batch


def _import_batch(batch: list[_Rows], run: _Import) -> None:
    """Store what is new; if the batch fails as one, each tree by itself."""
    new = list(_new(batch, run))
    if run.link_authors:
        _link_authors([message for rows in new for message in rows.messages])
    if _refusal(new, run):
        for rows in new:
            if why := _refusal([rows], run):
                run.refuse(rows.line, f"tree {rows.tree.pk}: {why}")


def _refusal(batch: list[_Rows], run: _Import) -> str:
    """Store a batch; why PostgreSQL does not take it, or nothing.

    Somebody else imports the same, or a value cannot be held. A database that is away is no fault
    of the rows, and is raised.
    """
    try:
        _store(batch, run)
    except (IntegrityError, DataError) as error:
        return _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def _link_authors(messages: list[Message]) -> None:
    keys = filter(_is_uuid, {message.imported_author for message in messages})
    accounts = {str(user.pk): user for user in get_user_model().objects.filter(pk__in=keys)}
    for message in messages:
        if user := accounts.get(message.imported_author):
            message.user, message.imported_author = user, ""


def _is_uuid(key: str) -> bool:
    return str(_uuid(key)) == key


def _new(batch: list[_Rows], run: _Import) -> Iterator[_Rows]:
    """Those of the batch that are not stored yet and whose messages are in no other tree."""
    ids = [message.pk for rows in batch for message in rows.messages]
    known = set(MessageTree.objects.filter(pk__in=[r.tree.pk for r in batch]).values_list("pk"))
    taken = set(Message.objects.filter(pk__in=ids).values_list("pk", flat=True))
    for rows in batch:
        own = {message.pk for message in rows.messages}
        if (rows.tree.pk,) in known:
            run.report.known += 1
        elif own & taken:
            other = min(own & taken)
            run.refuse(rows.line, f"tree {rows.tree.pk}: message {other} is in another tree")
        else:
            yield rows
        known.add((rows.tree.pk,))
        taken |= own


@transaction.atomic
def _store(batch: list[_Rows], run: _Import) -> None:
    MessageTree.objects.bulk_create(rows.tree for rows in batch)
    Message.objects.bulk_create(message for rows in batch for message in rows.messages)
    ImportedLabelAggregate.objects.bulk_create(row for rows in batch for row in rows.labels)
    TreeTopic.objects.bulk_create(row for rows in batch for row in rows.topics)
    TreeTransition.objects.bulk_create(
        TreeTransition(
            tree=rows.tree,
            to_state=rows.tree.state,
            reason=f"imported from {run.origin}"[:500],
            created_at=run.now,
        )
        for rows in batch
    )
    for rows in batch:
        if rows.tree.active:
            tree = MessageTree.objects.locked().get(pk=rows.tree.pk)
            trees.advance(tree, config=run.config, now=run.now)
    run.report.trees += len(batch)
    run.report.messages += sum(len(rows.messages) for rows in batch)


def _rows(source: export_format.MessageTree, run: _Import) -> _Rows:
    """Rows of a tree as the file has it. Raises FormatError where a column is too short."""
    state = run.state or _state(source, run)
    tree = MessageTree(
        id=_uuid(source.message_tree_id),
        lang=source.prompt.lang or "en",
        state=state,
        active=not state.is_terminal,
        goal_tree_size=run.config.goal_tree_size,
        origin=(source.origin or run.origin)[:1024],
        copy_of_id=run.originals.get(_uuid(source.message_tree_id)),
        state_since=run.now,
        created_at=source.prompt.created_date or run.now,
    )
    threads = list(visit_threads(source.prompt))
    messages = [_message(thread, tree, run) for thread in threads]
    _set_limits(tree, messages, run.config)
    labels = [
        _labels(message, thread[-1]) for message, thread in zip(messages, threads, strict=True)
    ]
    return _Rows(source.line, tree, messages, labels, _topics(source, tree))


def _topics(source: export_format.MessageTree, tree: MessageTree) -> list[TreeTopic]:
    """Those of the file that this site knows."""
    known = [topic.value for topic in Topic if topic in source.topics]
    return [TreeTopic(tree=tree, topic=name) for name in known[:MOST]]


def _state(source: export_format.MessageTree, run: _Import) -> TreeState:
    if not source.tree_state:
        return TreeState.BACKLOG_RANKING
    if source.tree_state not in TreeState:
        run.report.unknown_states[source.tree_state] += 1
        return TreeState.BACKLOG_RANKING
    state = TreeState(source.tree_state)
    return _STAND_INS.get(state, state)


def _message(thread: list[MessageNode], tree: MessageTree, run: _Import) -> Message:
    node = thread[-1]
    for name, limit in _MAX_LENGTHS.items():
        if len(getattr(node, name) or "") > limit:
            raise export_format.FormatError(f"{name}: longer than {limit} characters")
    return Message(
        id=_uuid(node.message_id),
        tree=tree,
        parent_id=_uuid(node.parent_id) if node.parent_id else None,
        imported_author=node.user_id or "",
        role=node.role,
        text=node.text,
        lang=node.lang or tree.lang,
        depth=len(thread) - 1,
        deleted=node.deleted,
        review_count=node.review_count or 0,
        review_result=node.review_result,
        rank=node.rank,
        synthetic=node.synthetic,
        model_name=node.model_name or "",
        emojis=node.emojis,
        detoxify=node.detoxify,
        created_at=node.created_date or run.now,
    )


def _labels(message: Message, node: MessageNode) -> ImportedLabelAggregate:
    values = {name: {"value": m.value, "count": m.count} for name, m in node.labels.items()}
    return ImportedLabelAggregate(
        message=message,
        values=values,
        review_count=node.review_count or 0,
        review_count_known=node.review_count is not None,
    )


def _set_limits(tree: MessageTree, messages: list[Message], config: TreeConfig) -> None:
    """Children counts, and limits of the tree that its own messages keep within."""
    nodes = [
        tree_facts.Node(
            id=message.pk,
            parent_id=message.parent_id,
            role=message.role,
            depth=message.depth,
            lang=message.lang,
            deleted=message.deleted,
            review_count=message.review_count,
            review_result=message.review_result,
            children_count=0,
        )
        for message in messages
    ]
    tree.max_depth = max(config.max_tree_depth, *(message.depth for message in messages))
    tree.max_children_count, tree.num_prompter_replies = config.max_children_count, 0
    counts = offers.plan(tree_facts.of_nodes(tree, nodes), config).children_counts
    for message in messages:
        message.children_count = counts[message.pk]
    most = dict.fromkeys(export_format.ROLES, 0)
    for message in messages:
        most[message.role] = max(most[message.role], message.children_count)
    tree.max_children_count = max(config.max_children_count, *most.values())
    tree.num_prompter_replies = max(config.num_prompter_replies, most["assistant"])


def _uuid(key: str) -> uuid.UUID:
    try:
        return uuid.UUID(key)
    except ValueError:
        return uuid.uuid5(NAMESPACE, key)


# What training says


@dataclass(frozen=True)
class SnapshotUse:
    """A snapshot as training tells of it. `trees` are ids of trees and of their messages that are
    in it; None leaves what is known."""

    name: str
    made_at: datetime
    superseded_at: datetime | None = None
    trees: Iterable[tuple[uuid.UUID, Collection[uuid.UUID]]] | None = None


@dataclass(frozen=True)
class ModelUse:
    """A trained model, the names of all snapshots behind it, and its name in the chat."""

    name: str
    stage: str
    trained_at: datetime
    snapshots: Collection[str] = ()
    served_as: str = ""


@transaction.atomic
def record_usage(*, snapshots: Iterable[SnapshotUse] = (), models: Iterable[ModelUse] = ()) -> None:
    """Write down in which snapshot messages are and which models learned from those.

    What is said replaces what was known under the name. Trees and snapshots that are not known
    here are passed over. A million messages are some hundred statements.
    """
    for use in snapshots:
        told = {"made_at": use.made_at, "superseded_at": use.superseded_at}
        snapshot, is_new = DataSnapshot.objects.update_or_create(name=use.name, defaults=told)
        if use.trees is not None:
            if not is_new:
                SnapshotTree.objects.filter(snapshot=snapshot).delete()
            _store_uses(snapshot, iter(use.trees))
    for made in models:
        facts = {"stage": made.stage, "trained_at": made.trained_at, "served_as": made.served_as}
        model, _is_new = TrainedModel.objects.update_or_create(name=made.name, defaults=facts)
        model.snapshots.set(DataSnapshot.objects.filter(name__in=made.snapshots))


def _store_uses(
    snapshot: DataSnapshot, trees: Iterator[tuple[uuid.UUID, Collection[uuid.UUID]]]
) -> None:
    while batch := dict(islice(trees, BATCH_TREES)):
        known = MessageTree.objects.filter(pk__in=batch).values_list("pk", flat=True)
        SnapshotTree.objects.bulk_create(
            SnapshotTree(snapshot=snapshot, tree_id=tree, message_ids=list(batch[tree]))
            for tree in known
        )
        reset_queries()
