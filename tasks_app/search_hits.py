"""Which messages have the words that are searched for: the newest of them, at a bounded cost.

No search reads all that a common word is in. The newest messages are looked at first, by the
index over their time; only if the words are rare there, the index over all words is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchRank
from django.db.models import (
    Case,
    DateTimeField,
    Exists,
    F,
    FloatField,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from oasst.lib.search import sql
from oasst.lib.search.syntax import Groups
from tasks_app.enums import REVIEWING_STATES
from tasks_app.models import MessageTree
from tasks_app.querysets import MessageQuerySet

# So many of the newest messages, of all branches together, are looked at before the index is.
WINDOW = 3_000
# Of more languages than these, the newest are not looked at one language after the other.
FEW_LANGUAGES = 5
# Divides by the logarithm of the length: long texts say every word.
_BY_LENGTH = 1
_BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
# Instead of a relevance: the first message that is not among the newest of its branch.
_EDGE = Value(-1.0, FloatField())
# The tree is looked at for undecided messages only, and for no more than are given.
_IS_REVIEWED = Exists(MessageTree.objects.filter(pk=OuterRef("tree"), state__in=REVIEWING_STATES))
_STATE = Case(
    When(Q(deleted=True) | Q(review_result=False), then=Value("rejected")),
    When(review_result=True, then=Value("accepted")),
    When(_IS_REVIEWED, then=Value("review")),
    default=Value(""),
)
# The same moment, but in no index: rows are taken by their words and put in order afterwards.
_NO_INDEX = Func(
    F("created_at"), template="(%(expressions)s + interval '0')", output_field=DateTimeField()
)


@dataclass(frozen=True)
class Hit:
    """What is known of a message that was found, without its text."""

    id: UUID
    created_at: datetime
    lang: str
    role: str
    state: str  # one of `browsing.STATES`, or nothing
    relevance: float

    @property
    def newest_first(self) -> tuple[float, int]:
        """Its place in time."""
        return -self.created_at.timestamp(), self.id.int

    @property
    def best_first(self) -> tuple[float, float, int]:
        """Its place by relevance."""
        return -self.relevance, *self.newest_first


@dataclass(frozen=True)
class Branch:
    """Messages that an index has in order of time, and the words they are searched for."""

    rows: MessageQuerySet
    condition: Q
    query: str  # a `tsquery`, for the relevance
    # No more than can be looked through: no window is needed, and time leads there slowly.
    is_small: bool = False

    def but(self, rows: MessageQuerySet) -> "Branch":
        """The same of fewer messages."""
        return replace(self, rows=rows)


def branches(
    rows: MessageQuerySet,
    groups: Groups,
    asked: sql.Phrases,
    langs: Sequence[str],
    *,
    is_small: bool,
) -> list[Branch]:
    """The messages by language; all at once where there are many languages."""
    queries = {lang: asked.query(groups, lang) for lang in langs}
    queries = {lang: text for lang, text in queries.items() if text}
    if len(queries) <= FEW_LANGUAGES:
        return [
            Branch(rows.filter(lang=lang), Q(sql.finds(text)), text, is_small)
            for lang, text in queries.items()
        ]
    by_query: dict[str, list[str]] = {}
    for lang, text in queries.items():
        by_query.setdefault(text, []).append(lang)
    condition = Q()
    for text, those in by_query.items():
        condition |= Q(sql.finds(text)) & Q(lang__in=those)
    either = " | ".join(f"({text})" for text in by_query)
    return [Branch(rows.filter(lang__in=list(queries)), condition, either, is_small)]


def newest(
    parts: Sequence[Branch], *, enough: int, most: int, is_ranked: bool = False
) -> tuple[list[Hit], bool]:
    """The newest hits, at most `most`, and whether there may be more.

    There are fewer than `enough` only if there are no more. Two queries at most.
    """
    if not any(part.is_small for part in parts):
        hits, is_all = _near(parts, most + 1, is_ranked=is_ranked)
        if len(hits) >= enough or is_all:
            return hits[:most], not is_all or len(hits) > most
    everything = [part.rows.filter(part.condition) for part in parts]
    hits = _run(_slices(everything, parts, most + 1, _NO_INDEX, is_ranked=is_ranked))
    return hits[:most], len(hits) > most


def _near(parts: Sequence[Branch], most: int, *, is_ranked: bool) -> tuple[list[Hit], bool]:
    """The hits among the newest messages of each branch, and whether these are all there are."""
    window = WINDOW // len(parts)
    edges = [part.rows.newest_first()[window : window + 1] for part in parts]
    near = [
        part.rows.filter(part.condition, created_at__gte=_moment(edge))
        for part, edge in zip(parts, edges, strict=True)
    ]
    marked = [edge.values_list(*_columns(_EDGE)) for edge in edges]
    rows = _run([*_slices(near, parts, most, F("created_at"), is_ranked=is_ranked), *marked])
    hits = [hit for hit in rows if hit.relevance >= 0]
    return hits, len(hits) == len(rows)


def _moment(edge: MessageQuerySet) -> Coalesce:
    """Where the newest messages begin; the beginning of time if there are no others."""
    return Coalesce(edge.values("created_at"), Value(_BEGINNING))


def _slices(
    found: Sequence[MessageQuerySet],
    parts: Sequence[Branch],
    most: int,
    moment: Any,
    *,
    is_ranked: bool,
) -> list[QuerySet]:
    """The newest `most` of each branch."""
    slices = []
    for rows, part in zip(found, parts, strict=True):
        relevance = _relevance(part.query) if is_ranked else Value(0.0, FloatField())
        ordered = rows.order_by(moment.desc(), "id").values_list(*_columns(relevance))
        slices.append(ordered[:most])
    return slices


def _run(slices: Sequence[QuerySet]) -> list[Hit]:
    """All of the slices, newest first. One query."""
    rows = slices[0].union(*slices[1:], all=True) if len(slices) > 1 else slices[0]
    return sorted((Hit(*row) for row in rows), key=lambda hit: hit.newest_first)


def _columns(relevance: Any) -> tuple[Any, ...]:
    return "id", "created_at", "lang", "role", _STATE, relevance


def _relevance(query: str) -> SearchRank:
    return SearchRank(
        F("search_vector"),
        sql.tsquery(query),
        cover_density=True,
        normalization=Value(_BY_LENGTH),
    )
