"""What training says no with. Texts are shown to people: what happened, then what to do."""

from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError


class InvalidConfig(DomainError):
    """The text names the key, its value and what was expected."""

    code = "invalid_config"
    status = 422


class RunUnderWay(DomainError):
    code = "run_under_way"
    status = 409
    default_message = _("This run is under way already.")


class NotCancellable(DomainError):
    code = "not_cancellable"
    status = 409
    default_message = _("This run has ended already: there is nothing to cancel.")


class NotResumable(DomainError):
    code = "not_resumable"
    status = 409
    default_message = _("Only a run that was cancelled or failed can be gone on with.")


class SnapshotExists(DomainError):
    code = "snapshot_exists"
    status = 409


class SnapshotSuperseded(DomainError):
    """Something in it was erased since; nothing new is trained on it."""

    code = "snapshot_superseded"
    status = 409


class SnapshotCurrent(DomainError):
    """Nothing in it was erased: its files stay."""

    code = "snapshot_current"
    status = 409


class SnapshotBroken(DomainError):
    """A snapshot's files are not what they were."""

    code = "snapshot_broken"
    status = 409


class NotServable(DomainError):
    """A folder lacks what a served model needs; nobody may overrule that."""

    code = "not_servable"
    status = 409


class GateClosed(DomainError):
    """A model may not go live as it is; `objections` are sentences that say why."""

    code = "gate_closed"
    status = 409

    def __init__(self, objections: list[str]) -> None:
        super().__init__(" ".join(objections))
        self.objections = objections


class NothingToRollBack(DomainError):
    code = "nothing_to_roll_back"
    status = 409
    default_message = _("Nothing was served under this name before: there is no way back.")


class RoundUnderWay(DomainError):
    code = "round_under_way"
    status = 409
    default_message = _("This round is under way in another process.")
