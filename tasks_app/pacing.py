"""How much one person may do in a while, by the pages and by programs alike."""

from typing import TYPE_CHECKING

from oasst.lib import ratelimit
from oasst.lib.ratelimit import Allowance
from tasks_app.enums import TaskType

if TYPE_CHECKING:
    from oasst.accounts.models import User

# Source: reference 3.9. Per kind only for requests that name the kind.
_PER_PERSON = {"limit": 30, "window_s": 240}
_PER_KIND = {
    TaskType.ASSISTANT_REPLY.value: {"limit": 4, "window_s": 120},
    TaskType.PROMPTER_REPLY.value: {"limit": 8, "window_s": 120},
}
# More than anybody who reads with care finds in an hour.
_REPORTS = {"limit": 30, "window_s": 3600}
# Each question takes one answer; the rest are second tries.
_ANSWERS = {"limit": 30, "window_s": 3600}


def count_request(user: "User", kind: str) -> Allowance:
    """Count one request for a task of `kind`."""
    key = str(user.pk)
    allowance = ratelimit.hit("tasks", key, **_PER_PERSON)
    if allowance.allowed and kind in _PER_KIND:
        allowance = ratelimit.hit(f"tasks:{kind}", key, **_PER_KIND[kind])
    return allowance


def count_report(user: "User") -> Allowance:
    """Count one report of a message."""
    return ratelimit.hit("reports", str(user.pk), **_REPORTS)


def count_answer(user: "User") -> Allowance:
    """Count one try to answer a question of the moderators."""
    return ratelimit.hit("answers", str(user.pk), **_ANSWERS)
