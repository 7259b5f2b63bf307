"""Words of the chat that the database stores."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    PROMPTER = "prompter", _("Prompter")
    ASSISTANT = "assistant", _("Assistant")


class MessageState(TextChoices):
    """Where a message stands. What a person wrote is `done` from the start."""

    # Waits for a worker; after a worker died, again.
    QUEUED = "queued", _("Waiting")
    # A worker holds the lease and writes to the stream.
    RUNNING = "running", _("Being written")
    # Complete: the model ended its turn, or reached its limit (see `finish_reason`).
    DONE = "done", _("Done")
    # Somebody pressed stop; what was written is kept.
    STOPPED = "stopped", _("Stopped")
    # Will not work when tried again as it is: too long, model gone. `error` says why.
    FAILED = "failed", _("Failed")
    # The worker died twice, or nobody took it in time; may be continued.
    INTERRUPTED = "interrupted", _("Interrupted")

    @property
    def is_final(self) -> bool:
        return self not in (MessageState.QUEUED, MessageState.RUNNING)


FINAL_STATES = tuple(state for state in MessageState if state.is_final)


class Quantization(TextChoices):
    NONE = "none", _("none")
    EIGHT_BIT = "8bit", _("8 bit")
    FOUR_BIT = "4bit", _("4 bit (nf4)")


class FinishReason(TextChoices):
    STOP = "stop", _("the model ended its turn")
    LENGTH = "length", _("the limit of new tokens was reached")


class Hold(TextChoices):
    """What the safety check said of a text."""

    NONE = "", _("Fine")
    # Shown, with a note to the person and a mark for moderators.
    MARKED = "marked", _("Marked")
    # Kept back: the model does not see it, or the person does not.
    HELD = "held", _("Held")


class ReportKind(TextChoices):
    SPAM = "spam", _("Spam")
    OFFENSIVE = "offensive", _("Offensive or harmful")
    WRONG = "wrong", _("Wrong or misleading")
    PRIVACY = "privacy", _("Personal data")
    FEEDBACK = "feedback", _("Something else")


class VoteReason(TextChoices):
    """Why a reply got its thumb; several may be given."""

    HELPFUL = "helpful", _("Helpful")
    CORRECT = "correct", _("Correct")
    WELL_WRITTEN = "well_written", _("Well written")
    CREATIVE = "creative", _("Creative")
    NOT_HELPFUL = "not_helpful", _("Not helpful")
    WRONG = "wrong", _("Not correct")
    IGNORED_REQUEST = "ignored_request", _("Did not follow the request")
    TOO_LONG = "too_long", _("Too long")
    REPETITIVE = "repetitive", _("Repeats itself")
    UNSAFE = "unsafe", _("Harmful or unsafe")
