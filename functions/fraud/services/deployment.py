"""Putting a model in service: check the package, bring up an endpoint, prove it, and only then let traffic to it.

Every step can be repeated, and goes on from where an interrupted one stopped: names follow from content, and what
exists is adopted. `bootstrap_champion` runs them in order for a stack without a model; a rollout calls them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fraud.deployment_ports import EndpointPlan, Endpoints, Hosting, Instance, Phase, RoutingStore
from fraud.errors import (
    DeploymentFailed,
    DeploymentInterrupted,
    FraudError,
    InvalidPackage,
    ModelUnavailable,
    RoutingConflict,
)
from fraud.model_package import check_scores
from fraud.ports import Scorer
from fraud.routing import Routing, ServedModel
from fraud.services.packages import CheckedPackage, Packages

FIRST_SLOT = "a"
PATIENCE = 30 * 60.0
"""Seconds an endpoint may take to come into service; five minutes are usual."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between looks at an endpoint; they double, because on a laptop it is up in a second."""
SMOKE_ATTEMPTS = 8
"""Workers load the model at their first request, and the first answers may come too late."""
SMOKE_PAUSE = 2.0
"""Seconds between attempts to have the smoke vectors scored."""


@dataclass(frozen=True)
class Deployment:
    """Puts models in service.

    Args:
        packages: registers and checks model packages.
        endpoints: brings endpoints up and down.
        routing: the routing item.
        scorer: the one that scoring uses, so that what is proven is what will serve.
        slots: name of each slot's endpoint.
        hosting: what endpoints have in common.
        monotonic: seconds, to bound the waiting.
        sleep: waits so many seconds.
        new_salt: a salt nobody used before.
        progress: told one sentence at every step.
    """

    packages: Packages
    endpoints: Endpoints
    routing: RoutingStore
    scorer: Scorer
    slots: Mapping[str, str]
    hosting: Hosting
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    new_salt: Callable[[], str]
    progress: Callable[[str], None]

    def register(self, artefact: bytes, *, approved: bool) -> str:
        """Register an archive as the next version of the model, under a name that its content determines; its ARN.

        Raises:
            InvalidPackage: it could not be served, so it is not registered.
            DeploymentFailed: the registry refuses.
            DeploymentInterrupted: try again; a version that was added is then adopted.
        """
        return self.packages.register(artefact, approved=approved)

    def bootstrap_champion(self, model_package: str, instance: Instance) -> Routing:
        """Put the first model in service, in slot a, for every card; returns the routing now in force.

        Nothing reaches the model before its package is checked and its smoke vectors are scored as recorded. What was
        created is removed when it fails; it is kept when the call was merely interrupted (Retryable), and the same
        call then goes on from there. Meant for one operator at a time: two at once may take each other's endpoint.

        Args:
            model_package: ARN of an approved version.
            instance: its machines.

        Raises:
            RoutingConflict: a champion already serves, or somebody else was faster.
            InvalidPackage: not approved, damaged, without a contract that this code serves, or scoring otherwise.
            DeploymentFailed: the endpoint did not come into service; the message has the reason.
            DeploymentInterrupted: throttled, not answered, or not in service in time.
            StoreUnavailable: the routing item could not be read or written.
        """
        self.refuse_second_champion()
        package = self.check(model_package)
        plan = self.plan(FIRST_SLOT, package, instance)
        try:
            self.create(plan)
            self.wait(plan)
            self.prove(plan, package)
            return self.serve_first(FIRST_SLOT, plan, package)
        except (DeploymentFailed, InvalidPackage, RoutingConflict) as failure:
            raise self._removed(plan, failure) from failure

    def refuse_second_champion(self) -> None:
        """Stop unless there is no model yet.

        Raises:
            RoutingConflict: there is one.
        """
        standing = self.routing.read()
        if standing is not None:
            raise RoutingConflict(_already_serves(standing))

    def check(self, model_package: str) -> CheckedPackage:
        """Check a package before anything is created for it.

        Raises:
            InvalidPackage: with the first thing found wrong.
            DeploymentInterrupted: the registry is still at work on it, or does not answer.
        """
        self.progress(f"Checking {model_package}")
        return self.packages.check(model_package)

    def plan(self, slot: str, package: CheckedPackage, instance: Instance) -> EndpointPlan:
        """What is to stand in a slot; the same arguments give the same plan, names included."""
        registered = package.registered
        return EndpointPlan(self.slots[slot], registered.model_package, registered.version, instance, self.hosting)

    def create(self, plan: EndpointPlan) -> None:
        """Begin to bring the plan into service, or adopt what an earlier call began.

        Raises:
            DeploymentFailed: refused, or something else stands under one of the names.
            DeploymentInterrupted: throttled or no answer.
        """
        self.progress(f"Creating endpoint {plan.endpoint} on {plan.instance.count} x {plan.instance.type}")
        self.endpoints.create(plan)

    def wait(self, plan: EndpointPlan) -> None:
        """Wait until the plan is in service.

        Raises:
            DeploymentFailed: it will not be.
            DeploymentInterrupted: not in time; it may still be on its way.
        """
        started, pause = self.monotonic(), SHORTEST_PAUSE
        while not self.is_ready(plan):
            waited = self.monotonic() - started
            if waited >= PATIENCE:
                raise DeploymentInterrupted(
                    f"endpoint {plan.endpoint} is not in service after {PATIENCE / 60:.0f} minutes; it is left as it "
                    "is: run the same again to go on waiting, or delete it to stop paying for it"
                )
            self.progress(f"Waiting for endpoint {plan.endpoint}, {waited:.0f} s")
            self.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def is_ready(self, plan: EndpointPlan) -> bool:
        """One look: whether the plan is in service; False while it is on its way.

        Raises:
            DeploymentFailed: it failed, it is gone, or it is in service with another configuration, as after an update
                that was rolled back.
        """
        state = self.endpoints.describe(plan.endpoint)
        if state is None:
            raise DeploymentFailed(f"endpoint {plan.endpoint} does not exist")
        if state.phase is Phase.FAILED:
            raise DeploymentFailed(f"endpoint {plan.endpoint} did not come into service: {state.detail}")
        if state.phase is Phase.IN_SERVICE and state.config != plan.name:
            raise DeploymentFailed(
                f"endpoint {plan.endpoint} is in service with configuration {state.config}, not {plan.name}"
            )
        return state.phase is Phase.IN_SERVICE

    def prove(self, plan: EndpointPlan, package: CheckedPackage) -> None:
        """Have the endpoint score the smoke vectors.

        Raises:
            InvalidPackage: it scores otherwise than the package recorded.
            DeploymentFailed: it does not answer.
        """
        document = package.document
        self.progress(f"Scoring {len(document.smoke_vectors)} smoke vectors")
        scores = self._scores(
            document.served_at(plan.endpoint, plan.model_package), [each.features for each in document.smoke_vectors]
        )
        check_scores(document, scores)

    def serve_first(self, slot: str, plan: EndpointPlan, package: CheckedPackage) -> Routing:
        """Let all traffic to the plan's endpoint; the next batch that is scored uses it.

        Raises:
            RoutingConflict: a champion already serves.
            StoreUnavailable: not known to be written.
        """
        served = package.document.served_at(plan.endpoint, plan.model_package)
        routing = Routing(1, "steady", slot, None, 0, self.new_salt(), {slot: served})
        try:
            self.routing.create(routing)
        except RoutingConflict as conflict:
            standing = self.routing.read()
            if standing != routing:  # else this very write had arrived, and only its answer was lost
                raise RoutingConflict(_already_serves(standing) if standing else str(conflict)) from conflict
        self.progress(f"{plan.model_package} serves as champion in slot {slot}")
        return routing

    def remove(self, plan: EndpointPlan) -> None:
        """Remove the plan's endpoint, configuration and model, unless traffic is routed to the endpoint.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted: no answer.
            StoreUnavailable: the routing item could not be read, so nothing was removed.
        """
        routing = self.routing.read()
        if routing and any(model.endpoint == plan.endpoint for model in routing.slots.values()):
            return
        self.progress(f"Removing endpoint {plan.endpoint}")
        self.endpoints.remove(plan)

    def _scores(self, model: ServedModel, rows: Sequence[Sequence[float | None]]) -> list[float | None]:
        for _ in range(SMOKE_ATTEMPTS - 1):
            try:
                return self._ask(model, rows)
            except ModelUnavailable:
                self.sleep(SMOKE_PAUSE)
        try:
            return self._ask(model, rows)
        except ModelUnavailable as error:
            raise DeploymentFailed(f"endpoint {model.endpoint} does not score its smoke vectors: {error}") from error

    def _ask(self, model: ServedModel, rows: Sequence[Sequence[float | None]]) -> list[float | None]:
        return [score.value if score else None for score in self.scorer.score(model, rows)]

    def _removed(self, plan: EndpointPlan, failure: FraudError) -> FraudError:
        """The failure, once what was created is removed; it says so if that failed as well."""
        try:
            self.remove(plan)
        except FraudError as left:
            return type(failure)(f"{failure}. What was created could not be removed: {left}")
        return failure


def _already_serves(standing: Routing) -> str:
    champion = standing.slots[standing.champion]
    return (
        f"{champion.model_package} already serves as champion in slot {standing.champion}, epoch {standing.epoch}: "
        "bring another model in with a rollout; bootstrapping is for a stack that has none"
    )
