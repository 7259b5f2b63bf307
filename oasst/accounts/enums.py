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
    READ_TASKS = "tasks:read", _("See tasks, messages and leaderboards as I do")
    WRITE_TASKS = "tasks:write", _("Take and do tasks, react to messages and report them")
    READ_ACCOUNT = "account:read", _("Read my account, points and contributions, and download it")
    COMPLETIONS = "completions", _("Ask models for answers (OpenAI-compatible)")
