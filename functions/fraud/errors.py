"""Every error the application raises on purpose.

    FraudError
    ├── Retryable                the same call may succeed later
    │   ├── StoreUnavailable     throttled, timed out or failing store
    │   ├── ModelUnavailable     the endpoint did not answer with usable scores
    │   ├── DeploymentInterrupted  a step of a deployment did not come to its end
    │   ├── RolloutMoved         somebody else changed the rollout meanwhile
    │   ├── RetrainingMoved      somebody else changed the retraining's record meanwhile
    │   └── MonitoringMoved      somebody else changed the monitoring's record meanwhile
    └── Permanent                the same call will fail for ever
        ├── InvalidRecord        a record that cannot be accepted
        │   ├── InvalidTransaction
        │   └── InvalidLabel
        ├── InvalidSettings      a missing or malformed environment variable
        ├── InvalidPolicy        a malformed policy document
        ├── InvalidPackage       a model package that cannot be served
        ├── DeploymentFailed     a model that could not be put in service
        ├── UnknownStateVersion  an entity that other code wrote
        ├── InvalidPlan          a plan of a rollout or a retraining that cannot be followed
        ├── InvalidEvidence      what a job wrote of its findings, and nobody can read
        ├── RetrainingRefused    a retraining that may not begin as it was asked for
        ├── ModelMonitorRefused  SageMaker Model Monitor is not to be had
        ├── MonitoringRefused    a refresh of monitoring, or a look, that cannot be followed as it was asked for
        ├── Superseded           the caller's run is over, or is another's by now
        │   ├── RetrainingSuperseded
        │   ├── MonitoringSuperseded
        │   └── RolloutSuperseded
        ├── RolloutRefused       a rollout, or an answer to its question, that may not be
        ├── RolloutStopped       the rollout was told to roll back
        └── RollbackUnverified   traffic was not seen to be back with the champion

No message carries a payload: what a producer sent may hold what must never reach a log.
"""

from __future__ import annotations


class FraudError(Exception):
    """Base of every error raised on purpose."""


class Retryable(FraudError):
    """The same call may succeed later."""


class StoreUnavailable(Retryable):
    """A store throttled, timed out or failed."""


class ModelUnavailable(Retryable):
    """An endpoint did not answer with usable scores."""


class DeploymentInterrupted(Retryable):
    """A step of a deployment did not come to its end; the same call goes on from there."""


class RolloutMoved(Retryable):
    """Somebody else changed the rollout meanwhile; nothing was written."""


class RetrainingMoved(Retryable):
    """Somebody else changed the retraining's record meanwhile; nothing was written."""


class MonitoringMoved(Retryable):
    """Somebody else changed the monitoring's record meanwhile; nothing was written."""


class Permanent(FraudError):
    """The same call will fail for ever."""


class InvalidRecord(Permanent):
    """A record that cannot be accepted.

    Args:
        reason: stable snake_case word for counting and filtering.
        detail: one sentence for a person; never holds a value of the payload.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class InvalidTransaction(InvalidRecord):
    """A transaction record that cannot be accepted."""


class InvalidLabel(InvalidRecord):
    """A label that cannot be accepted."""


class InvalidSettings(Permanent):
    """A missing or malformed environment variable."""


class InvalidPolicy(Permanent):
    """A malformed policy document."""


class InvalidPackage(Permanent):
    """A model package that cannot be served."""


class DeploymentFailed(Permanent):
    """A model that could not be put in service."""


class UnknownStateVersion(Permanent):
    """An entity's state was written by code with other levels or sums."""

    def __init__(self, found: int, understood: int) -> None:
        super().__init__(f"the state has version {found}, this code understands version {understood} only")


class InvalidPlan(Permanent):
    """A plan of a rollout or a retraining that cannot be followed."""


class InvalidEvidence(Permanent):
    """What a job wrote of its findings, and nobody can read."""


class RetrainingRefused(Permanent):
    """A retraining that may not begin as it was asked for."""


class ModelMonitorRefused(Permanent):
    """SageMaker Model Monitor is not to be had: in this account, this region, or for this endpoint."""


class MonitoringRefused(Permanent):
    """A refresh of monitoring, or a look at a window, that cannot be followed as it was asked for."""


class Superseded(Permanent):
    """The caller's run is over, or another execution's by now; it must change nothing."""


class RetrainingSuperseded(Superseded):
    """The caller's retraining is over, or another execution's by now; it must change nothing."""


class RolloutRefused(Permanent):
    """A rollout that may not begin, or an answer that a rollout does not take."""


class RolloutStopped(Permanent):
    """The rollout was told to roll back, by an alarm or a person."""


class MonitoringSuperseded(Superseded):
    """The caller's refresh of monitoring is over, or another execution's by now; it must change nothing."""


class RolloutSuperseded(Superseded):
    """The caller's rollout is over, or another execution's by now; it must change nothing."""


class RollbackUnverified(Permanent):
    """Traffic was not seen to be back with the champion."""
