"""What moderators, and the automatic rules, do to messages, trees and people.

Each action needs a reason and leaves a ModerationAction. Tree locks are taken one at a time.
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from oasst.accounts import people, roles
from oasst.lib.errors import DomainError
from tasks_app import facts as tree_facts
from tasks_app import screening, similar, topics, trees, turns, writing
from tasks_app.config import TreeConfig
from tasks_app.enums import REVIEWING_STATES, Emoji, ReportState, SkipMark, TreeState
from tasks_app.enums import ModerationKind as Kind
from tasks_app.errors import MessageNotFound, TextEmpty, TextTooLong
from tasks_app.models import (
    Message,
    MessageRevision,
    MessageTree,
    Report,
    Task,
    TreeTransition,
)
from tasks_app.moderation_log import record, require_reason

AUTHOR_DISABLED = "author disabled"
CLAIM_LASTS = timedelta(minutes=30)


class TreeNotFound(DomainError):
    """No tree with this id."""

    code = "tree_not_found"
    status = 404
    default_message = _("This message tree does not exist.")


class CannotReopen(DomainError):
    """The tree would end again at once."""

    code = "cannot_reopen"
    status = 409
    default_message = _(
        "The reviewers rejected the prompt of this tree or it was deleted. Restore or accept the "
        "prompt first."
    )


class ReportNotFound(DomainError):
    """No report with this id."""

    code = "report_not_found"
    status = 404
    default_message = _("This report does not exist.")


class ReportClaimed(DomainError):
    """Another moderator works on the report."""

    code = "report_claimed"
    status = 409
    default_message = _("Another moderator is working on this report. Choose another one.")


class PersonNotFound(DomainError):
    """No account with this id."""

    code = "person_not_found"
    status = 404
    default_message = _("This account does not exist.")


class NotYours(DomainError):
    """A moderator acts on another moderator or an admin, or anybody on themselves."""

    code = "not_yours"
    status = 403
    default_message = _(
        "You may not do this to this account: it is your own, or that of a moderator or admin. "
        "Ask another admin."
    )


def auto_moderate(
    tree: MessageTree, message: Message, mark: str, *, config: TreeConfig, now: datetime
) -> bool:
    """Apply the automatic rules after `mark` was added to a message; True if they did something.

    What a moderator restored stays until the next such mark. Caller holds the tree's row lock and
    advances the tree. Source: reference 2.7.
    """
    if not config.auto_mod_enabled or TreeState(tree.state) not in REVIEWING_STATES:
        return False
    count = message.emojis.get(mark, 0)
    if mark == Emoji.RED_FLAG and count >= config.auto_mod_red_flags:
        _end_flagged(tree, message, f"{count} red flags", now)
    elif mark == SkipMark.REPLY and count >= config.auto_mod_max_skip_reply:
        trees.enter(tree, TreeState.HALTED_BY_MODERATOR, now=now, reason=f"{count} skips")
    else:
        return False
    return True


def _end_flagged(tree: MessageTree, message: Message, reason: str, now: datetime) -> None:
    """A flagged prompt ends its tree, a flagged reply is deleted."""
    if message.is_root:
        trees.enter(tree, TreeState.ABORTED_LOW_GRADE, now=now, reason=reason)
    else:
        hide(tree, message)
        record(Kind.AUTO_DELETE, actor=None, reason=reason, now=now, message=message)


@transaction.atomic
def halt_tree(tree_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> MessageTree:
    """Stop a tree: no more work on it. Stopping it twice is fine. Raises TreeNotFound."""
    require_reason(reason)
    tree = locked_tree(tree_id)
    if tree.state != TreeState.HALTED_BY_MODERATOR:
        trees.enter(tree, TreeState.HALTED_BY_MODERATOR, now=now, reason=reason, actor=actor)
        record(Kind.HALT_TREE, actor=actor, reason=reason, now=now, tree=tree)
        trees.advance(tree, config=TreeConfig.current(), now=now)
    return tree


@transaction.atomic
def unhalt_tree(tree_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> MessageTree:
    """Set a tree going again, where it left off. Raises TreeNotFound, CannotReopen."""
    require_reason(reason)
    tree = locked_tree(tree_id)
    config = TreeConfig.current()
    facts = tree_facts.load(tree)
    grown = bool(tree.won_prompt_lottery_at) or len(facts.nodes) > 1
    root = facts.root
    if not (root.is_accepted if grown else root.is_accepted or root.in_review(config)):
        raise CannotReopen
    target = TreeState.GROWING if grown else TreeState.INITIAL_PROMPT_REVIEW
    trees.enter(tree, target, now=now, reason=reason, actor=actor)
    record(Kind.UNHALT_TREE, actor=actor, reason=reason, now=now, tree=tree)
    trees.advance(tree, config=config, now=now, actor=actor)
    return tree


@transaction.atomic
def retry_scoring(tree_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> MessageTree:
    """Compute the ranks of a tree again whose scoring failed."""
    require_reason(reason)
    tree = locked_tree(tree_id)
    trees.retry_scoring(tree, config=TreeConfig.current(), now=now)
    record(Kind.RETRY_SCORING, actor=actor, reason=reason, now=now, tree=tree)
    return tree


@transaction.atomic
def delete_message(message_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> int:
    """Hide a message and everything below it; returns how many were hidden."""
    require_reason(reason)
    message, tree = locked_message(message_id)
    hidden = hide(tree, message)
    record(
        Kind.DELETE_MESSAGE,
        actor=actor,
        reason=reason,
        now=now,
        message=message,
        data=told_of_hidden(hidden),
    )
    trees.advance(tree, config=TreeConfig.current(), now=now, actor=actor)
    return len(hidden)


def told_of_hidden(hidden: Mapping[uuid.UUID, bool]) -> dict[str, Any]:
    """What the log holds of a deletion, so that it can be taken back."""
    held = [str(pk) for pk, was_held in hidden.items() if was_held]
    return {"messages": len(hidden), "hidden": [str(pk) for pk in hidden], "held": held}


def told_of_shown(shown: Collection[uuid.UUID]) -> dict[str, Any]:
    """What the log holds of messages that are shown again."""
    return {"messages": len(shown), "shown": [str(pk) for pk in shown]}


@transaction.atomic
def restore_message(message_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> int:
    """Show a message again, with its ancestors but not its replies; returns how many."""
    require_reason(reason)
    message, tree = locked_message(message_id)
    shown = [node.pk for node in Message.objects.thread(message) if node.deleted]
    Message.objects.filter(pk__in=shown).update(deleted=False)
    record(
        Kind.RESTORE_MESSAGE,
        actor=actor,
        reason=reason,
        now=now,
        message=message,
        data=told_of_shown(shown),
    )
    trees.advance(tree, config=TreeConfig.current(), now=now, actor=actor)
    return len(shown)


@transaction.atomic
def edit_message(
    message_id: uuid.UUID, text: str, *, actor: Any, reason: str, now: datetime
) -> Message:
    """Change a message's text. Every text it had is kept as a revision.

    Raises MessageNotFound, TextEmpty, TextTooLong (imported texts may stay as long as they are).
    """
    require_reason(reason)
    text = text.strip()
    if not text:
        raise TextEmpty
    message, _tree = locked_message(message_id)
    limit = max(TreeConfig.current().message_size_limit, len(message.text))
    if len(text) > limit:
        raise TextTooLong(len(text), limit)
    if text == message.text:
        return message
    rewrite(message, text, actor=actor, reason=reason, now=now)
    record(Kind.EDIT_MESSAGE, actor=actor, reason=reason, now=now, message=message)
    return message


def rewrite(message: Message, text: str, *, actor: Any, reason: str, now: datetime) -> None:
    """Give a message another text, and keep the one it had. Caller holds its tree's row lock."""
    if not message.edited:
        MessageRevision.objects.create(
            message=message, text=message.text, user=message.user, created_at=message.created_at
        )
    MessageRevision.objects.create(
        message=message, text=text, user=actor, reason=reason, created_at=now
    )
    message.text, message.edited = text, True
    message.findings = screening.forget_places(message.findings)
    message.save(update_fields=["text", "edited", "findings"])
    similar.forget(message)
    writing.forget([message.pk])
    if message.is_root:
        topics.reconsider(message)


def lock_person(user_id: uuid.UUID, actor: Any) -> Any:
    """The account, locked. Without an actor (a command, a rule) anybody may be managed.

    Raises PersonNotFound, NotYours.
    """
    accounts = get_user_model().objects.select_for_update(no_key=True)
    person = accounts.filter(pk=user_id).first()
    if person is None:
        raise PersonNotFound
    if actor is not None and not roles.may_manage(actor, person):
        raise NotYours
    return person


def ban_user(user_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> Any:
    """Lock an account out, free its reservations, halt its prompts in the lottery.

    Banning somebody twice is fine. Raises PersonNotFound, NotYours.
    """
    require_reason(reason)
    with transaction.atomic():
        user = lock_person(user_id, actor)
        if user.is_active:
            lock_out(user, now=now)
            record(Kind.BAN_USER, actor=actor, reason=reason, now=now, user=user)
    free_reservations(user, now=now)
    halt_prompts_of_disabled_users(now=now)
    return user


def unban_user(user_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> Any:
    """Let a banned account in again, and its prompts into the lottery.

    Does nothing for deleted accounts.
    """
    require_reason(reason)
    with transaction.atomic():
        user = lock_person(user_id, actor)
        if user.deleted_at is None and not user.is_active:
            user.is_active = True
            user.save(update_fields=["is_active"])
            record(Kind.UNBAN_USER, actor=actor, reason=reason, now=now, user=user)
    return_prompts(user, now=now)
    return user


def lock_out(person: Any, *, now: datetime) -> None:
    """Make an account unusable and end its sessions. Caller holds the account's row lock."""
    person.is_active = False
    person.save(update_fields=["is_active"])
    people.end_all_sessions(person, now=now)


def return_prompts(person: Any, *, now: datetime) -> None:
    """Put prompts that only a ban took out of the lottery back into it."""
    if not person.is_active:
        return
    halted = MessageTree.objects.in_state(TreeState.HALTED_BY_MODERATOR)
    ids = halted.filter(messages__parent=None, messages__user=person).values_list("pk", flat=True)
    for tree_id in list(ids):
        with transaction.atomic():
            return_to_state_before(locked_tree(tree_id), now=now, halted_because=AUTHOR_DISABLED)


def return_to_state_before(
    tree: MessageTree, *, now: datetime, halted_because: str | None = None
) -> bool:
    """Take a halt back, if it was the last move (and for this reason); False if not.

    Caller holds the tree's row lock.
    """
    moves = list(TreeTransition.objects.filter(tree=tree).order_by("-id")[:2])
    is_halted = tree.state == TreeState.HALTED_BY_MODERATOR and len(moves) == 2
    if not is_halted or (halted_because is not None and moves[0].reason != halted_because):
        return False
    before = TreeState(moves[0].from_state)
    trees.enter(tree, before, now=now, reason="the halt was undone")
    trees.advance(tree, config=TreeConfig.current(), now=now)
    if tree.state == before:
        tree.state_since = moves[1].created_at
        tree.save(update_fields=["state_since"])
    return True


@transaction.atomic
def mute_user(
    user_id: uuid.UUID, *, until: datetime | None, actor: Any, reason: str, now: datetime
) -> Any:
    """Keep somebody from contributing until a time; None ends it."""
    require_reason(reason)
    user = lock_person(user_id, actor)
    before, user.muted_until = user.muted_until, until
    user.save(update_fields=["muted_until"])
    data = {
        "until": until.isoformat() if until else None,
        "before": before.isoformat() if before else None,
    }
    record(Kind.MUTE_USER, actor=actor, reason=reason, now=now, user=user, data=data)
    return user


def free_reservations(user: Any, *, now: datetime) -> None:
    """Give back every slot that a person holds.

    Whoever may take no more tasks holds none afterwards: a hand-out or submit of theirs that is
    under way comes to its end first, and any later one is refused.
    """
    with transaction.atomic():
        turns.lock_user(user)
    held = Task.objects.filter(user=user, holds_slot=True).exclude(tree=None)
    for tree_id in set(held.values_list("tree", flat=True)):
        with transaction.atomic():
            tree = locked_tree(tree_id)
            Task.objects.filter(user=user, tree=tree, holds_slot=True).update(holds_slot=False)
            trees.advance(tree, config=TreeConfig.current(), now=now)


def halt_prompts_of_disabled_users(*, now: datetime) -> int:
    """Take prompts of banned or deleted authors out of the lottery. Source: reference T15."""
    ids = list(MessageTree.objects.waiting_of_disabled_authors().values_list("pk", flat=True))
    for tree_id in ids:
        with transaction.atomic():
            tree = locked_tree(tree_id)
            if tree.state == TreeState.PROMPT_LOTTERY_WAITING:
                trees.enter(tree, TreeState.HALTED_BY_MODERATOR, now=now, reason=AUTHOR_DISABLED)
    return len(ids)


@transaction.atomic
def claim_report(report_id: uuid.UUID, *, actor: Any, now: datetime) -> bool:
    """Take a report so that two moderators do not both work on it. False: somebody else has it.

    A claim lapses after `CLAIM_LASTS`, so that nobody blocks the queue.
    """
    report = _locked_report(report_id)
    if is_claimed_by_other(report, actor, now) or report.state != ReportState.OPEN:
        return False
    report.claimed_by, report.claimed_at = actor, now
    report.save(update_fields=["claimed_by", "claimed_at"])
    return True


@transaction.atomic
def release_report(report_id: uuid.UUID, *, actor: Any) -> None:
    """Give a claimed report back to the queue. Does nothing for a claim of somebody else."""
    report = _locked_report(report_id)
    if report.claimed_by_id == actor.pk:
        report.claimed_by = report.claimed_at = None
        report.save(update_fields=["claimed_by", "claimed_at"])


def is_claimed_by_other(report: Report, actor: Any, now: datetime) -> bool:
    """True while another moderator works on an open report."""
    if report.state != ReportState.OPEN or report.claimed_at is None or actor is None:
        return False
    return report.claimed_by_id != actor.pk and now - report.claimed_at < CLAIM_LASTS


@transaction.atomic
def resolve_report(
    report_id: uuid.UUID, *, actor: Any, outcome: ReportState, note: str, now: datetime
) -> Report:
    """Close a report with what was decided. Deciding again changes the decision.

    Raises ReportClaimed while another moderator works on it.
    """
    require_reason(note, limit=2000)
    report = _locked_report(report_id)
    if is_claimed_by_other(report, actor, now):
        raise ReportClaimed
    report.state, report.note = ReportState(outcome), note
    report.resolved_by, report.resolved_at = actor, now
    report.save(update_fields=["state", "note", "resolved_by", "resolved_at"])
    record(
        Kind.RESOLVE_REPORT,
        actor=actor,
        reason=note,
        now=now,
        message=report.message,
        data={"outcome": outcome},
    )
    return report


def hide(tree: MessageTree, message: Message) -> dict[uuid.UUID, bool]:
    """Mark a message and its descendants deleted and free the slots on them; says which were
    visible, and whether they were held back.

    Caller holds the tree's row lock and advances the tree.
    """
    doomed = tree.messages.with_all_below([message.pk])
    Task.objects.filter(message__in=doomed, holds_slot=True).update(holds_slot=False)
    # A gold item takes no slot, but nobody should come back to it either.
    given = Task.objects.filter(gold__in=doomed, done_at=None)
    given.update(reserved_until=F("created_at"))
    message.deleted, message.held = True, False
    hidden = dict(Message.objects.filter(pk__in=doomed, deleted=False).values_list("pk", "held"))
    Message.objects.filter(pk__in=hidden).update(deleted=True, held=False)
    return hidden


def locked_tree(tree_id: uuid.UUID) -> MessageTree:
    """A tree, locked. Raises TreeNotFound."""
    tree = MessageTree.objects.locked().filter(pk=tree_id).first()
    if tree is None:
        raise TreeNotFound
    return tree


def _locked_report(report_id: uuid.UUID) -> Report:
    report = Report.objects.select_for_update(of=("self",)).filter(pk=report_id).first()
    if report is None:
        raise ReportNotFound
    return report


def locked_message(message_id: uuid.UUID) -> tuple[Message, MessageTree]:
    """A message with its tree, which is locked. Raises MessageNotFound."""
    tree = MessageTree.objects.locked().filter(messages=message_id).first()
    message = Message.objects.filter(pk=message_id).first()
    if tree is None or message is None:
        raise MessageNotFound
    return message, tree
