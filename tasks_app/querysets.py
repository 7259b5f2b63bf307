"""Questions about the collected data, as chainable querysets with domain names."""

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Extract, Now

from oasst.lib.search import syntax
from tasks_app import search_sql
from tasks_app.enums import LABEL_TASKS, RANK_TASKS, LabelKind, ReportState, TreeState
from tasks_app.labels import REPORT_SEVERITY

if TYPE_CHECKING:
    from oasst.accounts.models import User
    from tasks_app.models import (  # noqa: F401  named in the bases of the classes below
        GoldItem,
        Message,
        MessageTree,
        Offer,
        Question,
        Ranking,
        Reliability,
        Report,
        Task,
        TextLabels,
    )

_EARLY_STATES = (
    TreeState.INITIAL_PROMPT_REVIEW,
    TreeState.PROMPT_LOTTERY_WAITING,
    TreeState.GROWING,
)
_RANKING_STATES = (TreeState.RANKING, TreeState.BACKLOG_RANKING)


def _rows(model: str) -> models.QuerySet:
    """All rows of a model of this app, which imports this module."""
    return apps.get_model("tasks_app", model).objects.all()


class MessageTreeQuerySet(models.QuerySet["MessageTree"]):
    """Questions about trees."""

    def locked(self) -> Self:
        """Lock the rows until the transaction ends. Foreign keys to them stay insertable."""
        return self.select_for_update(of=("self",), no_key=True)

    def in_state(self, state: TreeState, lang: str | None = None) -> Self:
        """Trees in `state`, of one language if given."""
        trees = self.filter(state=state)
        return trees if lang is None else trees.filter(lang=lang)

    def ranked_blind(self) -> Self:
        """Copies in which replies of people and models wait to be told apart by their worth."""
        return self.filter(copy_of__isnull=False, state__in=_RANKING_STATES)

    def count_early_states(self, langs: Collection[str]) -> dict[tuple[str, str], int]:
        """How many trees of each language are in each state up to growing. One query.

        Trees whose prompt is held back do not count.
        """
        rows = self.filter(lang__in=langs, state__in=_EARLY_STATES).order_by()
        rows = rows.exclude(pk__in=_rows("Message").filter(held=True, parent=None).values("pk"))
        counted = rows.values_list("lang", "state").annotate(n=models.Count("pk"))
        return {(lang, state): count for lang, state, count in counted}

    def waiting_of_disabled_authors(self) -> Self:
        """Prompts in the lottery whose author was banned or is gone."""
        root = Q(messages__parent=None)
        gone = Q(messages__user__is_active=False) | Q(messages__user__deleted_at__isnull=False)
        return self.filter(root & gone, state=TreeState.PROMPT_LOTTERY_WAITING)


class MessageQuerySet(models.QuerySet["Message"]):
    """Questions about messages."""

    def visible(self) -> Self:
        """What people see in lists: neither deleted, held back nor rejected."""
        return self.filter(deleted=False, held=False).exclude(review_result=False)

    def there_for(self, reader: "User") -> Self:
        """Messages that exist for a reader: those held back do for their author and staff."""
        return self if reader.is_moderator else self.filter(Q(held=False) | Q(user=reader))

    def held(self) -> Self:
        """Messages that wait for a moderator before others see them."""
        return self.filter(held=True)

    def not_veiled(self) -> Self:
        """Without replies of trees of which a copy is ranked blind; see reading.veiled()."""
        copies = _rows("MessageTree").filter(
            copy_of=models.OuterRef("tree"), state__in=_RANKING_STATES
        )
        return self.exclude(models.Exists(copies), depth__gt=0)

    def not_under_review_by(self, reader: "User", now: datetime) -> Self:
        """Without trees of which the reader is reviewing a message."""
        reviews = TaskQuerySet(apps.get_model("tasks_app", "Task")).open_reviews_of(reader, now)
        return self.exclude(tree__in=reviews.order_by().values("message__tree"))

    def accepted(self) -> Self:
        """Accepted by review and not deleted."""
        return self.filter(deleted=False, review_result=True)

    def written_by(self, user: "User") -> Self:
        """Messages of one person."""
        return self.filter(user=user)

    def about(self, topic: str) -> Self:
        """Messages of trees with this topic."""
        told = _rows("TreeTopic").filter(tree=models.OuterRef("tree"), topic=topic)
        return self.filter(models.Exists(told))

    def newest_first(self) -> Self:
        """In an order that pages can be cut from."""
        return self.order_by("-created_at", "id")

    def same_text_since(self, user: "User", text: str, since: datetime) -> Self:
        """The user's own messages with exactly this text."""
        return self.filter(user=user, created_at__gte=since, text=text)

    def replies_of(self, user: "User", parent: "Message") -> Self:
        """What the user wrote below `parent`, unless it was deleted."""
        return self.filter(parent=parent, user=user, deleted=False)

    def matching(self, words: str) -> Self:
        """Full-text search in every language; quotes, `OR` and `-` work as people expect."""
        groups = syntax.parse(words, fields=()).groups
        return self.filter(search_sql.finds_in_any_language(groups)) if groups else self.none()

    def split(self) -> Self:
        """Those about which reviewers differ, and that wait for a moderator; the oldest first."""
        waiting = self.filter(split_at__isnull=False, review_result=None, deleted=False)
        return waiting.order_by("split_at", "id")

    def split_after(self, message: "Message") -> Self:
        """`split()` but for `message`, one of them: those after it, then those before it."""
        later = Q(split_at__gt=message.split_at) | Q(split_at=message.split_at, id__gt=message.pk)
        before = models.Case(models.When(later, then=0), default=1)
        return self.split().exclude(pk=message.pk).order_by(before, "split_at", "id")

    def rankable_below(self, parent_id: uuid.UUID) -> Self:
        """The replies to a message that a ranking puts in order."""
        return self.accepted().filter(parent=parent_id).order_by("created_at", "id")

    def thread(self, message: "Message") -> list["Message"]:
        """The messages from the root to `message`, which comes last. One query."""
        nodes = {
            node.pk: node
            for node in self.filter(tree=message.tree_id, depth__lte=message.depth).select_related(
                "user"
            )
        }
        path: list[Message] = []
        node: Message | None = nodes.get(message.pk)
        while node is not None:
            path.append(node)
            node = nodes.get(node.parent_id) if node.parent_id else None
        return path[::-1]

    def with_all_below(self, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Ids of the messages `ids` and of every message below them. One query."""
        trees = self.filter(pk__in=ids).values("tree")
        replies: dict[uuid.UUID | None, list[uuid.UUID]] = {}
        for pk, parent in self.filter(tree__in=trees).values_list("pk", "parent"):
            replies.setdefault(parent, []).append(pk)
        found: set[uuid.UUID] = set()
        waiting = list(ids)
        while waiting:
            pk = waiting.pop()
            if pk not in found:
                found.add(pk)
                waiting.extend(replies.get(pk, []))
        return found

    def waiting_prompts(self, langs: Collection[str]) -> Self:
        """Prompts the lottery may draw: by nobody who is banned or gone."""
        author = Q(user=None) | Q(user__is_active=True, user__deleted_at=None)
        waiting = Q(parent=None, tree__state=TreeState.PROMPT_LOTTERY_WAITING, tree__lang__in=langs)
        return self.accepted().filter(waiting & author)

    def first_places_since(self, users: Collection[uuid.UUID], since: datetime) -> dict:
        """How many messages of each user were ranked best in trees finished since then."""
        rows = self.filter(user__in=users, rank=0, deleted=False, tree__state_since__gte=since)
        return dict(rows.values_list("user").annotate(n=models.Count("pk")).order_by())


class OfferQuerySet(models.QuerySet["Offer"]):
    """Questions about what there is to do."""

    def free(self, langs: Iterable[str]) -> Self:
        """Offers that somebody could take."""
        return self.filter(lang__in=list(langs), slots__gt=0)


class TaskQuerySet(models.QuerySet["Task"]):
    """Questions about tasks."""

    def open_of(self, user: "User", now: datetime | Now) -> Self:
        """Tasks the user may still submit, newest first."""
        open_tasks = self.filter(user=user, done_at=None, skipped_at=None, expires_at__gt=now)
        return open_tasks.order_by("-created_at")

    def about_to_rank(self, user: "User") -> Self:
        """Rankings that somebody has taken and may still send."""
        return self.open_of(user, Now()).filter(kind__in=sorted(RANK_TASKS))

    def open_reviews_of(self, user: "User", now: datetime) -> Self:
        """Reviews the user may still submit. Any of them may be of a gold item, so until then the
        user is told nothing of the tree but what the task shows."""
        return self.open_of(user, now).filter(kind__in=sorted(LABEL_TASKS), message__isnull=False)

    def gold_in_hand(self, user: "User", now: datetime) -> Self:
        """Gold items the user is reviewing, for as long as a message in review would be held."""
        return self.open_of(user, now).filter(gold__isnull=False, reserved_until__gt=now)

    def with_overdue_reservation(self, now: datetime) -> Self:
        """Tasks that hold a slot longer than reserved."""
        return self.filter(holds_slot=True, reserved_until__lt=now).order_by("reserved_until")

    def expired(self, now: datetime) -> Self:
        """Tasks that nobody submitted in time."""
        return self.filter(done_at=None, skipped_at=None, expires_at__lte=now)


class TextLabelsQuerySet(models.QuerySet["TextLabels"]):
    """Questions about labels."""

    def counted(self) -> Self:
        """All but those of people who are held back."""
        return self.filter(held=False)

    def reviews_of(self, message: "Message") -> Self:
        """The label sets that count for acceptance, in the order given."""
        return self.filter(message=message, kind=LabelKind.TASK).order_by("id")


class RankingQuerySet(models.QuerySet["Ranking"]):
    """Questions about rankings."""

    def counted(self) -> Self:
        """All but those of people who are held back."""
        return self.filter(held=False)


class ReportQuerySet(models.QuerySet["Report"]):
    """Questions about reports."""

    def waiting(self) -> Self:
        """Reports nobody has decided on, oldest first."""
        return self.filter(state=ReportState.OPEN).order_by("created_at")

    def free_for(self, moderator: "User", lapsed: datetime) -> Self:
        """Open reports that no colleague of `moderator` has claimed since `lapsed`."""
        free = Q(claimed_by=None) | Q(claimed_by=moderator) | Q(claimed_at__lte=lapsed)
        return self.filter(free, state=ReportState.OPEN)

    def most_urgent(self, now: datetime, limit: int) -> Self:
        """The first `limit` open reports by urgency, however many wait: no more of each category
        than that, the oldest, are looked at, by the index over category and time.
        """
        oldest = [
            self.waiting().filter(category=name).order_by("created_at").values("pk")[:limit]
            for name in REPORT_SEVERITY
        ]
        candidates = oldest[0].union(*oldest[1:], all=True)
        return self.filter(pk__in=[row["pk"] for row in candidates]).by_urgency(now)[:limit]

    def by_urgency(self, now: datetime) -> Self:
        """Severity of the category times the hours since the report, the most urgent first."""
        weights = [models.When(category=name, then=n) for name, n in REPORT_SEVERITY.items()]
        severity = models.Case(*weights, default=1, output_field=models.FloatField())
        age = models.Value(now) - models.F("created_at")
        hours = Extract(
            models.ExpressionWrapper(age, output_field=models.DurationField()), "epoch"
        ) / models.Value(3600.0)
        urgency = severity * (hours + models.Value(1.0))
        return self.annotate(
            urgency=models.ExpressionWrapper(urgency, output_field=models.FloatField())
        ).order_by("-urgency", "created_at", "id")


class QuestionQuerySet(models.QuerySet["Question"]):
    """Questions about what moderators ask people."""

    def waiting(self) -> Self:
        """Those without an answer, and not taken back."""
        return self.filter(answered_at=None, withdrawn_at=None)


class GoldItemQuerySet(models.QuerySet["GoldItem"]):
    """Questions about gold items."""

    def usable(self) -> Self:
        """Those that may be shown: in use, of a message that is still there and decided."""
        return self.filter(active=True, message__deleted=False).exclude(message__review_result=None)

    def for_practice(self) -> Self:
        """Those that visitors see, whom nobody is therefore tested by."""
        shown = self.filter(for_practice=True, message__held=False)
        return shown.exclude(Q(message__parent__deleted=True) | Q(message__parent__held=True))


class ReliabilityQuerySet(models.QuerySet["Reliability"]):
    """Questions about how reliable people are."""

    def doubtful(self) -> Self:
        """Those a moderator should look at, the worst first."""
        return self.filter(doubtful=True).order_by("weight", "id")


def count_of(queryset: models.QuerySet, outer: str) -> Coalesce:
    """A correlated count of `queryset`, whose `outer` column equals the outer row's key."""
    counted = queryset.order_by().values(outer).annotate(n=models.Count("pk")).values("n")
    return Coalesce(models.Subquery(counted), 0)
