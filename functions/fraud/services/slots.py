"""The two endpoints that a stack may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fraud.deployment_ports import Endpoints, Instance, RoutingStore, Scaling
from fraud.routing import ServedModel


@dataclass(frozen=True)
class Slots:
    """The slots' endpoints.

    While a rollout is under way, both may grow with their traffic, but neither shrinks. The champion alone follows its
    traffic afterwards.

    Args:
        endpoints: brings endpoints up and down.
        routing: the routing item; what it names is never removed.
        names: of each slot's endpoint.
        scaling: machines by traffic.
        most_instances: that an endpoint may have; no more than its plan says means that it has those.
    """

    endpoints: Endpoints
    routing: RoutingStore
    names: Mapping[str, str]
    scaling: Scaling
    most_instances: int

    def hold(self) -> None:
        """Let the champion have no fewer machines than now.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted, StoreUnavailable: no answer; the same call goes on from there.
        """
        champion = self._champion()
        if champion is not None:
            self.scaling.hold(champion.endpoint)

    def grow(self, endpoint: str, instance: Instance) -> None:
        """Let the machines of an endpoint that is in service become more with its traffic, if they may, and not fewer.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted: no answer; the same call goes on from there.
        """
        if self._may_grow(instance):
            self.scaling.follow(endpoint, instance.count, self.most_instances)
            self.scaling.hold(endpoint)

    def follow(self) -> None:
        """Let the champion's machines follow its traffic, if they are to.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted, StoreUnavailable: no answer; the same call goes on from there.
        """
        champion = self._champion()
        if champion is None:
            return
        if self._may_grow(Instance(champion.instance_type, champion.instance_count)):
            self.scaling.follow(champion.endpoint, champion.instance_count, self.most_instances)
        else:
            # It may have, before the stack was deployed with another profile.
            self.scaling.forget(champion.endpoint)

    def clear(self) -> list[str]:
        """One attempt at removing what serves nobody; returns the endpoints that are not gone yet.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted, StoreUnavailable: no answer; the same call goes on from there.
        """
        routing = self.routing.read()
        serving = {model.endpoint for model in routing.slots.values()} if routing else set()
        return [name for name in self.names.values() if name not in serving and not self.endpoints.clear(name)]

    def _champion(self) -> ServedModel | None:
        routing = self.routing.read()
        return routing.slots[routing.champion] if routing else None

    def _may_grow(self, instance: Instance) -> bool:
        return instance.memory is None and 0 < instance.count < self.most_instances
