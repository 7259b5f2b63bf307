"""The account of one person, its API tokens and saved views, the mails that prove an address, and
the counters against abuse.

`User` is the only user table of the project.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oasst.accounts import devices
from oasst.accounts.enums import CodePurpose, Scope, Theme
from oasst.accounts.roles import ADMINS, MODERATORS

DISPLAY_NAME_MAX_LENGTH = 40
TOKEN_NAME_MAX_LENGTH = 60
VIEW_NAME_MAX_LENGTH = 60
VIEW_QUERY_MAX_LENGTH = 2000
DEVICE_MAX_LENGTH = 300


class UserManager(BaseUserManager["User"]):
    """Makes accounts. E-mail addresses are kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> User:
        """Create an account; without a password (the rule here) only e-mail signs in."""
        if not email:
            raise ValueError("email: an address is required")
        user = self.model(email=email.strip().lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """One person. Rows are never removed: deletion anonymises and sets `deleted_at`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # unique=True besides the constraint below, because Django wants it of a USERNAME_FIELD.
    email = models.EmailField(_("e-mail address"), max_length=254, unique=True)
    display_name = models.CharField(
        _("display name"), max_length=DISPLAY_NAME_MAX_LENGTH, blank=True
    )
    ui_language = models.CharField(_("language of the pages"), max_length=16, default="en")
    contribution_languages = ArrayField(
        models.CharField(max_length=16),
        verbose_name=_("contribution languages"),
        default=list,
        blank=True,
        help_text=_("BCP 47 codes, for example en, pt-BR"),
    )
    theme = models.CharField(_("theme"), max_length=8, choices=Theme.choices, default=Theme.SYSTEM)
    shortcuts_enabled = models.BooleanField(_("keyboard shortcuts"), default=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", help_text=_("For the days of your streak.")
    )
    on_leaderboard = models.BooleanField(_("show me on the leaderboard"), default=True)

    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Off: banned. Cannot sign in; open sessions end.")
    )
    is_staff = models.BooleanField(
        _("staff"), default=False, help_text=_("May open the admin. Follows the groups.")
    )
    muted_until = models.DateTimeField(_("muted until"), null=True, blank=True)
    held_since = models.DateTimeField(
        _("new messages held since"),
        null=True,
        blank=True,
        help_text=_("New messages wait for a moderator before anybody else sees them."),
    )
    notes = models.TextField(_("moderators' notes"), blank=True)
    # Counted by tasks_app; here, so that the bell on every page costs no query.
    unread_notifications = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    tos_version = models.CharField(_("accepted terms"), max_length=32, blank=True)
    tos_accepted_at = models.DateTimeField(_("accepted terms at"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)
    erases_texts = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text=_("Chosen with the deletion: what they wrote goes, too."),
    )
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)
    session_epoch = models.PositiveIntegerField(
        default=0, editable=False, help_text=_("Counted up to sign out everywhere.")
    )

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="accounts_user_email_ci",
                violation_error_message=_("Another account uses this e-mail address."),
            ),
            models.CheckConstraint(
                condition=Q(email=Lower("email")), name="accounts_user_email_lower_case"
            ),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) | Q(is_active=False),
                name="accounts_user_deleted_is_inactive",
            ),
            models.CheckConstraint(
                condition=Q(theme__in=Theme.values), name="accounts_user_theme_known"
            ),
        ]

    def __str__(self) -> str:
        return self.public_name

    @property
    def public_name(self) -> str:
        """What other people see; never the e-mail address."""
        if self.deleted_at is not None:
            return gettext("Deleted account")
        return self.display_name or gettext("Contributor")

    @property
    def is_moderator(self) -> bool:
        """May moderate: in either group, or a superuser."""
        return self.is_superuser or bool(self._group_names & {MODERATORS, ADMINS})

    @property
    def is_admin(self) -> bool:
        return self.is_superuser or ADMINS in self._group_names

    @property
    def is_held(self) -> bool:
        """What they write waits for a moderator, and their votes count for nothing."""
        return self.held_since is not None

    def may_contribute(self, now: datetime) -> bool:
        """Whether `now` this person may write, review, rank or react."""
        muted = self.muted_until is not None and self.muted_until > now
        return self.is_active and self.deleted_at is None and not muted

    @cached_property
    def _group_names(self) -> frozenset[str]:
        if self._state.adding:
            return frozenset()
        # Of a list, they are there already.
        return frozenset(group.name for group in self.groups.all())

    def know_groups(self, names: Iterable[str]) -> None:
        """Take it from what was read already that these are the groups."""
        self.__dict__["_group_names"] = frozenset(names)

    def forget_groups(self) -> None:
        """Read the groups anew when next asked."""
        self.__dict__.pop("_group_names", None)

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        self.forget_groups()

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # The epoch in the hash is what ends every session at once; see sessions.py.
        value = f"{self.password}:{self.session_epoch}"
        salt = "oasst.accounts.models.User.session"
        return salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()


class EmailCode(models.Model):
    """One mail with a link and a 6-digit code, asked for and perhaps sent; see magic_link.py.

    The secrets are made when the mail is sent and kept only as hashes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purpose = models.CharField(max_length=16, choices=CodePurpose.choices)
    email = models.EmailField(max_length=254)
    # Only for a change of address: whose. A sign-in knows its account when it is redeemed.
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True)
    next_url = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=16, default="en")
    token_hash = models.CharField(max_length=64, blank=True)
    code_hash = models.CharField(max_length=64, blank=True)
    wrong_codes = models.PositiveSmallIntegerField(default=0)
    valid_minutes = models.PositiveSmallIntegerField(default=15)
    created_at = models.DateTimeField()
    send_attempts = models.PositiveSmallIntegerField(default=0)
    next_send_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("e-mail code")
        verbose_name_plural = _("e-mail codes")
        constraints = [
            models.UniqueConstraint(
                fields=["token_hash"],
                condition=~Q(token_hash=""),
                name="accounts_emailcode_token_unique",
            ),
            models.CheckConstraint(
                condition=~Q(purpose=CodePurpose.CHANGE_EMAIL) | Q(user__isnull=False),
                name="accounts_emailcode_change_has_user",
            ),
        ]
        indexes = [
            models.Index(fields=["email", "purpose"], name="accounts_emailcode_email"),
            models.Index(fields=["created_at"], name="accounts_emailcode_created"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.pk}"


class ApiToken(models.Model):
    """A key for programs of one person; revoking it deletes the row. See tokens.py.

    Only a hash is kept; `hint`, the beginning of the key, lets people tell theirs apart.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=TOKEN_NAME_MAX_LENGTH)
    hint = models.CharField(_("begins with"), max_length=12)
    token_hash = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(
        models.CharField(max_length=32, choices=Scope.choices), verbose_name=_("may")
    )
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scopes__len__gt=0) & Q(scopes__contained_by=Scope.values),
                name="accounts_apitoken_scopes_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @property
    def scope_names(self) -> list[str]:
        """The scopes in words."""
        return [str(Scope(scope).label) for scope in self.scopes]

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class SavedView(models.Model):
    """What somebody searched and filtered a list of the desk for, under a name; see saved_views.py.

    `query` is only ever put behind the address of the list.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    list_name = models.CharField(_("list"), max_length=100, help_text=_("A model: app.name"))
    name = models.CharField(_("name"), max_length=VIEW_NAME_MAX_LENGTH)
    query = models.CharField(_("query"), max_length=VIEW_QUERY_MAX_LENGTH)
    saved_at = models.DateTimeField(_("saved"))

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "list_name", "name"], name="accounts_savedview_name_unique"
            ),
            models.CheckConstraint(
                condition=~Q(name="") & ~Q(query=""), name="accounts_savedview_says_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.list_name}: {self.name}"


class OpenSession(AbstractBaseSession):
    """One browser's session; see sessions.py. Without an account: a visitor's."""

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, related_name="open_sessions"
    )
    device = models.CharField(max_length=DEVICE_MAX_LENGTH, blank=True)
    signed_in_at = models.DateTimeField(null=True)
    last_used_on = models.DateField(null=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")

    def __str__(self) -> str:
        return self.device_name

    @classmethod
    def get_session_store_class(cls) -> Any:
        from oasst.accounts.sessions import SessionStore  # which needs this class

        return SessionStore

    @property
    def device_name(self) -> str:
        return devices.in_words(self.device)

    @property
    def handle(self) -> str:
        """Names the session on pages: its key itself signs in."""
        salt = "oasst.accounts.models.OpenSession"
        return salted_hmac(salt, self.session_key, algorithm="sha256").hexdigest()[:32]


class RateBucket(models.Model):
    """Tokens left for one key (a salted hash: nobody reads addresses here); see limits.py."""

    key = models.CharField(primary_key=True, max_length=64)
    tokens = models.FloatField()
    updated_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("sign-in limit")
        verbose_name_plural = _("sign-in limits")

    def __str__(self) -> str:
        return self.key[:12]
