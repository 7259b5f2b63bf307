"""The base of every error a person may read. Subclasses live beside the rule that raises them."""

from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """A rule said no. `message` is safe to show: what happened, then what to do.

    `details` say the same to programs, in plain values.
    """

    code: ClassVar[str] = "domain_error"
    status: ClassVar[int] = 400
    default_message: ClassVar[str | Promise] = _("This did not work. Please try again.")

    def __init__(self, message: str | Promise = "") -> None:
        self.message = str(message or self.default_message)
        self.details: dict[str, Any] = {}
        super().__init__(self.message)


class TooMuch(DomainError):
    """Somebody is over a limit of `ratelimit`; `retry_after_s` says when it is over."""

    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s
