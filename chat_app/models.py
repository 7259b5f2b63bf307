"""Tables of the chat. Rules live in the domain modules, invariants here too."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from chat_app.enums import (
    FINAL_STATES,
    FinishReason,
    Hold,
    MessageState,
    Quantization,
    ReportKind,
    Role,
    VoteReason,
)
from chat_app.inference.sampling import DEFAULT_PRESET, PRESETS
from chat_app.querysets import ChatMessageQuerySet, ChatQuerySet, ServedModelQuerySet

TITLE_LENGTH = 100
MODEL_NAME_LENGTH = 200


class ServedModel(models.Model):
    """One model on offer. Workers of this name write its replies; only catalogue.py changes it."""

    name = models.SlugField(_("name"), max_length=MODEL_NAME_LENGTH, unique=True)
    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    # A hub id, a folder below MODELS_DIR, or the address of an OpenAI-compatible server.
    source = models.CharField(_("source"), max_length=1024)
    # Of an adapter that is served unmerged: the model it is put on, named as `source` is.
    base = models.CharField(_("base"), max_length=1024, blank=True)
    licence = models.CharField(_("licence"), max_length=100, blank=True)
    parameter_count = models.BigIntegerField(_("parameters"), null=True, blank=True)
    max_context = models.PositiveIntegerField(_("context, tokens"), default=2048)
    max_new_tokens = models.PositiveIntegerField(_("longest answer, tokens"), default=1024)
    system_prompt = models.TextField(_("system prompt"), blank=True)
    default_preset = models.CharField(
        _("preset of new chats"),
        max_length=60,
        choices=[(name, name) for name in PRESETS],
        default=DEFAULT_PRESET,
    )
    enabled = models.BooleanField(_("on offer"), default=True)
    is_default = models.BooleanField(_("default"), default=False)
    # Lineage of a promoted checkpoint: training.json and model card, as they were.
    lineage = models.JSONField(_("lineage"), default=dict, blank=True)
    promoted_at = models.DateTimeField(_("on offer since"), db_default=Now())

    objects = ServedModelQuerySet.as_manager()

    class Meta:
        verbose_name = _("served model")
        ordering = ["-is_default", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="servedmodel_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.name


class Worker(models.Model):
    """An inference worker as it last described itself; a row outlives its process for a day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(_("name"), max_length=200, help_text=_("host and process"))
    model = models.ForeignKey(ServedModel, models.CASCADE, related_name="workers")
    quantization = models.CharField(
        _("quantization"), max_length=8, choices=Quantization, default=Quantization.NONE
    )
    device = models.CharField(_("device"), max_length=100)
    dtype = models.CharField(_("data type"), max_length=20, blank=True)
    engine = models.CharField(_("engine"), max_length=40)
    max_batch = models.PositiveIntegerField(_("batch"))
    max_context = models.PositiveIntegerField(_("context, tokens"))
    running = models.PositiveIntegerField(_("running"), default=0)
    tokens_per_s = models.FloatField(_("tokens per second"), default=0)
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"))
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)

    class Meta:
        verbose_name = _("inference worker")
        indexes = [models.Index(fields=["model", "-heartbeat_at"], name="worker_model_heartbeat")]

    def __str__(self) -> str:
        return self.name


class QueueTurn(models.Model):
    """When a person's reply was last taken from the queue; its row is the lock of taking one."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+"
    )
    served_at = models.DateTimeField(_("last served"), null=True, blank=True)

    class Meta:
        verbose_name = _("turn in the queue")

    def __str__(self) -> str:
        return f"{self.user_id}"


class Preset(models.Model):
    """Sampling parameters that a person keeps under a name; built-in ones are in sampling.py."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="chat_presets", db_index=False
    )
    name = models.CharField(_("name"), max_length=60)
    parameters = models.JSONField(_("parameters"))
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("preset")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="preset_name_once")]

    def __str__(self) -> str:
        return self.name


class CustomInstructions(models.Model):
    """What a person wants every reply to know; written into the system part of the prompt."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="chat_instructions"
    )
    about_me = models.CharField(_("about you"), max_length=1000, blank=True)
    how_to_respond = models.CharField(_("how to respond"), max_length=1000, blank=True)
    enabled = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("custom instructions")
        verbose_name_plural = _("custom instructions")

    def __str__(self) -> str:
        return f"{self.user_id}"


class Chat(models.Model):
    """One conversation of one person. Its row is the lock of everything that changes its tree."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="chats", db_index=False
    )
    # A call of the OpenAI-compatible API: listed nowhere, never data, removed by cron in an hour.
    from_api = models.BooleanField(default=False, editable=False)
    title = models.CharField(_("title"), max_length=TITLE_LENGTH, blank=True)
    # A title that a person typed is never replaced by a generated one.
    title_is_own = models.BooleanField(_("title typed"), default=False)
    model = models.ForeignKey(ServedModel, models.PROTECT, null=True, blank=True)
    # Sampling parameters of the next reply, and the preset they came from ("" after a change).
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    preset = models.CharField(_("preset"), max_length=60, blank=True)
    # The leaf in view: a reload and a second device show the same branch.
    tail = models.ForeignKey(
        "ChatMessage", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    allow_data_use = models.BooleanField(_("may be used for training"), default=True)
    archived = models.BooleanField(_("archived"), default=False)
    # What it is searched by: a BCP 47 code, "und" as long as nothing said tells. Null where a
    # release before `lang` wrote the row, until `search_filling` has looked at it.
    lang = models.CharField(_("language"), max_length=16, null=True, editable=False)
    created_at = models.DateTimeField(_("created"))
    modified_at = models.DateTimeField(_("last changed"))

    objects = ChatQuerySet.as_manager()

    class Meta:
        verbose_name = _("chat")
        indexes = [
            models.Index(fields=["user", "archived", "-modified_at", "id"], name="chat_newest"),
            models.Index(fields=["modified_at"], condition=Q(from_api=True), name="chat_from_api"),
            models.Index(fields=["id"], condition=Q(lang=None), name="chat_without_lang"),
        ]
        constraints = [
            models.CheckConstraint(
                name="chat_api_is_no_data", condition=Q(from_api=False) | Q(allow_data_use=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id}"


class ChatMessageManager(models.Manager.from_queryset(ChatMessageQuerySet)):  # type: ignore[misc]
    """Leaves the search vector in the database: it is as long as the text and read by nobody."""

    def get_queryset(self) -> ChatMessageQuerySet:
        return super().get_queryset().defer("search_vector")


class ChatMessage(models.Model):
    """One node of a chat's tree: what the person wrote, or one reply (draft) of a model.

    For replies, only replies.py writes `state`, `attempt`, `lease_until`, `worker` and `text`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    chat = models.ForeignKey(Chat, models.CASCADE, related_name="messages")
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="children"
    )
    role = models.CharField(_("role"), max_length=16, choices=Role)
    text = models.TextField(_("text"), blank=True)
    # As written and by the rules of the chat's language: triggers fill it, see `search_sql`.
    search_vector = SearchVectorField(null=True, editable=False)
    depth = models.PositiveIntegerField(_("depth"))
    state = models.CharField(_("state"), max_length=12, choices=MessageState)
    hold = models.CharField(_("safety"), max_length=8, choices=Hold, blank=True)
    hold_reason = models.CharField(_("why"), max_length=200, blank=True)
    # Chosen by whoever sent the prompt: the same key twice is the same message.
    key = models.UUIDField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"))

    # Replies only.
    model = models.ForeignKey(
        ServedModel, models.SET_NULL, null=True, blank=True, related_name="replies"
    )
    model_name = models.CharField(_("model"), max_length=MODEL_NAME_LENGTH, blank=True)
    # Everything that decides the text, frozen at the request: parameters with seed, system prompt.
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    system_prompt = models.TextField(_("system prompt"), blank=True)
    # Carries on the interrupted or length-limited reply of which this text is the beginning.
    prefix = models.TextField(_("carried on from"), blank=True)
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    # How many workers died over it.
    losses = models.PositiveSmallIntegerField(_("workers lost"), default=0)
    worker = models.ForeignKey(
        Worker, models.SET_NULL, null=True, blank=True, related_name="replies"
    )
    lease_until = models.DateTimeField(_("lease"), null=True, blank=True)
    stop_requested = models.BooleanField(_("stop asked"), default=False)
    queued_at = models.DateTimeField(_("queued"), null=True, blank=True)
    started_at = models.DateTimeField(_("first claimed"), null=True, blank=True)
    first_token_at = models.DateTimeField(_("first token"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField(_("tokens read"), null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(_("tokens written"), null=True, blank=True)
    dropped_turns = models.PositiveIntegerField(_("turns that did not fit"), default=0)
    finish_reason = models.CharField(_("end"), max_length=8, choices=FinishReason, blank=True)
    error = models.CharField(_("error"), max_length=500, blank=True)

    objects = ChatMessageManager()

    class Meta:
        verbose_name = _("chat message")
        indexes = [
            models.Index(fields=["chat", "created_at"], name="chatmessage_chat"),
            models.Index(
                fields=["model", "queued_at"], condition=Q(state="queued"), name="chatmessage_queue"
            ),
            models.Index(
                fields=["lease_until"], condition=Q(state="running"), name="chatmessage_leases"
            ),
            GinIndex(fields=["search_vector"], name="chatmessage_search"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["chat", "key"], name="chatmessage_key_once"),
            models.CheckConstraint(
                name="chatmessage_prompts_are_done",
                condition=~Q(role=Role.PROMPTER) | Q(state=MessageState.DONE),
            ),
            models.CheckConstraint(
                name="chatmessage_lease_while_running",
                condition=Q(state=MessageState.RUNNING, lease_until__isnull=False)
                | (~Q(state=MessageState.RUNNING) & Q(lease_until=None)),
            ),
            models.CheckConstraint(
                name="chatmessage_finished_when_final",
                condition=Q(role=Role.PROMPTER)
                | Q(state__in=FINAL_STATES, finished_at__isnull=False)
                | (~Q(state__in=FINAL_STATES) & Q(finished_at=None)),
            ),
            models.CheckConstraint(
                name="chatmessage_roots_are_prompts",
                condition=Q(parent__isnull=False, depth__gt=0)
                | Q(parent=None, depth=0, role=Role.PROMPTER),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.role}, {self.state})"

    @property
    def is_final(self) -> bool:
        return MessageState(self.state).is_final

    @property
    def is_truncated(self) -> bool:
        """True for a reply that ended before its model had said all."""
        is_cut = self.state in (MessageState.STOPPED, MessageState.INTERRUPTED)
        return is_cut or self.finish_reason == FinishReason.LENGTH

    @property
    def duration_s(self) -> float | None:
        """Seconds from the first claim to the end."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class Vote(models.Model):
    """A person's thumb on a reply; taking it back deletes the row."""

    message = models.OneToOneField(ChatMessage, models.CASCADE, related_name="vote")
    value = models.SmallIntegerField(_("thumb"), choices=[(1, _("up")), (-1, _("down"))])
    reasons = ArrayField(
        models.CharField(max_length=32, choices=VoteReason), default=list, blank=True
    )
    text = models.TextField(_("in their own words"), blank=True)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("vote")
        constraints = [
            models.CheckConstraint(name="vote_up_or_down", condition=Q(value__in=[1, -1]))
        ]

    def __str__(self) -> str:
        return f"{self.message_id}: {self.value:+d}"


class DraftChoice(models.Model):
    """The draft that a person picked of those under one prompt; the newest choice counts."""

    parent = models.OneToOneField(ChatMessage, models.CASCADE, related_name="draft_choice")
    chosen = models.ForeignKey(ChatMessage, models.CASCADE, related_name="+")
    # The drafts it was compared with, as they were on the screen.
    rejected = models.ManyToManyField(ChatMessage, related_name="+")
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("picked draft")

    def __str__(self) -> str:
        return f"{self.parent_id}: {self.chosen_id}"


class ChatReport(models.Model):
    """Something wrong with a message, for moderators; they see this message and its prompt only."""

    message = models.ForeignKey(ChatMessage, models.CASCADE, related_name="reports")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="chat_reports")
    kind = models.CharField(_("kind"), max_length=16, choices=ReportKind)
    text = models.TextField(_("in their own words"), blank=True)
    created_at = models.DateTimeField(_("created"))
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    resolution = models.CharField(_("resolution"), max_length=500, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("chat report")
        constraints = [
            models.UniqueConstraint(fields=["message", "user"], name="chatreport_once_a_person")
        ]

    def __str__(self) -> str:
        return f"{self.message_id}: {self.kind}"


class Share(models.Model):
    """A read-only copy of one thread behind a link that cannot be guessed; may be revoked."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    token = models.CharField(max_length=43, unique=True)
    chat = models.ForeignKey(Chat, models.CASCADE, related_name="shares")
    title = models.CharField(_("title"), max_length=TITLE_LENGTH)
    # [{role, text, model, created_at}, …] from the root to the leaf that was in view.
    thread = models.JSONField(_("thread"))
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("shared chat")

    def __str__(self) -> str:
        return f"{self.id}"


class TaskConsent(models.Model):
    """A person's word that a thread may become a message tree, and under what licence.

    It outlives the chat: the tree stays too.
    """

    message = models.OneToOneField(
        ChatMessage, models.SET_NULL, null=True, related_name="task_consent"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    licence = models.CharField(_("licence"), max_length=40)
    tree_id = models.UUIDField(_("message tree"), unique=True)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("consent to a task")

    def __str__(self) -> str:
        return f"{self.user_id}: {self.tree_id}"
