"""From the database to the oasst format: which trees and messages, and what is told of them.

Reads a hundred trees at a time, all as of one moment. Replies stand by rank. Same data and
same selection give the same bytes.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from django.db import reset_queries
from django.db.models import Exists, OuterRef, Q, QuerySet

from oasst.lib import database
from tasks_app import export_format, topics
from tasks_app.config import TreeConfig
from tasks_app.enums import TreeState
from tasks_app.export_format import MessageNode
from tasks_app.label_means import means_of
from tasks_app.models import Message, MessageTree, RankingConsensus
from tasks_app.vote_events import events_of

TREES_PER_QUERY = 100
# A verdict is told once so many people have reviewed, and always if it is good. Reference 10.1.
REVIEWS_OF_A_VERDICT = 3


class Format(StrEnum):
    """What a file holds: one tree a line, flat messages, threads, pairs, or a table of messages."""

    TREES = "trees"
    MESSAGES = "messages"
    SFT = "sft"
    PREFERENCE = "preference"
    PARQUET = "parquet"


FLAT_FORMATS = frozenset({Format.MESSAGES, Format.PARQUET})


@dataclass(frozen=True)
class Selection:
    """Which trees, and which of their messages; by default what published data sets have.

    `deleted`, `accepted` (the review result) and `synthetic` take messages of which that is so;
    None takes all. A tree with messages below one that is left out loses those too.
    """

    states: tuple[TreeState, ...] = (TreeState.READY_FOR_EXPORT,)  # none: any
    langs: tuple[str, ...] = ()  # none: any; a tree's is that of its prompt
    deleted: bool | None = False
    accepted: bool | None = True
    synthetic: bool | None = False
    author: uuid.UUID | None = None  # an account, or an author of an imported file
    prompts_only: bool = False
    limit: int | None = None  # trees

    @property
    def is_flat(self) -> bool:
        """True if it picks messages wherever they stand, so that the result is no tree."""
        only = self.deleted or self.accepted is False or self.synthetic
        return bool(only) or self.author is not None


@dataclass(frozen=True)
class Telling:
    """What is told beyond the messages themselves."""

    labels: bool = False
    events: bool = False
    anonymizer: export_format.Anonymizer | None = None
    scrub: Callable[[str], str] | None = None  # what texts become, as with `Scrubber`


@dataclass
class ExportReport:
    """How much was written; `rows` are lines, or rows of a table."""

    trees: int = 0
    rows: int = 0


@dataclass
class _Chunk:
    """Some trees with what belongs to them."""

    trees: list[MessageTree]
    messages: dict[uuid.UUID, list[Message]] = field(default_factory=dict)
    labels: dict[uuid.UUID, dict[str, export_format.LabelMean]] = field(default_factory=dict)
    events: dict[uuid.UUID, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    topics: dict[uuid.UUID, list[str]] = field(default_factory=dict)

    def ids(self) -> list[uuid.UUID]:
        """Of all messages."""
        return [message.pk for messages in self.messages.values() for message in messages]


def export(
    stream: export_format.Writable,
    file_format: Format,
    selection: Selection,
    telling: Telling,
    *,
    watch: export_format.Watch = iter,
) -> ExportReport:
    """Write the selected trees to `stream`. `watch` sees the trees pass, as tqdm does.

    Raises ValueError if the selection picks messages out of trees and the format needs trees.
    """
    if selection.is_flat and file_format not in FLAT_FORMATS:
        raise ValueError(f"{file_format}: needs whole trees, the selection picks single messages")
    report = ExportReport()
    with database.one_moment():
        rows = _rows(file_format, selection, telling, report, watch)
        if file_format == Format.PARQUET:
            version = export_format.SCHEMA_VERSION
            report.rows = export_format.write_table(stream, rows, version=version)
        else:
            report.rows = export_format.write_objects(stream, rows)
    return report


def count_trees(selection: Selection) -> int:
    """How many trees the selection looks at."""
    count = _trees(selection).count()
    return count if selection.limit is None else min(count, selection.limit)


def _rows(
    file_format: Format,
    selection: Selection,
    telling: Telling,
    report: ExportReport,
    watch: export_format.Watch,
) -> Iterator[dict[str, Any]]:
    for tree, ties in watch(_read(file_format, selection, telling)):
        report.trees += 1
        if file_format == Format.TREES:
            yield export_format.tree_to_json(tree)
        elif file_format == Format.SFT:
            yield from export_format.sft_rows(tree)
        elif file_format == Format.PREFERENCE:
            yield from export_format.preference_rows(tree, ties)
        else:
            yield from export_format.tree_to_rows(tree)


def _read(
    file_format: Format, selection: Selection, telling: Telling
) -> Iterator[tuple[export_format.MessageTree, set[frozenset[str]]]]:
    """The trees, and the pairs of replies of which the rankings prefer neither."""
    rename = telling.anonymizer.message if telling.anonymizer else str
    for chunk in _chunks(selection, telling):
        ties = _ties(chunk, rename) if file_format == Format.PREFERENCE else set()
        for tree in chunk.trees:
            built = _build(tree, chunk, selection)
            if built is None:
                continue
            if telling.scrub:
                export_format.rewrite_texts(built, telling.scrub)
            if telling.anonymizer:
                telling.anonymizer.tree(built)
            yield built, ties


def _ties(chunk: _Chunk, rename: Callable[[str], str]) -> set[frozenset[str]]:
    found = RankingConsensus.objects.filter(parent__in=chunk.ids())
    return {
        frozenset({rename(a), rename(b)})
        for margins in found.values_list("margins", flat=True)
        for a, b, margin in margins
        if margin == 0
    }


def _trees(selection: Selection) -> QuerySet[MessageTree]:
    trees = MessageTree.objects.order_by("created_at", "id")
    if selection.states:
        trees = trees.filter(state__in=selection.states)
    if selection.langs:
        trees = trees.filter(lang__in=selection.langs)
    messages = Message.objects.filter(tree=OuterRef("pk"))
    if selection.author:
        wrote = Q(user=selection.author) | Q(imported_author=str(selection.author))
        trees = trees.filter(Exists(messages.filter(wrote)))
    if selection.synthetic is False and not selection.is_flat:
        trees = trees.exclude(Exists(messages.filter(synthetic=True)))
    return trees


def _chunks(selection: Selection, telling: Telling) -> Iterator[_Chunk]:
    trees = _trees(selection).iterator(chunk_size=TREES_PER_QUERY)
    remaining = islice(trees, selection.limit)
    while chunk := list(islice(remaining, TREES_PER_QUERY)):
        yield _load(chunk, telling)
        reset_queries()  # in development Django keeps the text of each


def _load(trees: list[MessageTree], telling: Telling) -> _Chunk:
    chunk = _Chunk(trees)
    messages = Message.objects.filter(tree__in=trees, held=False)
    messages = messages.select_related("imported_labels")
    for message in messages.defer("search_vector").order_by("depth", "created_at", "id"):
        chunk.messages.setdefault(message.tree_id, []).append(message)
    chunk.topics = topics.of_trees(tree.pk for tree in trees)
    if telling.labels:
        chunk.labels = means_of(chunk.ids(), config=TreeConfig.current())
    if telling.events:
        chunk.events = events_of(chunk.ids())
    return chunk


def _build(
    tree: MessageTree, chunk: _Chunk, selection: Selection
) -> export_format.MessageTree | None:
    """The tree with the messages selected, or None if nothing is left of it.

    A flat selection hangs all its messages below the first, wherever they stand.
    """
    kept = [m for m in chunk.messages.get(tree.pk, []) if _is_kept(m, selection)]
    nodes = {message.pk: _node(message, chunk) for message in kept}
    if not kept or (kept[0].parent_id is not None and not selection.is_flat):
        return None
    root = nodes[kept[0].pk]
    for message in kept[1:]:
        if selection.is_flat:
            root.replies.append(nodes[message.pk])
        elif message.parent_id in nodes:
            nodes[message.parent_id].replies.append(nodes[message.pk])
    if not selection.is_flat:
        export_format.sort_replies(root)
    told = [] if selection.is_flat else chunk.topics.get(tree.pk, [])
    return export_format.MessageTree(str(tree.pk), tree.state, root, tree.origin or None, told)


def _is_kept(message: Message, selection: Selection) -> bool:
    if selection.prompts_only and not message.is_root:
        return False
    if selection.author and _author(message) != str(selection.author):
        return False
    wanted = (
        (selection.deleted, message.deleted),
        (selection.accepted, message.review_result),
        (selection.synthetic, message.synthetic),
    )
    return all(want is None or want is found for want, found in wanted)


def _node(message: Message, chunk: _Chunk) -> MessageNode:
    reviews = _review_count(message)
    verdict = message.review_result
    return MessageNode(
        message_id=str(message.pk),
        parent_id=str(message.parent_id) if message.parent_id else None,
        user_id=_author(message),
        created_date=message.created_at,
        text=message.text,
        role=message.role,
        lang=message.lang,
        review_count=reviews,
        review_result=verdict if verdict or message.review_count >= REVIEWS_OF_A_VERDICT else None,
        deleted=message.deleted,
        rank=message.rank,
        synthetic=message.synthetic,
        model_name=message.model_name or None,
        emojis=dict(sorted(message.emojis.items())),
        labels=chunk.labels.get(message.pk, {}),
        events=chunk.events.get(message.pk, {}),
        detoxify=message.detoxify,
    )


def _author(message: Message) -> str | None:
    return str(message.user_id) if message.user_id else message.imported_author or None


def _review_count(message: Message) -> int | None:
    imported = getattr(message, "imported_labels", None)
    unknown = imported is not None and not imported.review_count_known
    return None if unknown and not message.review_count else message.review_count
