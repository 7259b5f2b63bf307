"""The vocabulary of points: what gives them, where they stand and why, and the frames of boards."""

from datetime import timedelta

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Reason(TextChoices):
    """What an entry of the ledger is for."""

    PROMPT = "prompt", _("Wrote a prompt")
    PROMPT_ACCEPTED = "prompt_accepted", _("The prompt was accepted")
    ASSISTANT_REPLY = "assistant_reply", _("Wrote a reply as assistant")
    ASSISTANT_REPLY_ACCEPTED = "assistant_accepted", _("The reply as assistant was accepted")
    PROMPTER_REPLY = "prompter_reply", _("Wrote a reply as prompter")
    PROMPTER_REPLY_ACCEPTED = "prompter_accepted", _("The reply as prompter was accepted")
    REVIEW_FULL = "review_full", _("Reviewed with all labels")
    REVIEW_SIMPLE = "review_simple", _("Reviewed with few labels")
    RANKING = "ranking", _("Ranked replies")
    RANKING_AGREED = "ranking_agreed", _("The ranking agreed with the others")
    FIRST = "first", _("First place among the replies")
    SECOND = "second", _("Second place among the replies")
    THIRD = "third", _("Third place among the replies")


class EntryState(TextChoices):
    """Where an entry stands. Only confirmed points are in the score."""

    PENDING = "pending", _("Pending")
    CONFIRMED = "confirmed", _("Confirmed")
    REVERSED = "reversed", _("Taken back")


class Why(TextChoices):
    """Why an entry stands where it does, in a sentence for its person."""

    WAITS_FOR_REVIEWS = "waits_for_reviews", _("Waits for the reviews of others.")
    WAITS_FOR_RANKS = "waits_for_ranks", _("Waits until the ranks are counted.")
    WAITS_FOR_MORE = "waits_for_more", _("It is a little early to tell. This counts as soon as some more of what you write, review and rank agrees with the others.")  # fmt: skip  # noqa: E501
    STOPPED = "stopped", _("The conversation was stopped. If it goes on, so does this.")
    ACCEPTED = "accepted", _("The reviewers took it in.")
    DECIDED = "decided", _("The message was decided, and your answers are close to the others’.")
    RANKED = "ranked", _("The ranks were counted.")
    AGREED = "agreed", _("Your order is close to that of the others.")
    PLACED = "placed", _("The rankings of all agree on this place.")
    COUNTED = "counted", _("Counts at once.")
    REJECTED = "rejected", _("The reviewers did not take it in. The next one may well fit.")
    UNDECIDED = "undecided", _("The decision was taken back; it counts again when it is made.")
    REMOVED = "removed", _("A moderator, or enough readers, took it out.")
    HALTED = "halted", _("The conversation that it began was stopped.")
    MOVED = "moved", _("Later rankings changed the place.")
    FAR_OFF = "far_off", _("Your answers were far from those of everybody else.")
    HELD = "held", _("Around that time, what you wrote or answered was often far from the others’; it counts as soon as more of it is close.")  # fmt: skip  # noqa: E501
    TOO_QUICK = "too_quick", _("This was sent faster than one can read.")
    BANNED = "banned", _("The account is banned.")


class Frame(TextChoices):
    """How far back a board looks."""

    DAY = "day", _("Day")
    WEEK = "week", _("Week")
    MONTH = "month", _("Month")
    TOTAL = "total", _("All time")

    @property
    def days(self) -> timedelta | None:
        """The length of the frame; None for all time."""
        days = {"day": 1, "week": 7, "month": 30}.get(self.value)
        return timedelta(days=days) if days else None
