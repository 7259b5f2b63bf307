"""People: everything about one on one page, and ban, mute, rename, notes, role, sign out."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from oasst.accounts.admin import ROLE_NAMES, UserAdmin, role, status
from oasst.accounts.models import DISPLAY_NAME_MAX_LENGTH, User
from oasst.lib.desk.actions import DeskAction, ReasonForm
from oasst.lib.errors import DomainError
from tasks_app import holding, merging, moderation, standing
from tasks_app.admin import user_page
from tasks_app.admin.ask import AskPerson
from tasks_app.admin.people_filters import JoinedFilter, ReliabilityFilter, ReportsFilter
from tasks_app.bulk import actions, plans


class NotesForm(forms.Form):
    """What staff should know about a person."""

    notes = forms.CharField(
        label=_l("Notes"),
        required=False,
        max_length=5000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}),
        help_text=_l("Only staff reads them. They go away when the person deletes the account."),
    )


class RenameForm(ReasonForm):
    """Another display name."""

    display_name = forms.CharField(
        label=_l("Display name"),
        max_length=DISPLAY_NAME_MAX_LENGTH,
        widget=UnfoldAdminTextInputWidget,
    )
    field_order = ("display_name", "reason")


class RoleForm(ReasonForm):
    """A role or none."""

    role = forms.ChoiceField(
        label=_l("Role"),
        required=False,
        choices=ROLE_NAMES.items(),
        widget=UnfoldAdminRadioSelectWidget,
    )
    field_order = ("role", "reason")


class MergeForm(ReasonForm):
    """The other account."""

    into = forms.CharField(
        label=_l("Account that stays"),
        max_length=254,
        widget=UnfoldAdminTextInputWidget,
        help_text=_l("Its e-mail address, or its id from the address of its page."),
    )
    field_order = ("into", "reason")


class OnPerson(DeskAction):
    """An action on an account that exists."""

    def fits(self, row: User, *, actor: Any, now: datetime) -> bool:
        return row.deleted_at is None


class Ban(OnPerson):
    """Locks accounts out."""

    name, title, icon, is_danger, in_bulk = "ban", _l("Ban"), "block", True, True
    key = "b"

    def fits(self, row: User, *, actor: Any, now: datetime) -> bool:
        return row.is_active

    def explain(self, rows: Sequence[User]) -> str:
        return ngettext(
            "%d person is signed out at once and cannot sign in until the ban is lifted. Their "
            "messages stay; their prompts leave the lottery.",
            "%d people are signed out at once and cannot sign in until the ban is lifted. Their "
            "messages stay; their prompts leave the lottery.",
            len(rows),
        ) % len(rows)  # fmt: skip

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        moderation.ban_user(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("%s is banned.") % row.public_name


class Unban(OnPerson):
    """Lets accounts in again."""

    name, title, icon, in_bulk = "unban", _l("Lift the ban"), "lock_open", True

    def fits(self, row: User, *, actor: Any, now: datetime) -> bool:
        return not row.is_active and row.deleted_at is None

    def explain(self, rows: Sequence[User]) -> str:
        text = ngettext("%d person can sign in again.", "%d people can sign in again.", len(rows))
        return text % len(rows)

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        moderation.unban_user(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("%s is no longer banned.") % row.public_name


class Mute(OnPerson):
    """Keeps people from contributing for some days."""

    icon, in_bulk = "volume_off", True

    def __init__(self, days: int, title: Any) -> None:
        self.name, self.days, self.title = f"mute-{days}", days, title
        self.key = str(days)[0]

    def fits(self, row: User, *, actor: Any, now: datetime) -> bool:
        return row.is_active

    def explain(self, rows: Sequence[User]) -> str:
        text = ngettext(
            "%(people)d person can read but not contribute for %(days)d days.",
            "%(people)d people can read but not contribute for %(days)d days.",
            len(rows),
        )
        return text % {"people": len(rows), "days": self.days}

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        until = now + timedelta(days=self.days)
        reason = data["reason"]
        moderation.mute_user(row.pk, until=until, actor=actor, reason=reason, now=now)
        return _("%(name)s is muted for %(days)d days.") % {
            "name": row.public_name,
            "days": self.days,
        }


class Unmute(OnPerson):
    """Ends a mute early."""

    name, title, icon = "unmute", _l("End the mute"), "volume_up"

    def fits(self, row: User, *, actor: Any, now: datetime) -> bool:
        return row.is_active and bool(row.muted_until and row.muted_until > now)

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        moderation.mute_user(row.pk, until=None, actor=actor, reason=data["reason"], now=now)
        return _("%s may contribute again.") % row.public_name


class Hold(OnPerson):
    """Lets new messages wait for a moderator and votes count for nothing, unnoticed."""

    name, title, icon, in_bulk = "hold", _l("Hold back"), "hourglass_top", True
    key = "h"

    def fits(self, row: User, *, actor: Any, now: datetime) -> bool:
        return row.is_active and row.held_since is None

    def explain(self, rows: Sequence[User]) -> str:
        return ngettext(
            "What %d person writes from now on is seen by nobody else until you let it out, and "
            "none of their reviews and rankings counts. They are not told. Earlier messages, and "
            "what was decided with their votes, stay.",
            "What %d people write from now on is seen by nobody else until you let it out, and "
            "none of their reviews and rankings counts. They are not told. Earlier messages, and "
            "what was decided with their votes, stay.",
            len(rows),
        ) % len(rows)  # fmt: skip

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        holding.hold_user(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("New messages of %s are held back.") % row.public_name


class Unhold(OnPerson):
    """Ends that."""

    name, title, icon = "unhold", _l("No longer hold back"), "hourglass_disabled"

    def fits(self, row: User, *, actor: Any, now: datetime) -> bool:
        return row.held_since is not None and row.deleted_at is None

    def explain(self, rows: Sequence[User]) -> str:
        return _(
            "New messages are seen at once, and all reviews and rankings count again. Messages "
            "that are held wait until you decide."
        )

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        holding.unhold_user(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("New messages of %s are no longer held back.") % row.public_name


class Purge(OnPerson):
    """Takes everything out that somebody contributed."""

    name, title, icon, is_danger = "purge", _l("Purge contributions"), "delete_sweep", True

    def explain(self, rows: Sequence[User]) -> str:
        plan = plans.of_person(rows[0])
        text = _(
            "This hides %(messages)d messages of %(people)d people (theirs, and what is written "
            "below) in %(trees)d trees, and takes out %(votes)d reviews, rankings and reactions. "
            "Verdicts and ranks follow. It can be undone for 30 days. It does not ban."
        )
        numbers = {name: getattr(plan, name) for name in ("messages", "people", "trees", "votes")}
        return text % numbers

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        plan = plans.of_person(row)
        bulk = actions.do_now(plan, actor=actor, reason=data["reason"], now=now)
        if bulk.is_finished:
            return _("The contributions are purged. The log below leads to the undo.")
        return _("The contributions are being purged. The log below shows how far it is.")


class EditNotes(OnPerson):
    """Changes the notes."""

    name, title, icon, form_class = "notes", _l("Notes"), "sticky_note_2", NotesForm

    def initial(self, row: User) -> dict[str, Any]:
        return {"notes": row.notes}

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        standing.edit_notes(row.pk, data["notes"], actor=actor, now=now)
        return _("The notes are saved.")


class Rename(OnPerson):
    """Replaces an unfit display name."""

    name, title, icon, form_class = "rename", _l("Rename"), "badge", RenameForm

    def initial(self, row: User) -> dict[str, Any]:
        return {"display_name": row.display_name}

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        name, reason = data["display_name"], data["reason"]
        standing.rename(row.pk, name, actor=actor, reason=reason, now=now)
        return _("The name is changed.")


class SignOut(OnPerson):
    """Ends all sessions."""

    name, title, icon = "sign-out", _l("Sign out everywhere"), "logout"

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        standing.end_sessions(row.pk, actor=actor, reason=data["reason"], now=now)
        return _("%s is signed out on every device.") % row.public_name


class SetRole(OnPerson):
    """Makes moderators and admins, or takes the role away."""

    name, title, icon, form_class = "role", _l("Role"), "shield_person", RoleForm

    def allows(self, actor: Any) -> bool:
        return actor.is_admin

    def initial(self, row: User) -> dict[str, Any]:
        return {"role": role(row)[0]}

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        chosen, reason = data["role"], data["reason"]
        standing.set_role(row.pk, chosen, actor=actor, reason=reason, now=now)
        return _("%(name)s is now: %(role)s.") % {
            "name": row.public_name,
            "role": ROLE_NAMES[chosen],
        }


class Merge(OnPerson):
    """Moves everything to another account of the same person."""

    name, title, icon, form_class = "merge", _l("Merge into another account"), "merge", MergeForm
    is_danger = has_preview = True

    def allows(self, actor: Any) -> bool:
        return actor.is_admin

    def fits(self, row: User, *, actor: Any, now: datetime) -> bool:
        return row.is_active and row.deleted_at is None and not row.is_moderator

    def explain(self, rows: Sequence[User]) -> str:
        return _(
            "Everything of this account moves to the other: messages, votes, points, chats, API "
            "tokens, ways to sign in, signed-in devices. This one is closed. Be sure that both are "
            "the same person: it can be undone from the log for %(days)d days only, and what is "
            "written meanwhile stays with the other."
        ) % {"days": settings.MERGE_UNDO_DAYS}

    def preview(self, row: User, form: forms.Form) -> str:
        if not form.is_valid():
            return ""
        try:
            into = merging.find(form.cleaned_data["into"])
            plan = merging.plan(row, into)
        except DomainError as error:
            return str(error.message)
        return _(
            "To “%(name)s”, joined on %(joined)s, would move: %(messages)d messages, %(votes)d "
            "votes, %(sessions)d signed-in devices, %(tokens)d API tokens. %(staying)d votes on "
            "what both judged, or on what the other account wrote, would stay behind without "
            "points."
        ) % {**vars(plan), "name": into.public_name, "joined": into.date_joined.date()}

    def run(self, row: User, data: dict[str, Any], *, actor: Any, now: datetime) -> str:
        into = merging.find(data["into"])
        merging.merge(row.pk, into.pk, actor=actor, reason=data["reason"], now=now)
        return _("Everything is moved to the account of %s.") % into.public_name


@admin.register(User)
class UserDesk(UserAdmin):
    """The list of accounts, with the page that shows what each person did."""

    page_template = "admin/desk/user.html"
    list_filter = (*UserAdmin.list_filter, ReliabilityFilter, ReportsFilter, JoinedFilter)
    desk_actions = (
        Ban(),
        Unban(),
        Mute(1, _l("Mute 1 day")),
        Mute(7, _l("Mute 7 days")),
        Mute(30, _l("Mute 30 days")),
        Unmute(),
        Hold(),
        Unhold(),
        AskPerson(),
        Purge(),
        EditNotes(),
        Rename(),
        SignOut(),
        SetRole(),
        Merge(),
    )

    def page(self, request: HttpRequest, obj: User) -> dict[str, Any]:
        return user_page.context(obj, request.user, with_address=request.user.is_admin) | {
            "status": status(obj),
            "role": role(obj),
        }
