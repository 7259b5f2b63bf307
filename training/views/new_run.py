"""Starting a run: choose a config, edit it, look at its data, queue it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from training import config as configs
from training import execution, runs
from training.forms import RunForm, StartForm
from training.models import Checkpoint, Snapshot, TrainingRun
from training.views.edges import FORM_INVALID, admin

PREVIEW_TIMEOUT_S = 60
CHECKPOINTS_SHOWN = 20


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@admin
def new(request: HttpRequest) -> HttpResponse:
    """A config as text, to be edited and queued."""
    start = StartForm(request.GET)
    form = RunForm(request.POST or None, initial={"config_yaml": _first_text(request, start)})
    if request.method == "POST" and form.is_valid():
        config = form.cleaned_data["config"]
        run = runs.queue(
            config.stage,
            config,
            now=timezone.now(),
            by=request.user,
            config_yaml=form.cleaned_data["config_yaml"],
        )
        return redirect(reverse("training:run", args=[run.pk]))
    context = {
        "start": start,
        "form": form,
        "checkpoints": Checkpoint.objects.order_by("-created_at")[:CHECKPOINTS_SHOWN],
    }
    status = FORM_INVALID if form.errors else 200
    return render(request, "training/new.html", context, status=status)


@require_POST
@never_cache
@admin
def preview(request: HttpRequest) -> HttpResponse:
    """What the config would train on; nothing is queued."""
    form = RunForm(request.POST)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        context |= _look(form.cleaned_data["config_yaml"])
    template = "training/_preview.html" if request.htmx else "training/preview.html"
    return render(request, template, context)


def _first_text(request: HttpRequest, start: StartForm) -> str:
    """The text to begin with: of a run to be repeated, or of a config with its data filled in."""
    like = request.GET.get("like", "")
    if re.fullmatch(r"[0-9a-f-]{36}", like):
        run = TrainingRun.objects.filter(pk=like).first()
        if run is not None:
            return str(run.config_yaml)
    if not start.is_valid() or not start.cleaned_data["config"]:
        return ""
    text = (configs.CONFIGS / f"{start.cleaned_data['config']}.yaml").read_text(encoding="utf-8")
    snapshot: Snapshot | None = start.cleaned_data["snapshot"]
    return with_source(text, snapshot.folder) if snapshot else text


def with_source(text: str, folder: Path) -> str:
    """A config's text with `folder` as its data, instead of the sources it names."""
    lines = f"  sources:\n    - path: {folder}\n"
    without = re.sub(r"^  sources:.*\n(?:(?:   .*|)\n)*", "", text, flags=re.MULTILINE)
    placed, count = re.subn(r"^data:[ ]*\n", f"data:\n{lines}", without, flags=re.MULTILINE)
    return placed if count else f"{without.rstrip()}\ndata:\n{lines}"


def _look(config_yaml: str) -> dict[str, Any]:
    """`preview` or, if there is none, the `reason`."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "training.preview_json"],
            input=config_yaml,
            capture_output=True,
            text=True,
            cwd=settings.BASE_DIR,
            env=execution.environment(),
            timeout=PREVIEW_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"reason": _("Reading took more than %d seconds: look on the command line with"
                            " python -m training show.") % PREVIEW_TIMEOUT_S}  # fmt: skip
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {"reason": lines[-1] if lines else _("The program that reads the data ended.")}
    return {"preview": json.loads(done.stdout)}
