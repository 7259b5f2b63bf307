"""Tables of the data collection. Rules live in the domain modules, invariants here too."""

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Mod
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from tasks_app import (
    agreement_tables,
    first_steps_records,
    follow_records,
    merge_records,
    notice_records,
    similar_records,
    spam_records,
    topic_records,
    usage_records,
)
from tasks_app.config import ConfigChange
from tasks_app.crowd_records import (
    CrowdMean,
    GoldAnswer,
    GoldItem,
    RankingConsensus,
    Recount,
    Reliability,
)
from tasks_app.desk_records import BulkAction, BulkStep, Question, Report
from tasks_app.enums import FormMode, LabelKind, Role, TaskType, TreeState
from tasks_app.querysets import (
    MessageQuerySet,
    MessageTreeQuerySet,
    OfferQuerySet,
    RankingQuerySet,
    TaskQuerySet,
    TextLabelsQuerySet,
)
from tasks_app.records import (
    LANG_LENGTH,
    Contribution,
    ImportedLabelAggregate,
    MessageRevision,
    ModerationAction,
    Reaction,
    TreeTransition,
)
from tasks_app.writing_records import Draft, WritingTrace

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "BulkAction",
    "BulkStep",
    "ConfigChange",
    "Contribution",
    "CrowdMean",
    "Draft",
    "GoldAnswer",
    "GoldItem",
    "ImportedLabelAggregate",
    "Message",
    "MessageRevision",
    "MessageTree",
    "ModerationAction",
    "Offer",
    "Question",
    "Ranking",
    "RankingConsensus",
    "Reaction",
    "Recount",
    "Reliability",
    "Report",
    "Task",
    "TextLabels",
    "TreeTransition",
    "WritingTrace",
    "agreement_tables",
    "first_steps_records",
    "follow_records",
    "merge_records",
    "notice_records",
    "similar_records",
    "spam_records",
    "topic_records",
    "usage_records",
]


class MessageTree(models.Model):
    """One conversation tree. Its row is the lock of everything that changes the tree."""

    id = models.UUIDField(primary_key=True, help_text=_("The same as the root message's id."))
    lang = models.CharField(_("language"), max_length=LANG_LENGTH)
    state = models.CharField(_("state"), max_length=32, choices=TreeState)
    active = models.BooleanField(_("active"), default=True)
    # Limits are frozen when the tree starts, so a change of configuration spares running trees.
    goal_tree_size = models.PositiveIntegerField(_("goal size"))
    max_depth = models.PositiveIntegerField(_("maximum depth"))
    max_children_count = models.PositiveIntegerField(_("replies per message"))
    num_prompter_replies = models.PositiveIntegerField(_("prompter replies"), default=1)
    # Places left for new replies, reservations taken off. Kept by trees.advance() and hand-out.
    open_places = models.IntegerField(_("open places"), default=0)
    origin = models.CharField(_("origin"), max_length=1024, blank=True)
    # Where its prompt and its people's replies were taken from; see reading.veiled().
    copy_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="copies"
    )
    won_prompt_lottery_at = models.DateTimeField(_("drawn in the lottery"), null=True, blank=True)
    state_since = models.DateTimeField(_("in this state since"))
    created_at = models.DateTimeField(_("created"))

    objects = MessageTreeQuerySet.as_manager()

    class Meta:
        verbose_name = _("message tree")
        indexes = [
            models.Index(fields=["lang", "state"], name="messagetree_lang_state"),
            models.Index(fields=["-created_at", "id"], name="messagetree_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                name="messagetree_active_iff_not_terminal",
                condition=Q(
                    active=True, state__in=sorted(s for s in TreeState if not s.is_terminal)
                )
                | Q(active=False, state__in=sorted(s for s in TreeState if s.is_terminal)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"


class MessageManager(models.Manager.from_queryset(MessageQuerySet)):  # type: ignore[misc]
    """Leaves the search vector in the database: it is as long as the text and read by nobody."""

    def get_queryset(self) -> MessageQuerySet:
        return super().get_queryset().defer("search_vector")


class Message(models.Model):
    """One node of a tree: an initial prompt or a reply."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    tree = models.ForeignKey(MessageTree, models.CASCADE, related_name="messages")
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="children"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="messages",
        db_index=False,  # the indexes below begin with it
    )
    imported_author = models.CharField(_("author in the imported file"), max_length=200, blank=True)
    role = models.CharField(_("role"), max_length=16, choices=Role)
    text = models.TextField(_("text"))
    lang = models.CharField(_("language"), max_length=LANG_LENGTH)
    detected_lang = models.CharField(_("detected language"), max_length=LANG_LENGTH, blank=True)
    depth = models.PositiveSmallIntegerField(_("depth"))
    # Replies that take a place: not deleted, accepted or still in review.
    children_count = models.PositiveIntegerField(_("replies"), default=0)
    deleted = models.BooleanField(_("deleted"), default=False)
    held = models.BooleanField(
        _("held"),
        default=False,
        db_default=False,
        help_text=_("Only its author and staff see it until a moderator lets it out."),
    )
    findings = models.JSONField(_("findings"), null=True, blank=True)  # by `screening`
    review_count = models.PositiveIntegerField(_("reviews"), default=0)
    review_result = models.BooleanField(
        _("review result"), null=True, blank=True, help_text=_("Empty: undecided.")
    )
    # With adaptive overlap: how many reviews it should have, as the last one showed.
    reviews_wanted = models.PositiveSmallIntegerField(_("reviews wanted"), null=True, blank=True)
    # Reviewers differ since then; a moderator decides, or has decided.
    split_at = models.DateTimeField(_("reviewers differ since"), null=True, blank=True)
    ranking_count = models.PositiveIntegerField(_("rankings"), default=0)
    rank = models.PositiveIntegerField(
        _("rank"), null=True, blank=True, help_text=_("0 is best among the siblings.")
    )
    synthetic = models.BooleanField(_("synthetic"), default=False)
    model_name = models.CharField(_("model"), max_length=1024, blank=True)
    edited = models.BooleanField(_("edited"), default=False)
    provenance = models.CharField(_("where the text is from"), max_length=500, blank=True)
    # Counters per emoji code, skip marks included.
    emojis = models.JSONField(_("reactions"), default=dict, blank=True)
    detoxify = models.JSONField(_("toxicity scores"), null=True, blank=True)
    # By the rules of its language: triggers fill it, see `search_sql`.
    search_vector = SearchVectorField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"))

    objects = MessageManager()

    class Meta:
        verbose_name = _("message")
        indexes = [
            models.Index(fields=["user", "-created_at"], name="message_user_newest"),
            # What somebody wrote, and to what they replied, without a look at the texts.
            models.Index(
                fields=["user", "parent"],
                include=["id"],
                condition=Q(deleted=False),
                name="message_user_parent",
            ),
            models.Index(fields=["lang", "-created_at", "id"], name="message_lang_newest"),
            models.Index(fields=["-created_at", "id"], name="message_newest"),
            models.Index(
                fields=["-created_at", "id"],
                condition=Q(deleted=True),
                name="message_deleted_newest",
            ),
            models.Index(
                fields=["split_at", "id"],
                condition=Q(split_at__isnull=False, review_result=None, deleted=False),
                name="message_split_queue",
            ),
            models.Index(
                fields=["-created_at", "id"],
                condition=Q(held=True),
                name="message_held_newest",
            ),
            GinIndex(fields=["search_vector"], name="message_search"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tree"], condition=Q(parent=None), name="message_one_root_per_tree"
            ),
            models.CheckConstraint(
                name="message_root_is_first",
                condition=Q(parent=None, depth=0, role=Role.PROMPTER, id=F("tree_id"))
                | Q(parent__isnull=False, depth__gt=0),
            ),
            models.CheckConstraint(
                name="message_held_is_undecided",
                condition=Q(held=False)
                | Q(review_result=None, review_count=0, rank=None, children_count=0, deleted=False),
            ),
            models.CheckConstraint(
                name="message_role_alternates_by_depth",
                condition=Q(Exact(Mod("depth", 2), 0), role=Role.PROMPTER)
                | Q(Exact(Mod("depth", 2), 1), role=Role.ASSISTANT),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.id}"

    @property
    def is_root(self) -> bool:
        """True for an initial prompt."""
        return self.parent_id is None

    @property
    def is_accepted(self) -> bool:
        """True if reviews accepted it and nobody deleted it."""
        return self.review_result is True and not self.deleted


class Offer(models.Model):
    """The one kind of work a message invites now, and how many places are free for it.

    Derived: `trees.advance()` writes it from the plan of `offers.plan()`; handing out a task takes
    a slot. A message with nothing to do has no row, so this table stays small however many
    messages there are, and choosing a task does not slow down as the data grows.
    """

    message = models.OneToOneField(Message, models.CASCADE, primary_key=True, related_name="offer")
    tree = models.ForeignKey(MessageTree, models.CASCADE, related_name="offers")
    kind = models.CharField(_("kind"), max_length=32, choices=TaskType)
    lang = models.CharField(_("language"), max_length=LANG_LENGTH)
    slots = models.IntegerField(_("free slots"))
    lonely = models.BooleanField(_("lonely"), default=False)
    # A random number, so that `ORDER BY shuffle` on the index draws at random.
    shuffle = models.FloatField()
    since = models.DateTimeField(_("since"))

    objects = OfferQuerySet.as_manager()

    class Meta:
        verbose_name = _("offer")
        indexes = [
            models.Index(
                fields=["kind", "lang", "shuffle"],
                condition=Q(slots__gt=0),
                name="offer_draw",
            ),
        ]
        constraints = [
            models.CheckConstraint(name="offer_slots_not_negative", condition=Q(slots__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.message_id}: {self.slots}"


class Task(models.Model):
    """A piece of work handed to one person."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField(_("kind"), max_length=32, choices=TaskType)
    lang = models.CharField(_("language"), max_length=LANG_LENGTH)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tasks")
    tree = models.ForeignKey(
        MessageTree, models.CASCADE, null=True, blank=True, related_name="tasks"
    )
    # The message to reply to, to review, or whose replies are ranked.
    message = models.ForeignKey(
        Message, models.CASCADE, null=True, blank=True, related_name="tasks"
    )
    form_mode = models.CharField(_("form"), max_length=8, choices=FormMode, default=FormMode.FULL)
    # The gold item that is shown as a review, if it is one. The page must not tell.
    gold = models.ForeignKey(
        "GoldItem", models.CASCADE, null=True, blank=True, related_name="tasks", db_index=False
    )
    # Ranking: ids of the replies in the order shown.
    shown_ids = models.JSONField(_("replies shown"), default=list, blank=True)
    # True while the task takes a slot of its message's offer.
    holds_slot = models.BooleanField(_("holds a slot"), default=True)
    reserved_until = models.DateTimeField(_("reserved until"))
    expires_at = models.DateTimeField(_("expires"))
    created_at = models.DateTimeField(_("handed out"))
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    skipped_at = models.DateTimeField(_("skipped"), null=True, blank=True)
    skip_reason = models.CharField(_("reason for skipping"), max_length=512, blank=True)
    # What was submitted, in canonical form, so that the same submit twice gives the same answer.
    submission = models.JSONField(_("submission"), null=True, blank=True)
    # A moderator took the review or ranking that it led to out of the data.
    purged = models.BooleanField(_("purged"), default=False, db_default=False)
    result = models.ForeignKey(
        Message, models.SET_NULL, null=True, blank=True, related_name="written_for"
    )

    objects = TaskQuerySet.as_manager()

    class Meta:
        verbose_name = _("task")
        indexes = [
            models.Index(fields=["-created_at", "id"], name="task_newest"),
            models.Index(
                fields=["tree"], condition=Q(holds_slot=True), name="task_reservations_of_tree"
            ),
            models.Index(
                fields=["message"], condition=Q(holds_slot=True), name="task_reservations_of_msg"
            ),
            models.Index(
                fields=["reserved_until"], condition=Q(holds_slot=True), name="task_to_release"
            ),
            models.Index(
                fields=["user", "-created_at"],
                condition=Q(done_at=None, skipped_at=None),
                name="task_open_of_user",
            ),
            models.Index(
                fields=["user"],
                condition=Q(kind=TaskType.RANK_INITIAL_PROMPTS),
                name="task_prompt_rankings_of_user",
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(done_at=None, skipped_at=None),
                name="task_to_expire",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="task_ended_holds_no_slot",
                condition=Q(holds_slot=False) | Q(done_at=None, skipped_at=None),
            ),
            models.CheckConstraint(
                name="task_done_or_skipped", condition=Q(done_at=None) | Q(skipped_at=None)
            ),
            models.UniqueConstraint(
                fields=["user", "message"],
                condition=Q(done_at=None, skipped_at=None, holds_slot=True),
                name="task_one_reservation_per_user_and_message",
            ),
            models.UniqueConstraint(
                fields=["user", "gold"],
                condition=Q(gold__isnull=False),
                name="task_one_gold_per_user_and_message",
            ),
            models.CheckConstraint(
                name="task_gold_is_of_no_tree",
                condition=Q(gold=None) | Q(tree=None, holds_slot=False, message=F("gold")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def type(self) -> TaskType:
        """The kind as enum."""
        return TaskType(self.kind)

    @property
    def is_open(self) -> bool:
        """True while it is neither done nor skipped."""
        return self.done_at is None and self.skipped_at is None

    def is_expired(self, now: "datetime") -> bool:
        """True once it can no longer be submitted."""
        return self.is_open and now >= self.expires_at


class TextLabels(models.Model):
    """The labels one person gave one message. A label that was not answered is absent."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="label_sets")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="label_sets", db_index=False
    )
    kind = models.CharField(_("kind"), max_length=8, choices=LabelKind)
    task = models.OneToOneField(
        Task, models.SET_NULL, null=True, blank=True, related_name="label_set"
    )
    values = models.JSONField(_("values"), help_text=_("Label name to a number from 0 to 1."))
    # A review by somebody who is held back: it decides nothing.
    held = models.BooleanField(_("held"), default=False)
    created_at = models.DateTimeField(_("when"))

    objects = TextLabelsQuerySet.as_manager()

    class Meta:
        verbose_name = _("label set")
        indexes = [
            models.Index(fields=["user", "kind", "message"], name="textlabels_user_message"),
            models.Index(fields=["created_at"], name="textlabels_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["message", "user", "kind"], name="textlabels_once_per_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} labels on {self.message_id}"


class Ranking(models.Model):
    """One person's order of the replies to `parent`: groups of ties, best first.

    Without a parent it is an order of initial prompts.
    """

    parent = models.ForeignKey(
        Message, models.CASCADE, null=True, blank=True, related_name="rankings"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="rankings")
    task = models.OneToOneField(
        Task, models.SET_NULL, null=True, blank=True, related_name="ranking"
    )
    groups = models.JSONField(_("order"), help_text=_("List of lists of message ids, best first."))
    not_rankable = models.BooleanField(_("cannot be ranked"), default=False)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    # What it counts, fixed when it was first counted; empty: 1. Later changes of reliability
    # do not rewrite ranks.
    weight = models.FloatField(_("weight"), null=True, blank=True)
    # By somebody who is held back: it counts nothing.
    held = models.BooleanField(_("held"), default=False)
    created_at = models.DateTimeField(_("when"))

    objects = RankingQuerySet.as_manager()

    class Meta:
        verbose_name = _("ranking")
        constraints = [
            models.CheckConstraint(
                name="ranking_weight_not_negative", condition=Q(weight=None) | Q(weight__gte=0)
            ),
            models.UniqueConstraint(fields=["parent", "user"], name="ranking_once_per_person"),
        ]

    def __str__(self) -> str:
        return f"ranking below {self.parent_id}"
