"""What somebody is told when the ways into their account change: on the page, and by mail, so that
it is noticed if somebody else did it."""

from __future__ import annotations

from pathlib import PurePath

from django.utils import translation
from django.utils.translation import gettext_lazy as _

from oasst.accounts.models import User
from oasst.lib import emails, page_language

# By the last part of the names of allauth's messages and mails.
TEXTS = {
    "totp_activated": _("An authenticator app now protects your account."),
    "totp_deactivated": _("Your account is no longer protected by an authenticator app."),
    "webauthn_added": _("A passkey was added to your account."),
    "webauthn_removed": _("A passkey was removed from your account."),
    "recovery_codes_generated": _("New recovery codes were made; earlier ones are void."),
    "account_connected": _(
        "An account of another site was connected with yours and signs in here."
    ),
    "account_disconnected": _("An account of another site was disconnected from yours."),
    "account_connected_other": _(
        "That account belongs to somebody here already. If both are you, ask the moderators to "
        "merge them."
    ),
}
ON_THE_PAGE_ONLY = {"account_connected_other"}


def text_of(template: str | None) -> str:
    """The words for one of allauth's templates; empty where nothing is to be said."""
    return str(TEXTS.get(_event(template or ""), ""))


def mail(user: User, template: str) -> None:
    """Tell `user` by mail."""
    event = _event(template)
    if event not in TEXTS or event in ON_THE_PAGE_ONLY:
        return
    with translation.override(page_language.offered(user.ui_language)):
        context = {"name": user.public_name, "text": str(TEXTS[event])}
    emails.send("security_news", user.email, context, language=user.ui_language)


def _event(template: str) -> str:
    return PurePath(template).stem
