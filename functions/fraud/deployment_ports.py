"""What putting a model in service asks of the world: protocols of four methods at most, and their values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fraud.rollout_plan import serverless_memory
from fraud.routing import Routing

LONGEST_NAME = 63


class Approval(StrEnum):
    """What people decided about a package."""

    APPROVED = "approved"
    PENDING = "pending"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a model comes from, and what speaks for it.

    Args:
        description: the verdict, in words.
        commit: of the code that made it; empty where that is not known.
        generated_by: ARN of the execution that made it.
        lineage: what it was made of, by names of letters and underscores, at most 40; an empty value says nothing.
        evaluation_uri: where its measurements lie, JSON.
        report_uri: where its report lies, HTML.
        card_uri: where its model card lies, Markdown.
        query_uri: where the query that gave its data lies, SQL.
        plan_uri: where the plan of its retraining lies, JSON.
    """

    description: str
    commit: str
    generated_by: str
    lineage: Mapping[str, str]
    evaluation_uri: str
    report_uri: str
    card_uri: str
    query_uri: str
    plan_uri: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to register.

    Args:
        artefact_uri: where its archive lies.
        document_uri: where its package document lies.
        artefact_sha256: hex digest of the archive.
        artefact_bytes: size of the archive.
        approved: False leaves the approval to a person.
        evidence: where it comes from; None for one that a person brings.
    """

    artefact_uri: str
    document_uri: str
    artefact_sha256: str
    artefact_bytes: int
    approved: bool
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class RegisteredPackage:
    """A version in the registry.

    Args:
        model_package: its ARN.
        version: its number in its group.
        completed: False while the registry is still at work on it.
        approval: what people decided.
        artefact_uri: where its archive lies.
        document_uri: where its package document lies; None when not recorded.
        artefact_sha256: as recorded at registration, or None.
        artefact_bytes: as recorded at registration, or None.
    """

    model_package: str
    version: int
    completed: bool
    approval: Approval
    artefact_uri: str
    document_uri: str | None = None
    artefact_sha256: str | None = None
    artefact_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """What an endpoint runs on: so many of a type such as `ml.m5.large`, or `serverless.2gb`, which has no machines."""

    type: str
    count: int = 1

    @property
    def memory(self) -> int | None:
        """MB of a serverless endpoint; None for one with machines."""
        return serverless_memory(self.type)

    def __str__(self) -> str:
        return f"{self.count} x {self.type}" if self.memory is None else self.type


@dataclass(frozen=True, slots=True)
class Capture:
    """What endpoints keep of their requests and responses.

    Args:
        uri: where it goes, below names of endpoint and variant.
        percentage: of the requests, 0 to 100.
        key: encrypts it; None for the bucket's own.
    """

    uri: str
    percentage: int
    key: str | None


@dataclass(frozen=True, slots=True)
class Hosting:
    """What every endpoint of the application has in common.

    Args:
        role: ARN of the role that models run under.
        volume_key: key that encrypts the machines' volumes; None for the service's own. Types with local NVMe disks
            accept none.
        capture: what they keep; None for nothing.
    """

    role: str
    volume_key: str | None = None
    capture: Capture | None = None


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """An endpoint to be. Its name follows from its content: repeating a step meets what the step made before.

    Args:
        endpoint: name of the endpoint, fixed for its slot.
        model_package: ARN of what it serves.
        version: the package's number, for people who read names.
        instance: its machines.
        hosting: everything else.
    """

    endpoint: str
    model_package: str
    version: int
    instance: Instance
    hosting: Hosting

    @property
    def name(self) -> str:
        """Of its model and its configuration, which no other plan shares: endpoint, version, digest of all content."""
        suffix = f"-v{self.version}-{hashlib.sha256(self._content().encode()).hexdigest()[:8]}"
        return self.endpoint[: LONGEST_NAME - len(suffix)].rstrip("-") + suffix

    def _content(self) -> str:
        machines = f"{self.instance.count} {self.instance.type}"
        hosting = (self.hosting.role, self.hosting.volume_key or "")
        capture = self.hosting.capture
        # Nothing, where nothing is captured: plans of before there was a choice keep their names.
        kept = (capture.uri, str(capture.percentage), capture.key or "") if capture else ()
        return "\n".join((self.endpoint, self.model_package, machines, *hosting, *kept))


class Phase(StrEnum):
    """Where an endpoint is on its way."""

    CHANGING = "changing"
    IN_SERVICE = "in service"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EndpointState:
    """An endpoint as it is.

    Args:
        phase: `IN_SERVICE` says that it answers, not with which configuration.
        config: name of the configuration it has.
        detail: the service's own word for its status and the reason of a failure.
    """

    phase: Phase
    config: str
    detail: str


class Registry(Protocol):
    """Versions of the model, and what people decided about them."""

    def register(self, candidate: Candidate) -> str:
        """Add a version, or adopt the one that has the same artefact and container; its ARN.

        Raises:
            DeploymentInterrupted: may or may not have been added.
            DeploymentFailed: refused.
        """
        ...

    def describe(self, model_package: str) -> RegisteredPackage:
        """Look a version up by its ARN.

        Raises:
            InvalidPackage: there is none, or it is not what this application registers.
            DeploymentInterrupted: no answer.
        """
        ...

    def approved(self) -> Sequence[RegisteredPackage]:
        """The approved versions that this application registers, newest first, 100 at most.

        Raises:
            DeploymentInterrupted: no answer.
        """
        ...


class PackageStore(Protocol):
    """Where artefacts and package documents lie."""

    def read(self, uri: str, largest: int) -> bytes:
        """The content.

        Raises:
            InvalidPackage: nothing is there, or more than `largest` bytes.
            DeploymentInterrupted: no answer.
        """
        ...

    def write(self, name: str, content: bytes) -> str:
        """Store under a name of the application's models; its URI.

        Raises:
            DeploymentInterrupted: not known to be stored; storing again is safe.
        """
        ...


class Endpoints(Protocol):
    """Model, configuration and endpoint of a plan."""

    def create(self, plan: EndpointPlan) -> None:
        """Begin to bring the plan into service; what already exists and has the plan's content is adopted.

        Raises:
            DeploymentFailed: refused, or something else stands under one of the names.
            DeploymentInterrupted: throttled or no answer; the same call goes on from there.
        """
        ...

    def describe(self, endpoint: str) -> EndpointState | None:
        """How an endpoint is; None without one.

        Raises:
            DeploymentInterrupted: no answer.
        """
        ...

    def clear(self, endpoint: str) -> bool:
        """One attempt at removing whatever stands under an endpoint's name; True once nothing does.

        False means to try again later: it is on its way up, when it cannot be removed, or on its way out. The caller
        makes sure that no traffic is routed to it.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted: no answer; the same call goes on from there.
        """
        ...


class Scaling(Protocol):
    """How many machines an endpoint has, by its traffic."""

    def follow(self, endpoint: str, least: int, most: int) -> None:
        """Have the number of machines follow the traffic between two bounds, from now on.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted: no answer; the same call goes on from there.
        """
        ...

    def hold(self, endpoint: str) -> None:
        """Let it have no fewer machines than now, until it is told to follow again; of one that does not, nothing.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted: no answer; the same call goes on from there.
        """
        ...

    def forget(self, endpoint: str) -> None:
        """Let go of an endpoint that is to be removed; of one that is not scaled there is nothing to let go.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted: no answer; the same call goes on from there.
        """
        ...


class RoutingStore(Protocol):
    """The routing item; it is written with a rollout's record only, see `rollout_ports.RolloutStore`."""

    def read(self) -> Routing | None:
        """The item, read consistently; None while no model serves.

        Raises:
            StoreUnavailable: not read.
        """
        ...
