"""Tables of training: thin records of what lies in folders. Rules live in the domain modules."""

import uuid
from pathlib import Path

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from chat_app.models import ServedModel
from training.enums import (
    FINAL_RUN_STATES,
    CheckState,
    RequestState,
    RoundState,
    RunState,
    Stage,
    StepState,
    Superseded,
)
from training.querysets import CheckQuerySet, RunQuerySet, SnapshotQuerySet
from training.rundir import RunDir

PATH_LENGTH = 1024


def below_runs(folder: Path) -> str:
    """How the database calls a folder: below RUNS_DIR, so that this may be moved as a whole."""
    root, folder = Path(settings.RUNS_DIR).resolve(), folder.resolve()
    return str(folder.relative_to(root)) if folder.is_relative_to(root) else str(folder)


class Snapshot(models.Model):
    """The data as it was once: files that never change, named by what is in them."""

    name = models.SlugField(_("name"), max_length=100, unique=True)
    # Over the canonical lines of its trees: same data and same filter, same hash.
    sha256 = models.CharField("SHA-256", max_length=64)
    path = models.CharField(_("folder"), max_length=PATH_LENGTH, help_text=_("below RUNS_DIR"))
    filter = models.JSONField(_("filter"), default=dict)
    counts = models.JSONField(_("counts"), default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("created"), db_default=Now())
    # Whose messages and judgements are in it, to be found when they ask for erasure.
    people = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", blank=True)
    # Which chats are in it, to be found when their owners forbid or delete them.
    chats = ArrayField(models.UUIDField(), default=list, blank=True, editable=False)
    # Something that is in it was withdrawn since: nothing new may be trained on it.
    superseded_at = models.DateTimeField(_("superseded"), null=True, blank=True)
    # Empty for those superseded before this was kept.
    superseded_why = models.CharField(
        _("why superseded"), max_length=12, choices=Superseded, blank=True, db_default=""
    )

    objects = SnapshotQuerySet.as_manager()

    class Meta:
        verbose_name = _("snapshot")
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["sha256"], name="snapshot_sha256")]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return Path(settings.RUNS_DIR) / self.path


class SnapshotRequest(models.Model):
    """A snapshot that somebody asked for on a page, until it is there: then this is gone.
    Only snapshot_requests.py writes it."""

    name = models.SlugField(_("name"), max_length=100, unique=True)
    # What `snapshot_requests.Wish` says.
    wish = models.JSONField(_("what goes in"), default=dict)
    state = models.CharField(
        _("state"), max_length=12, choices=RequestState, default=RequestState.QUEUED
    )
    message = models.TextField(_("why it failed"), blank=True)
    trees = models.PositiveIntegerField(_("trees"), default=0)
    # Workers that took it since it was asked for.
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked"))

    class Meta:
        verbose_name = _("request for a snapshot")
        ordering = ["-asked_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        return self.state != RequestState.FAILED


class SnapshotCheck(models.Model):
    """A question about a snapshot, and the answer that a worker found: whether its files are what
    they were, or what changed since an older one. Only snapshot_checks.py writes it."""

    snapshot = models.ForeignKey(Snapshot, models.CASCADE, related_name="checks", db_index=False)
    # What it is compared with; nothing if it is only hashed anew.
    old = models.ForeignKey(Snapshot, models.CASCADE, null=True, blank=True, related_name="+")
    state = models.CharField(
        _("state"), max_length=12, choices=CheckState, default=CheckState.QUEUED
    )
    # How many trees of how many were read.
    step = models.PositiveIntegerField(_("trees read"), default=0)
    max_steps = models.PositiveIntegerField(_("trees"), default=0)
    answer = models.JSONField(_("answer"), default=dict, blank=True)
    message = models.TextField(_("why it ended"), blank=True)
    # Workers that took it since it was asked.
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    lease_until = models.DateTimeField(_("lease"), null=True, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = CheckQuerySet.as_manager()

    class Meta:
        verbose_name = _("check of a snapshot")
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["snapshot", "old"], name="snapshotcheck_question_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="snapshotcheck_lease_while_running",
                condition=Q(state=CheckState.RUNNING, lease_until__isnull=False)
                | (~Q(state=CheckState.RUNNING) & Q(lease_until=None)),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.snapshot_id}: {self.old_id or 'unchanged?'}"

    @property
    def is_open(self) -> bool:
        return self.state in (CheckState.QUEUED, CheckState.RUNNING)


class Round(models.Model):
    """Once through all steps, from a snapshot to fresh samples that wait to be ranked."""

    name = models.SlugField(_("name"), max_length=100, unique=True)
    config = models.JSONField(_("config"), default=dict)
    config_yaml = models.TextField(_("config as written"), blank=True)
    state = models.CharField(
        _("state"), max_length=12, choices=RoundState, default=RoundState.QUEUED
    )
    # The kind of the step that runs, or at which the round ended.
    step = models.CharField(_("step"), max_length=20, blank=True)
    message = models.TextField(_("why it ended"), blank=True)
    # How many processes died over it since it last came on or somebody asked for it.
    losses = models.PositiveSmallIntegerField(_("processes lost"), default=0)
    queued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("created"), db_default=Now())
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("round")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name


class TrainingRun(models.Model):
    """One run of one pipeline. Only runs.py writes `state`, `attempt` and `lease_until`.

    Everything but this row and its metrics lies in the run's folder.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(_("name"), max_length=100)
    stage = models.CharField(_("stage"), max_length=12, choices=Stage)
    state = models.CharField(_("state"), max_length=12, choices=RunState, default=RunState.QUEUED)
    config = models.JSONField(_("config"), default=dict)
    # As a person wrote it, with their comments.
    config_yaml = models.TextField(_("config as written"), blank=True)
    run_dir = models.CharField(_("folder"), max_length=PATH_LENGTH, help_text=_("below RUNS_DIR"))
    step = models.PositiveIntegerField(_("step"), default=0)
    max_steps = models.PositiveIntegerField(_("steps"), default=0)
    # The newest value of every metric, and what alarms.py says of all of them.
    metrics = models.JSONField(_("newest metrics"), default=dict, blank=True)
    alarms = models.JSONField(_("alarms"), default=list, blank=True)
    message = models.TextField(_("why it ended"), blank=True)

    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    # How many times a worker died over it since somebody last asked for it.
    losses = models.PositiveSmallIntegerField(_("workers lost"), default=0)
    lease_until = models.DateTimeField(_("lease"), null=True, blank=True)
    host = models.CharField(_("machine"), max_length=200, blank=True)
    pid = models.PositiveIntegerField(_("process"), null=True, blank=True)
    cancel_requested = models.BooleanField(_("cancelling asked"), default=False)

    queued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    snapshot = models.ForeignKey(
        Snapshot, models.SET_NULL, null=True, blank=True, related_name="runs"
    )
    round = models.ForeignKey(Round, models.SET_NULL, null=True, blank=True, related_name="runs")
    round_step = models.CharField(_("step of the round"), max_length=20, blank=True)

    queued_at = models.DateTimeField(_("queued"))
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("training run")
        ordering = ["-queued_at", "-pk"]
        indexes = [
            models.Index(fields=["-queued_at", "-id"], name="trainingrun_newest"),
            models.Index(
                fields=["queued_at"], condition=Q(state="queued"), name="trainingrun_queue"
            ),
            models.Index(
                fields=["lease_until"], condition=Q(state="running"), name="trainingrun_leases"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["run_dir"], name="trainingrun_folder_once"),
            models.CheckConstraint(
                name="trainingrun_lease_while_running",
                condition=Q(state=RunState.RUNNING, lease_until__isnull=False)
                | (~Q(state=RunState.RUNNING) & Q(lease_until=None)),
            ),
            models.CheckConstraint(
                name="trainingrun_ended_when_final",
                condition=Q(state__in=FINAL_RUN_STATES, ended_at__isnull=False)
                | (~Q(state__in=FINAL_RUN_STATES) & Q(ended_at=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.stage})"

    @property
    def folder(self) -> RunDir:
        return RunDir(Path(settings.RUNS_DIR) / self.run_dir)

    @property
    def is_final(self) -> bool:
        return RunState(self.state).is_final

    @property
    def reward(self) -> float | None:
        """The newest mean score of the answers, where there is one."""
        found: float | None = self.metrics.get("objective/scores", self.metrics.get("reward"))
        return found


class Metric(models.Model):
    """What a run logged at one step; a copy of a line of its metrics.jsonl."""

    run = models.ForeignKey(
        TrainingRun, models.CASCADE, related_name="logged_metrics", db_index=False
    )
    step = models.PositiveIntegerField(_("step"))
    phase = models.CharField(_("phase"), max_length=12)
    values = models.JSONField(_("values"))

    class Meta:
        verbose_name = _("metric")
        constraints = [
            models.UniqueConstraint(fields=["run", "step", "phase"], name="metric_step_once")
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.phase} {self.step}"


class Checkpoint(models.Model):
    """A trained model in the registry, with all that it came from; written by registry.py."""

    name = models.SlugField(_("name"), max_length=120, unique=True)
    stage = models.CharField(_("stage"), max_length=12, choices=Stage)
    run = models.OneToOneField(
        TrainingRun, models.SET_NULL, null=True, blank=True, related_name="checkpoint"
    )
    path = models.CharField(_("folder"), max_length=PATH_LENGTH, help_text=_("below RUNS_DIR"))
    # Not unique: the same config, data and seed give the same weights again.
    weights_sha256 = models.CharField(_("SHA-256 of the weights"), max_length=64, db_index=True)
    size_bytes = models.BigIntegerField(_("size, bytes"), default=0)
    # training.json as it was written, and its evaluation.
    lineage = models.JSONField(_("lineage"), default=dict)
    evaluation = models.JSONField(_("evaluation"), null=True, blank=True)
    parents = models.ManyToManyField("self", symmetrical=False, related_name="children", blank=True)
    snapshots = models.ManyToManyField(Snapshot, related_name="checkpoints", blank=True)
    # Where the chat offers it now.
    served = models.ForeignKey(
        ServedModel, models.SET_NULL, null=True, blank=True, related_name="checkpoints"
    )
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("checkpoint")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return Path(settings.RUNS_DIR) / self.path


class Promotion(models.Model):
    """One change of what the chat serves under a name, and what stood there before."""

    served_name = models.SlugField(_("name in the chat"), max_length=200)
    checkpoint = models.ForeignKey(Checkpoint, models.CASCADE, related_name="promotions")
    # The fields of the served model before; empty if the name was new.
    before = models.JSONField(_("before"), default=dict, blank=True)
    replaced = models.ForeignKey(
        Checkpoint, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # What the gate said, and why it was overruled ("" if it was not).
    objections = models.JSONField(_("objections"), default=list, blank=True)
    force_reason = models.CharField(_("overruled because"), max_length=500, blank=True)
    promoted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    promoted_at = models.DateTimeField(_("promoted"))
    rolled_back_at = models.DateTimeField(_("rolled back"), null=True, blank=True)

    class Meta:
        verbose_name = _("promotion")
        ordering = ["-promoted_at", "-pk"]
        indexes = [models.Index(fields=["served_name", "-promoted_at"], name="promotion_newest")]

    def __str__(self) -> str:
        return f"{self.served_name}: {self.checkpoint_id}"


class RoundStep(models.Model):
    """One step of a round and its record; steps run in the order of `position`."""

    round = models.ForeignKey(Round, models.CASCADE, related_name="steps", db_index=False)
    kind = models.CharField(_("kind"), max_length=20)
    position = models.PositiveSmallIntegerField(_("place"))
    state = models.CharField(
        _("state"), max_length=12, choices=StepState, default=StepState.WAITING
    )
    run = models.ForeignKey(
        TrainingRun, models.SET_NULL, null=True, blank=True, related_name="steps"
    )
    record = models.JSONField(_("record"), default=dict, blank=True)
    message = models.TextField(_("why it ended"), blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("step of a round")
        ordering = ["round", "position"]
        constraints = [
            models.UniqueConstraint(fields=["round", "kind"], name="roundstep_kind_once"),
            models.UniqueConstraint(fields=["round", "position"], name="roundstep_place_once"),
        ]

    def __str__(self) -> str:
        return f"{self.round_id}: {self.kind}"
