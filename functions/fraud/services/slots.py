"""The two endpoints that a stack may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fraud.deployment_ports import Endpoints, RoutingStore, Scaling
from fraud.rollout_plan import serverless_memory
from fraud.routing import ServedModel


@dataclass(frozen=True)
class Scaled:
    """Machines by traffic.

    Args:
        scaling: does it.
        most: machines of an endpoint.
    """

    scaling: Scaling
    most: int


@dataclass(frozen=True)
class Slots:
    """The slots' endpoints.

    While a rollout is under way, machines stay as many as they are: an endpoint that grows would be measured, too. The
    champion alone follows its traffic afterwards.

    Args:
        endpoints: brings endpoints up and down.
        routing: the routing item; what it names is never removed.
        names: of each slot's endpoint.
        scaled: machines by traffic; None where their number is fixed.
    """

    endpoints: Endpoints
    routing: RoutingStore
    names: Mapping[str, str]
    scaled: Scaled | None = None

    def hold(self) -> None:
        """Leave the champion at the machines that it has.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted, StoreUnavailable: no answer; the same call goes on from there.
        """
        routing = self.routing.read() if self.scaled else None
        if self.scaled and routing:
            self.scaled.scaling.hold(routing.slots[routing.champion].endpoint)

    def clear(self) -> list[str]:
        """One attempt at removing what serves nobody; returns the endpoints that are not gone yet.

        Once all are gone, the champion's machines follow its traffic.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted, StoreUnavailable: no answer; the same call goes on from there.
        """
        routing = self.routing.read()
        serving = {model.endpoint for model in routing.slots.values()} if routing else set()
        left = [name for name in self.names.values() if name not in serving and not self.endpoints.clear(name)]
        if routing and not left:
            self._follow(routing.slots[routing.champion])
        return left

    def _follow(self, champion: ServedModel) -> None:
        least = champion.instance_count
        has_machines = least > 0 and serverless_memory(champion.instance_type) is None
        if self.scaled and has_machines and self.scaled.most > least:
            self.scaled.scaling.follow(champion.endpoint, least, self.scaled.most)
