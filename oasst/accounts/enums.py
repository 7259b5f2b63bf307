"""Small choices of an account."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Theme(TextChoices):
    SYSTEM = "system", _("Same as my device")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class CodePurpose(TextChoices):
    """What an e-mail code proves an address for."""

    SIGN_IN = "sign_in", _("Sign in")
    CHANGE_EMAIL = "change_email", _("Change the e-mail address")


class Scope(TextChoices):
    """What an API token may do in its owner's name."""

    READ_CHATS = "chats:read", _("Read my chats")
    WRITE_CHATS = "chats:write", _("Start, change and delete my chats")
    COMPLETIONS = "completions", _("Ask models for answers (OpenAI-compatible)")
