"""Snapshots: the list, a new one, what is in one, whether it is unchanged, what changed since."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as toasts
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from oasst.lib import downloads
from training import (
    data_gate,
    registry,
    snapshot_checks,
    snapshot_files,
    snapshot_requests,
    snapshots,
)
from training.errors import SnapshotExists, SnapshotSuperseded
from training.forms import DiffForm, SnapshotForm
from training.models import Snapshot, SnapshotRequest
from training.views.edges import FORM_INVALID, admin, staff

FILES = (
    snapshot_files.TREES, snapshot_files.TABLE, snapshot_files.REMOVED, snapshot_files.FACTS,
    snapshot_files.CARD,
)  # fmt: skip
WHY = {
    data_gate.PHRASE: _l("A phrase that few people use decides which reply wins"),
    data_gate.COPY: _l("Nearly the same text answers other prompts"),
    data_gate.AUTHOR: _l("Much else of its author was left out"),
    data_gate.INFLUENCE: _l("Its author took part in deciding too much"),
    data_gate.BELOW: _l("It answers a message that was left out"),
}
AGREEMENT = {
    "alpha_spam": _l("Spam, Krippendorff's α"),
    "alpha_quality": _l("Quality, Krippendorff's α"),
    "alpha_helpfulness": _l("Helpfulness, Krippendorff's α"),
    "tau_rankings": _l("Rankings, Kendall's τ"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@staff
def snapshot_list(request: HttpRequest) -> HttpResponse:
    """All snapshots, those being made, and the form for a new one. To scripts, what changes."""
    if request.htmx and request.method != "POST":
        return render(request, "training/_snapshots.html", _all())
    form = SnapshotForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _request(request, form)
    return _list(request, form)


def _list(request: HttpRequest, form: SnapshotForm) -> HttpResponse:
    status = FORM_INVALID if form.errors else 200
    return render(request, "training/snapshots.html", {"form": form, **_all()}, status=status)


def _all() -> dict[str, Any]:
    requests = list(SnapshotRequest.objects.all())
    return {
        "snapshots": Snapshot.objects.annotate(models=Count("checkpoints")),
        "requests": [(each, snapshot_requests.trees_read(each)) for each in requests],
        "is_made": any(each.is_open for each in requests),
    }


@admin
def _request(request: HttpRequest, form: SnapshotForm) -> HttpResponse:
    name = form.cleaned_data["name"]
    try:
        snapshot_requests.ask(name, form.wish(), now=timezone.now(), by=request.user)
    except SnapshotExists as error:
        form.add_error("name", error.message)
        return _list(request, form)
    toasts.success(request, _("A worker makes the snapshot. It comes to this page."))
    return redirect(reverse("training:snapshots"))


@require_POST
@admin
def try_again(request: HttpRequest, name: str) -> HttpResponse:
    """Ask once more for a snapshot that could not be made."""
    found = SnapshotRequest.objects.filter(name=name).first()
    if found is not None and not found.is_open:
        wish = snapshot_requests.Wish(**found.wish)
        snapshot_requests.ask(name, wish, now=timezone.now(), by=request.user)
    return redirect(reverse("training:snapshots"))


@require_POST
@admin
def withdraw(request: HttpRequest, name: str) -> HttpResponse:
    """Forget a snapshot that could not be made."""
    snapshot_requests.withdraw(name)
    return redirect(reverse("training:snapshots"))


@require_safe
@never_cache
@staff
def snapshot(request: HttpRequest, name: str) -> HttpResponse:
    """What is in one, and what was asked about it. To scripts, what changes."""
    found = get_object_or_404(Snapshot, name=name)
    if request.htmx:
        context = {"snapshot": found, **_checks(found)}
        return render(request, "training/_snapshot_checks.html", context)
    return _page(request, found, DiffForm(of=found))


def _page(request: HttpRequest, found: Snapshot, form: DiffForm) -> HttpResponse:
    facts = snapshots.facts(found)
    judged = facts.get("agreement", {})
    context = {
        "snapshot": found,
        "facts": facts,
        "agreement": [(AGREEMENT.get(name, name), row) for name, row in judged.items()],
        "models": registry.trained_on([found]),
        "runs": found.runs.order_by("-queued_at")[:20],
        "form": form,
        **_checks(found),
        "is_removed": snapshots.is_removed(found),
        "left_out": _left_out(found),
        "files": [file for file in _offered(found) if (found.folder / file).is_file()],
    }
    status = FORM_INVALID if form.errors else 200
    return render(request, "training/snapshot.html", context, status=status)


def _checks(found: Snapshot) -> dict[str, Any]:
    checks = snapshot_checks.newest(found)
    return {"checks": checks, "is_read": any(check.is_open for check in checks)}


def _left_out(snapshot: Snapshot) -> list[tuple[str, int]] | None:
    """Why the gate left out how many messages; None where there was no gate."""
    counts = snapshot.counts.get("removed")
    if not counts:
        return None
    return [(str(why), counts[reason]) for reason, why in WHY.items() if counts[reason]]


@require_POST
@staff
def verify(request: HttpRequest, name: str) -> HttpResponse:
    """Have a worker hash the files anew."""
    return _ask(request, get_object_or_404(Snapshot, name=name))


@require_POST
@staff
def changes(request: HttpRequest, name: str) -> HttpResponse:
    """Have a worker say what changed since an older one."""
    found = get_object_or_404(Snapshot, name=name)
    form = DiffForm(request.POST, of=found)
    if not form.is_valid():
        return _page(request, found, form)
    return _ask(request, found, form.cleaned_data["old"])


def _ask(request: HttpRequest, found: Snapshot, old: Snapshot | None = None) -> HttpResponse:
    snapshot_checks.ask(found, old=old, now=timezone.now(), by=request.user)
    toasts.success(request, _("A worker reads the files. The answer comes to this page."))
    return redirect(reverse("training:snapshot", args=[found.name]))


@require_safe
@admin
def download(request: HttpRequest, name: str, file: str) -> HttpResponseBase:
    """One of its files, or the part asked for; no texts once something in them was erased."""
    found = get_object_or_404(Snapshot, name=name)
    path = found.folder / file
    if file not in FILES or not path.is_file():
        raise Http404
    if file not in _offered(found):
        raise SnapshotSuperseded(
            _("Something in the snapshot %s was erased since: its texts are given to nobody.")
            % name
        )
    return downloads.send(request, path, name=f"{name}-{file}")


def _offered(snapshot: Snapshot) -> list[str]:
    is_closed = snapshot.superseded_at is not None
    return [file for file in FILES if not (is_closed and file in snapshot_files.TEXTS)]
