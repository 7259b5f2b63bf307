"""Accounts in the admin: the way in, the list of people, and what only the domain may touch.

The page of a person needs the data collection, so `tasks_app.admin.users` completes and registers
`UserAdmin`.
"""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from oasst.accounts import roles
from oasst.accounts.models import User
from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import when
from oasst.lib.desk.filters import LanguageFilter

# There are no passwords: the admin's own login page gives way to the e-mail sign-in, and
# signed-in people who are no staff get a 403.
admin.site.login = secure_admin_login(admin.site.login)

# Rights follow from `roles`, addresses from `people`; nobody edits them by hand.
for _model in (Group, EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken):
    admin.site.unregister(_model)

STATUS_COLOURS = {"active": "success", "muted": "warning", "banned": "danger",
                  "deleted": "default"}  # fmt: skip
ROLE_COLOURS = {"": "default", roles.MODERATORS: "info", roles.ADMINS: "primary"}
ROLE_NAMES = {"": _l("Contributor"), roles.MODERATORS: _l("Moderator"), roles.ADMINS: _l("Admin")}


def status(user: User) -> tuple[str, str]:
    """A key and words for where an account stands."""
    if user.deleted_at:
        return "deleted", _("Deleted")
    if not user.is_active:
        return "banned", _("Banned")
    if user.muted_until and user.muted_until > timezone.now():
        return "muted", _("Muted")
    return "active", _("Active")


def role(user: User) -> tuple[str, str]:
    """The highest role. Reads prefetched groups."""
    held = {group.name for group in user.groups.all()}
    top = roles.ADMINS if user.is_superuser or roles.ADMINS in held else ""
    key = top or (roles.MODERATORS if roles.MODERATORS in held else "")
    return key, str(ROLE_NAMES[key])


class RoleFilter(DropdownFilter):
    """By role."""

    title, parameter_name = _l("role"), "role"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [("none", ROLE_NAMES[""]), *((name, ROLE_NAMES[name]) for name in roles.ROLES)]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        holders = User.objects.filter(groups__name__in=roles.ROLES).values("pk")
        if self.value() == "none":
            return queryset.exclude(pk__in=holders)
        if self.value() in roles.ROLES:
            return queryset.filter(groups__name=self.value())
        return queryset


class StatusFilter(DropdownFilter):
    """By whether people may contribute."""

    title, parameter_name = _l("status"), "status"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [
            ("active", _("Active")),
            ("muted", _("Muted")),
            ("banned", _("Banned")),
            ("deleted", _("Deleted")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        muted = Q(is_active=True, muted_until__gt=timezone.now())
        conditions = {
            "active": Q(is_active=True) & ~muted,
            "muted": muted,
            "banned": Q(is_active=False, deleted_at=None),
            "deleted": Q(deleted_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class ContributionLanguageFilter(LanguageFilter):
    """By the languages people contribute in."""

    def narrow(self, queryset: QuerySet, code: str) -> QuerySet:
        return queryset.filter(contribution_languages__contains=[code])


class UserAdmin(DeskAdmin):
    """Everybody, the newest first. Addresses are for admins only."""

    list_display = ("name_column", "role_column", "status_column", "languages_column",
                    "joined_column", "seen_column")  # fmt: skip
    list_filter = (RoleFilter, StatusFilter, ContributionLanguageFilter)
    search_fields = ("display_name",)
    search_help_text = _l("Name, id, or whole e-mail address")
    ordering = ("-date_joined", "pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or roles.may_manage(request.user, obj))

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        columns = super().get_list_display(request)
        return (columns[0], "email", *columns[1:]) if request.user.is_admin else columns

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """No columns in the address: `?email__startswith=` would spell addresses out."""
        return lookup in {narrower.parameter_name for narrower in self.list_filter}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return search(queryset, search_term, by=request.user), False

    @display(description=_l("name"))
    def name_column(self, row: User) -> str:
        return row.public_name

    @display(description=_l("role"), label=ROLE_COLOURS)
    def role_column(self, row: User) -> tuple[str, str]:
        return role(row)

    @display(description=_l("status"), label=STATUS_COLOURS)
    def status_column(self, row: User) -> tuple[str, str]:
        return status(row)

    @display(description=_l("languages"))
    def languages_column(self, row: User) -> str:
        return ", ".join(row.contribution_languages)

    @display(description=_l("joined"))
    def joined_column(self, row: User) -> SafeString | str:
        return when(row.date_joined)

    @display(description=_l("last sign-in"))
    def seen_column(self, row: User) -> SafeString | str:
        return when(row.last_login)


def search(people: QuerySet, words: str, *, by: User) -> QuerySet:
    """People by part of the name, id, or address. Moderators find only addresses they know."""
    words = words.strip()
    if not words:
        return people
    found = Q(display_name__icontains=words) | Q(email=words.lower())
    if by.is_admin:
        found |= Q(email__icontains=words)
    if (pk := _as_id(words)) is not None:
        found |= Q(pk=pk)
    return people.filter(found)


def _as_id(words: str) -> Any:
    try:
        return User._meta.pk.to_python(words)
    except ValidationError:
        return None
