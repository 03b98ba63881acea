"""The two endpoints that a stack may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fraud.deployment_ports import Endpoints, RoutingStore


@dataclass(frozen=True)
class Slots:
    """The slots' endpoints.

    Args:
        endpoints: brings endpoints up and down.
        routing: the routing item; what it names is never removed.
        names: of each slot's endpoint.
    """

    endpoints: Endpoints
    routing: RoutingStore
    names: Mapping[str, str]

    def clear(self) -> list[str]:
        """One attempt at removing what serves nobody; returns the endpoints that are not gone yet.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted, StoreUnavailable: no answer; the same call goes on from there.
        """
        routing = self.routing.read()
        serving = {model.endpoint for model in routing.slots.values()} if routing else set()
        return [name for name in self.names.values() if name not in serving and not self.endpoints.clear(name)]
