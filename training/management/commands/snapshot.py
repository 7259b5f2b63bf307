"""`manage.py snapshot create|verify|diff|remove`: frozen copies of the data with a content hash."""

import argparse
import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_slug
from django.utils import timezone
from tqdm import tqdm

from oasst.lib.personal_data import SCRUB_HELP
from tasks_app import exporting
from tasks_app.enums import TreeState
from training import snapshots
from training.data_gate import GateRules
from training.errors import SnapshotBroken, SnapshotCurrent, SnapshotExists
from training.models import Snapshot

ALL_STATES = "all"


class Command(BaseCommand):
    help = "Freeze the data that training reads, prove that it is unchanged, compare two copies."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="action", required=True)
        create = kinds.add_parser("create", help="freeze what the filters find")
        create.add_argument("name", help="letters, digits, - and _")
        _add_filters(create)
        create.add_argument("--json", action="store_true", help="print one JSON object")
        verify = kinds.add_parser("verify", help="hash the files anew")
        verify.add_argument("names", nargs="*", metavar="NAME", help="default: all")
        verify.add_argument("--json", action="store_true")
        diff = kinds.add_parser("diff", help="say what changed from OLD to NEW")
        diff.add_argument("old")
        diff.add_argument("new")
        diff.add_argument("--json", action="store_true")
        remove = kinds.add_parser("remove", help="delete the texts of superseded snapshots")
        remove.add_argument("names", nargs="*", metavar="NAME", help="default: all superseded")

    def handle(self, *, action: str, **options: Any) -> None:
        actions = {
            "create": self._create,
            "verify": self._verify,
            "diff": self._diff,
            "remove": self._remove,
        }
        actions[action](options)

    def _create(self, options: dict[str, Any]) -> None:
        wanted = _filter(options)
        total = exporting.count_trees(wanted.trees)
        try:
            validate_slug(options["name"])
            snapshot = snapshots.create(
                options["name"],
                wanted,
                now=timezone.now(),
                watch=lambda trees: tqdm(trees, total=total, unit=" trees", disable=None),
            )
        except ValidationError:
            raise CommandError("NAME: expected letters, digits, - and _") from None
        except SnapshotExists as error:
            raise CommandError(error.message) from error
        told = _facts(snapshot)
        if options["json"]:
            self.stdout.write(json.dumps(told, ensure_ascii=False))
        else:
            self.stdout.write("{name}: {trees} trees, {messages} messages, {sha256}".format(**told))
            if gone := sum(told["removed"].values()):
                self.stdout.write(f"The data gate left out {gone} messages: removed.jsonl says why")
            self.stdout.write(f"In {told['path']}")

    def _verify(self, options: dict[str, Any]) -> None:
        chosen = [_named(name) for name in options["names"]] or list(Snapshot.objects.all())
        broken = {}
        for snapshot in chosen:
            if snapshots.is_removed(snapshot):
                continue
            try:
                snapshots.verify(snapshot)
            except SnapshotBroken as error:
                broken[snapshot.name] = error.message
        if options["json"]:
            rows = [_state(snapshot, broken.get(snapshot.name)) for snapshot in chosen]
            self.stdout.write(json.dumps(rows, ensure_ascii=False))
        else:
            for snapshot in chosen:
                self.stdout.write(broken.get(snapshot.name) or _said(snapshot))
        if broken:
            raise CommandError(f"{len(broken)} of {len(chosen)} snapshots are not what they were.")

    def _remove(self, options: dict[str, Any]) -> None:
        superseded = Snapshot.objects.filter(superseded_at__isnull=False)
        for snapshot in [_named(name) for name in options["names"]] or superseded:
            try:
                snapshots.remove_texts(snapshot)
            except SnapshotCurrent as error:
                raise CommandError(error.message) from error
            self.stdout.write(_said(snapshot))

    def _diff(self, options: dict[str, Any]) -> None:
        old, new = _named(options["old"]), _named(options["new"])
        try:
            trees, messages = snapshots.compare(old, new)
        except SnapshotBroken as error:
            raise CommandError(error.message) from error
        if options["json"]:
            told = {"trees": trees.to_dict(), "messages": messages.to_dict()}
            self.stdout.write(json.dumps(told))
            return
        for name, change in (("trees", trees), ("messages", messages)):
            self.stdout.write(
                f"{name}: {change.added} added, {change.removed} removed, {change.changed} changed"
            )
            for kind, ids in change.examples.items():
                self.stdout.write(f"  {kind}: {', '.join(ids)}")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        nargs="+",
        choices=[ALL_STATES, *TreeState.values],
        default=[TreeState.READY_FOR_EXPORT],
        help=f"states of trees, or {ALL_STATES}; default: {TreeState.READY_FOR_EXPORT}",
    )
    parser.add_argument("--lang", nargs="+", default=[], metavar="TAG", help="languages of prompts")
    for name, what in (
        ("synthetic", "messages written by models"),
        ("spam", "messages that reviewers rejected or have not decided on"),
        ("deleted", "deleted messages"),
    ):
        parser.add_argument(f"--include-{name}", action="store_true", help=f"also {what}")
    parser.add_argument(
        "--no-gate",
        action="store_true",
        help="also replies that look planted: phrases of few people, copies, one person's weight",
    )
    parser.add_argument("--scrub-pii", action="store_true", help=SCRUB_HELP)
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many trees")
    parser.add_argument(
        "--chats", action="store_true", help="also chats whose owners allow it, with their votes"
    )


def _filter(options: dict[str, Any]) -> snapshots.Filter:
    if options["limit"] is not None and options["limit"] < 0:
        raise CommandError(f"--limit {options['limit']}: expected 0 or more")
    states = options["state"]
    trees = exporting.Selection(
        states=() if ALL_STATES in states else tuple(TreeState(state) for state in states),
        langs=tuple(lang for entry in options["lang"] for lang in entry.split(",") if lang),
        deleted=None if options["include_deleted"] else False,
        accepted=None if options["include_spam"] else True,
        synthetic=None if options["include_synthetic"] else False,
        limit=options["limit"],
    )
    gate = None if options["no_gate"] else GateRules()
    return snapshots.Filter(
        trees, chats=options["chats"], gate=gate, scrub_pii=options["scrub_pii"]
    )


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "name": snapshot.name,
        "sha256": snapshot.sha256,
        "trees": snapshot.counts["trees"],
        "messages": snapshot.counts["messages"],
        "languages": snapshot.counts["languages"],
        "removed": snapshot.counts["removed"],
        "path": str(snapshot.folder),
    }


def _said(snapshot: Snapshot) -> str:
    """Of one whose files are in order."""
    if snapshots.is_removed(snapshot):
        return f"{snapshot.name}: its texts are removed, hash and counts are kept"
    old = ", but superseded: something in it was erased" if snapshot.superseded_at else ""
    return f"{snapshot.name}: unchanged{old}"


def _state(snapshot: Snapshot, broken: str | None) -> dict[str, Any]:
    return {
        "name": snapshot.name,
        "sha256": snapshot.sha256,
        "broken": broken,
        "superseded": snapshot.superseded_at is not None,
        "removed": snapshots.is_removed(snapshot),
    }


def _named(name: str) -> Snapshot:
    found = Snapshot.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(Snapshot.objects.values_list("name", flat=True)[:10]) or "none yet"
        raise CommandError(f"{name}: no such snapshot; there are: {known}")
    return found
