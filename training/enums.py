"""Words of training that the database stores."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Stage(TextChoices):
    """What a run does; the words of `python -m training`."""

    SFT = "sft", _("Supervised fine-tuning")
    RM = "rm", _("Reward model")
    PPO = "ppo", _("PPO")
    DPO = "dpo", _("DPO")
    SAMPLE = "sample", _("Sampling")
    EVALUATE = "evaluate", _("Evaluation")


class Superseded(TextChoices):
    """Why nothing new may learn from a snapshot."""

    ERASED = "erased", _("Somebody whose texts are in it had them erased")
    WITHDRAWN = "withdrawn", _("The owner of a chat that is in it forbade or deleted it")
    # Alone in that it ends, once what was deleted is put back.
    DELETED = "deleted", _("A message that is in it was deleted")


class RunState(TextChoices):
    # Waits for a worker; after a worker died, again.
    QUEUED = "queued", _("Waiting")
    # A worker holds the lease and follows the program.
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    # Somebody asked for the end; what was learned until then is saved and can be gone on with.
    CANCELLED = "cancelled", _("Cancelled")
    # `message` says why in plain words.
    FAILED = "failed", _("Failed")

    @property
    def is_final(self) -> bool:
        return self not in (RunState.QUEUED, RunState.RUNNING)


FINAL_RUN_STATES = tuple(state for state in RunState if state.is_final)


class CheckState(TextChoices):
    """Where a question about a snapshot's files stands."""

    # Waits for a worker; after one died, again.
    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    # `message` says why there is no answer.
    FAILED = "failed", _("Failed")


class RequestState(TextChoices):
    """Where a snapshot that was asked for stands; once it is there, the request is gone."""

    # Waits for a worker; after one died, again.
    QUEUED = "queued", _("Waiting")
    # A process holds its lock, or has died.
    RUNNING = "running", _("Being made")
    # `message` says why.
    FAILED = "failed", _("Failed")


class RoundState(TextChoices):
    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    CANCELLED = "cancelled", _("Cancelled")
    FAILED = "failed", _("Failed")


class StepState(TextChoices):
    """Where one step of a round stands."""

    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    # Not wanted by the round's config, or the gate kept the model back.
    SKIPPED = "skipped", _("Skipped")
    FAILED = "failed", _("Failed")
