"""One class per way things can fail; the class name is what the state machine sees."""

from __future__ import annotations


class AutoRepairError(Exception):
    """Base of every error this service raises on purpose."""


class TransientServiceError(AutoRepairError):
    """An AWS API was throttled or unavailable; the same call may work a moment later."""


class AccessDeniedError(AutoRepairError):
    """An AWS API refused the service's own role; somebody has to grant the permission."""


class TargetNotFoundError(AutoRepairError):
    """The function that the alarm names does not exist (any more)."""


class MalformedEventError(AutoRepairError):
    """An event is not what its source promises; the message says which field."""


class PolicyUnreadableError(AutoRepairError):
    """The policy parameter could not be read or does not validate."""


class StaleConfigurationError(AutoRepairError):
    """The function is no longer configured as it was when the change was planned."""


class UpdateInProgressError(AutoRepairError):
    """Another update of the function had not settled within the time given."""


class UpdateFailedError(AutoRepairError):
    """Lambda accepted the change and then could not put it into effect."""


class EnvironmentUnreadableError(AutoRepairError):
    """The environment map cannot be read, so writing it would wipe what is there."""


class UndeclaredValueError(AutoRepairError):
    """A variable has no declared source, or the source cannot be read."""


class ChangeRefusedError(AutoRepairError):
    """Lambda's own limits or validation refused the change."""


class EvidenceMissingError(AutoRepairError):
    """Stored evidence is gone or is not what its pointer says it is."""


class RecordConflictError(AutoRepairError):
    """An audit record could not be appended because the chain kept moving."""


class LeaseHeldError(AutoRepairError):
    """Another execution holds the right to write to this function."""


class LeaseLostError(LeaseHeldError):
    """The right to write was lost before the write; somebody else may hold it by now."""


class ConfigurationError(AutoRepairError):
    """The service itself is set up wrongly; the message names the variable or parameter."""


class RecordUnreadableError(AutoRepairError):
    """An item of the audit table is not a record any more; the message says which."""


class IncidentUnknownError(AutoRepairError):
    """There is no record of such an incident."""


class NothingKeptError(AutoRepairError):
    """The incident left nothing changed (yet), so there is nothing to make permanent."""


class NotWaitingError(AutoRepairError):
    """The incident waits for no answer (any more); the message says why."""


class PlanChangedError(AutoRepairError):
    """The plan that was answered is not the one that waits for an answer."""


class ContraryAnswerError(AutoRepairError):
    """The plan was answered before, and differently; the first answer stands."""


class UnsettledError(AutoRepairError):
    """Reconcile could not settle everything; the message names what and why."""


class AdviceUnusableError(AutoRepairError):
    """A model answered, and not in the form it was asked for; its answer counts for nothing."""
