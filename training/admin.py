"""The desk's pages of training: runs, rounds, snapshots and models, to be read.

What changes them is on training's own pages, to which the desk leads; it offers the three acts that
cannot wait.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from oasst.lib.desk.actions import DeskAction, NothingToAsk
from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import NONE, Fact, link, row_link, when
from training import alarm_words, registry, runs
from training.enums import RunState
from training.forms import AS_ADAPTER, WHY_AS_ADAPTER
from training.models import Checkpoint, Round, Snapshot, TrainingRun

STATE_COLOURS = {"done": "success", "running": "info", "queued": "default",
                 "cancelled": "warning", "failed": "danger"}  # fmt: skip


class StateColumn:
    """The column of states that runs and rounds share."""

    @display(description=_l("state"), label=STATE_COLOURS)
    def state_column(self, row: Any) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_l("progress"))
    def progress_column(self, row: TrainingRun) -> str:
        return f"{row.step} / {row.max_steps}" if row.max_steps else NONE


# Runs


class Cancel(DeskAction):
    """Ends a run once it has saved."""

    name, title, icon, form_class = "cancel", _l("Save and cancel"), "stop_circle", NothingToAsk
    is_danger = True

    def fits(self, row: TrainingRun, *, actor: Any, now: datetime) -> bool:
        return not row.is_final

    def run(self, row: TrainingRun, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        runs.cancel(row.pk, now=now)
        return _("Cancelling was asked for. It saves what it has learned, then ends.")


class Resume(DeskAction):
    """Goes on with a run that ended early."""

    name, title, icon, form_class = "resume", _l("Go on"), "play_circle", NothingToAsk

    def fits(self, row: TrainingRun, *, actor: Any, now: datetime) -> bool:
        return row.state in (RunState.CANCELLED, RunState.FAILED)

    def run(self, row: TrainingRun, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        runs.resume(row.pk, now=now, by=actor)
        return _("The run waits for a worker and goes on from its last checkpoint.")


@admin.register(TrainingRun)
class TrainingRunAdmin(StateColumn, DeskAdmin):
    list_display = ("name", "stage", "state_column", "progress_column", "alarms_column",
                    "attempt", "queued_column")  # fmt: skip
    list_filter = (("state", ChoicesDropdownFilter), ("stage", ChoicesDropdownFilter))
    search_fields = ("name",)
    page_template = "admin/desk/page.html"
    desk_actions = (Cancel(), Resume())
    made_at = "training:new"

    def page(self, request: HttpRequest, obj: TrainingRun) -> dict[str, Any]:
        return {"title": str(obj), "facts": _run_facts(obj)}

    @display(description=_l("alarms"))
    def alarms_column(self, row: TrainingRun) -> str:
        return str(len(row.alarms) or NONE)

    @display(description=_l("queued"))
    def queued_column(self, row: TrainingRun) -> SafeString | str:
        return when(row.queued_at)


def _run_facts(run: TrainingRun) -> list[Fact]:
    warnings = [warning.title for warning in alarm_words.warnings_of(run)]
    return [
        (_("Live"), link(reverse("training:run", args=[run.pk]), _("Curves, samples, log"))),
        (_("State"), run.get_state_display()),
        (_("Why it ended"), run.message or NONE),
        (_("Step"), f"{run.step} / {run.max_steps}"),
        (_("Alarms"), "; ".join(warnings) or NONE),
        (_("Attempt"), run.attempt),
        (_("Machine"), run.host or NONE),
        (_("Folder"), run.folder.path),
        (_("Snapshot"), row_link(run.snapshot)),
        (_("Round"), row_link(run.round)),
        (_("Model"), row_link(getattr(run, "checkpoint", None))),
        (_("Started by"), row_link(run.queued_by)),
        (_("Queued"), when(run.queued_at)),
        (_("Started"), when(run.started_at)),
        (_("Ended"), when(run.ended_at)),
    ]


# Rounds


@admin.register(Round)
class RoundAdmin(StateColumn, DeskAdmin):
    list_display = ("name", "state_column", "step", "created_column")
    list_filter = (("state", ChoicesDropdownFilter),)
    page_template = "admin/desk/page.html"

    def page(self, request: HttpRequest, obj: Round) -> dict[str, Any]:
        steps = [
            (step.kind, f"{step.get_state_display()} {step.message}") for step in obj.steps.all()
        ]
        facts = [
            (_("Page"), link(reverse("training:round", args=[obj.name]), obj.name)),
            (_("State"), obj.get_state_display()),
            (_("Why it ended"), obj.message or NONE),
            (_("Begun"), when(obj.started_at)),
            (_("Ended"), when(obj.ended_at)),
        ]
        return {"title": str(obj), "facts": [*facts, *steps]}

    @display(description=_l("created"))
    def created_column(self, row: Round) -> SafeString | str:
        return when(row.created_at)


# Snapshots


@admin.register(Snapshot)
class SnapshotAdmin(DeskAdmin):
    list_display = ("name", "hash_column", "trees_column", "superseded_column", "created_column")
    search_fields = ("name", "sha256")
    page_template = "admin/desk/page.html"
    made_at = "training:snapshots"

    def page(self, request: HttpRequest, obj: Snapshot) -> dict[str, Any]:
        counts = [(name, value) for name, value in obj.counts.items() if isinstance(value, int)]
        facts = [
            (_("Page"), link(reverse("training:snapshot", args=[obj.name]), obj.name)),
            ("SHA-256", obj.sha256),
            (_("Superseded"), when(obj.superseded_at)),
            (_("Made"), when(obj.created_at)),
            (_("Folder"), obj.folder),
        ]
        return {"title": str(obj), "facts": [*facts, *counts]}

    @display(description="SHA-256")
    def hash_column(self, row: Snapshot) -> str:
        return row.sha256[:12]

    @display(description=_l("trees"))
    def trees_column(self, row: Snapshot) -> str:
        return number_format(row.counts.get("trees", 0), use_l10n=True, force_grouping=True)

    @display(description=_l("superseded"))
    def superseded_column(self, row: Snapshot) -> SafeString | str:
        return when(row.superseded_at)

    @display(description=_l("made"))
    def created_column(self, row: Snapshot) -> SafeString | str:
        return when(row.created_at)


# Models


class ServedNameForm(forms.Form):
    """Under which name and how a model goes live, and why if the gate objects."""

    name = forms.SlugField(
        label=_l("Name in the chat"), max_length=200, widget=UnfoldAdminTextInputWidget()
    )
    as_adapter = forms.BooleanField(
        label=AS_ADAPTER, help_text=WHY_AS_ADAPTER, required=False, widget=UnfoldBooleanWidget()
    )
    reason = forms.CharField(
        label=_l("Overrule the objections because"),
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget(),
    )


class Promote(DeskAction):
    """Puts a model live in the chat."""

    name, title, icon, form_class = (
        "promote",
        _l("Serve in the chat"),
        "rocket_launch",
        ServedNameForm,
    )

    def explain(self, rows: Any) -> str:
        objections = [sentence for row in rows for sentence in registry.objections(row)]
        if not objections:
            return _("The gate is open: its evaluation lets it go live.")
        return _("The gate objects: ") + " ".join(objections)

    def initial(self, row: Checkpoint) -> dict[str, Any]:
        return {"name": row.name[:60]}

    def run(self, row: Checkpoint, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        reason = data["reason"]
        served = registry.promote(
            row,
            name=data["name"],
            by=actor,
            now=now,
            force=bool(reason),
            reason=reason,
            as_adapter=data["as_adapter"],
        )
        return _("It is served as %s.") % served.name


class RollBack(DeskAction):
    """Brings back what was served before."""

    name, title, icon, form_class = "roll-back", _l("Roll back"), "undo", NothingToAsk
    is_danger = True

    def fits(self, row: Checkpoint, *, actor: Any, now: datetime) -> bool:
        return row.served is not None

    def run(self, row: Checkpoint, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        assert row.served is not None  # by `fits`
        served = registry.roll_back(row.served.name, now=now)
        return _("%s is again what it was before.") % served.name


@admin.register(Checkpoint)
class CheckpointAdmin(DeskAdmin):
    list_display = ("name", "stage", "served_column", "created_column")
    list_filter = (("stage", ChoicesDropdownFilter),)
    search_fields = ("name", "weights_sha256")
    page_template = "admin/desk/page.html"
    desk_actions = (Promote(), RollBack())

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("served", "run")

    def page(self, request: HttpRequest, obj: Checkpoint) -> dict[str, Any]:
        facts = [
            (_("Page"), link(reverse("training:checkpoint", args=[obj.name]), obj.name)),
            (_("Stage"), obj.get_stage_display()),
            (_("Served as"), row_link(obj.served)),
            (_("Run"), row_link(obj.run)),
            (_("SHA-256 of the weights"), obj.weights_sha256),
            (_("Objections of the gate"), " ".join(registry.objections(obj)) or NONE),
            (_("Folder"), obj.folder),
            (_("Made"), when(obj.created_at)),
        ]
        return {"title": str(obj), "facts": facts}

    @display(description=_l("served as"))
    def served_column(self, row: Checkpoint) -> SafeString | str:
        return row_link(row.served)

    @display(description=_l("made"))
    def created_column(self, row: Checkpoint) -> SafeString | str:
        return when(row.created_at)
