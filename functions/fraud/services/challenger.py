"""The challenger's endpoint: brought up, proven, and removed. The champion's is never touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from fraud.deployment_ports import EndpointPlan, Endpoints, EndpointState, Hosting, Instance, Phase
from fraud.errors import DeploymentFailed, DeploymentInterrupted, ModelUnavailable
from fraud.model_package import check_scores
from fraud.ports import Scorer
from fraud.rollout import Rollout
from fraud.rollout_plan import APPROVAL_LOOK, ENDPOINT_LOOK, LONGEST_REMOVAL
from fraud.rollout_task import Answer, Task
from fraud.services.packages import CheckedPackage, Packages
from fraud.services.rollout_records import RolloutRecords
from fraud.services.slots import Slots

SMOKE_PAUSES = (2.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0)
"""Seconds between attempts to have the smoke vectors scored: workers load the model at their first request, and a
serverless endpoint has to start one first. Few attempts, because the slot's alarms count them."""
SMOKE_ATTEMPTS = len(SMOKE_PAUSES) + 1


@dataclass(frozen=True)
class Challenger:
    """The use-case behind `deploy_challenger`.

    Args:
        records: the rollout.
        packages: checks what is brought up.
        endpoints: brings endpoints up and down.
        slots: what is removed when it serves nobody.
        scorer: the one that scoring uses, so that what is proven is what will serve.
        hosting: for a type of machine, what endpoints have in common.
        sleep: waits so many seconds.
    """

    records: RolloutRecords
    packages: Packages
    endpoints: Endpoints
    slots: Slots
    scorer: Scorer
    hosting: Callable[[str], Hosting]
    sleep: Callable[[float], None]

    def bring_up(self, task: Task) -> Answer:
        """One look at the endpoint and the next thing to do for it; `ready`, or `wait`.

        What an earlier rollout left in the slot is removed first.

        Raises:
            DeploymentFailed: it will not come into service, or not in time.
            RolloutStopped, RolloutSuperseded: nothing more is to be done for it.
            DeploymentInterrupted, RolloutMoved, StoreUnavailable: ask again.
        """
        rollout = self.records.reversible(task.execution)
        plan = self._plan(rollout)
        self._check_time(rollout)
        state = self.endpoints.describe(plan.endpoint)
        if not rollout.created and not _is_of(plan, state):
            return self._create(rollout, plan)
        if state is None:
            raise DeploymentFailed(f"endpoint {plan.endpoint} does not exist any more")
        if state.phase is Phase.FAILED or (state.phase is Phase.IN_SERVICE and state.config != plan.name):
            raise DeploymentFailed(
                f"endpoint {plan.endpoint} did not come into service as {plan.name}: {state.config} is {state.detail}"
            )
        if state.phase is not Phase.IN_SERVICE:
            return self._wait(rollout, f"Endpoint {plan.endpoint} is {state.detail}.")
        said = self._scaled(rollout, partial(self.slots.grow, plan.endpoint, plan.instance))
        return Answer(next="ready", sentence=said)

    def _check_time(self, rollout: Rollout) -> None:
        waited = self.records.clock() - rollout.since
        if waited > rollout.plan.deploy_seconds:
            raise DeploymentFailed(f"endpoint {rollout.candidate.endpoint} is not in service after {waited:,.0f} s")

    def _create(self, rollout: Rollout, plan: EndpointPlan) -> Answer:
        if not self.endpoints.clear(plan.endpoint):
            return self._wait(rollout, f"What an earlier rollout left as {plan.endpoint} is being removed.")
        self.slots.hold()
        self.endpoints.create(plan)
        sentence = f"Endpoint {plan.endpoint} is being created: {plan.instance}."
        noted = rollout.told(self.records.clock(), sentence)
        self.records.save(noted, rollout.plan.deploy_seconds, created=True)
        return self._wait(rollout, sentence)

    def smoke(self, task: Task) -> Answer:
        """Have the endpoint score the package's smoke vectors; the answer says what follows.

        Raises:
            InvalidPackage: it scores otherwise than the package recorded.
            DeploymentFailed: it does not answer.
            RolloutStopped, RolloutSuperseded: nothing more is to be done for it.
            DeploymentInterrupted, RolloutMoved, StoreUnavailable: ask again.
        """
        rollout = self.records.reversible(task.execution)
        package = self.packages.check(rollout.candidate.model_package)
        self._prove(rollout, package)
        count = len(package.document.smoke_vectors)
        sentence = f"{count} smoke vectors are scored as the package says."
        self.records.save(rollout.told(self.records.clock(), sentence))
        return _after_smoke(rollout, sentence)

    def _prove(self, rollout: Rollout, package: CheckedPackage) -> None:
        vectors = [each.features for each in package.document.smoke_vectors]
        for attempt in range(SMOKE_ATTEMPTS):
            try:
                scores = self.scorer.score(rollout.served, vectors)
            except ModelUnavailable as error:
                if attempt == SMOKE_ATTEMPTS - 1:
                    endpoint = rollout.candidate.endpoint
                    raise DeploymentFailed(f"endpoint {endpoint} does not score its smoke vectors: {error}") from error
                self.sleep(SMOKE_PAUSES[attempt])
            else:
                check_scores(package.document, [score.value if score else None for score in scores])
                return

    def remove(self, task: Task) -> Answer:
        """Remove the endpoint of every slot that the routing item does not name; `removed`, or `wait`.

        Raises:
            RolloutSuperseded: the slots are another rollout's by now.
            DeploymentInterrupted: refused, or not gone in time: traffic is where it belongs, a person has to look.
            StoreUnavailable: ask again.
        """
        rollout = self.records.owned(task.execution)
        try:
            left = self.slots.clear()
        except DeploymentFailed as refused:
            raise DeploymentInterrupted(str(refused)) from refused
        if left and self.records.clock() - rollout.since > LONGEST_REMOVAL:
            raise DeploymentInterrupted(f"{', '.join(left)} is not gone after {LONGEST_REMOVAL / 3600:g} hours")
        if left:
            self.records.save(rollout)  # which renews the lease
            return self._wait(rollout, f"{', '.join(left)} is being removed.")
        serves = f"Version {rollout.candidate.version} serves as champion in slot {rollout.candidate.slot}."
        said = f"{rollout.reason or serves} {self._scaled(rollout, self.slots.follow)}".rstrip()
        return Answer(next="removed", sentence=said, model_package_arn=rollout.candidate.model_package)

    def _scaled(self, rollout: Rollout, act: Callable[[], None]) -> str:
        """A refusal is told, and ends nothing: an endpoint serves with the machines that it has."""
        try:
            act()
        except DeploymentFailed as refused:
            said = f"Machines do not follow the traffic: {refused}."
            self.records.save(rollout.told(self.records.clock(), said))
            return said
        return ""

    def _wait(self, rollout: Rollout, sentence: str) -> Answer:
        """Half as long again as this has taken: short at first, because on a laptop everything is."""
        seconds = round((self.records.clock() - rollout.since) / 2)
        return Answer(next="wait", sentence=sentence, wait_seconds=min(max(1, seconds), ENDPOINT_LOOK))

    def _plan(self, rollout: Rollout) -> EndpointPlan:
        candidate = rollout.candidate
        instance = Instance(candidate.instance_type, candidate.instance_count)
        hosting = self.hosting(candidate.instance_type)
        return EndpointPlan(candidate.endpoint, candidate.model_package, candidate.version, instance, hosting)


def _is_of(plan: EndpointPlan, state: EndpointState | None) -> bool:
    """Whether an endpoint on its way, or in service, is the plan's already."""
    return state is not None and state.config == plan.name and state.phase is not Phase.FAILED


def _after_smoke(rollout: Rollout, sentence: str) -> Answer:
    plan = rollout.plan
    if rollout.champion is None:
        return Answer(next="bootstrap", sentence=sentence)
    if plan.shadow_seconds:
        return Answer(next="shadow", sentence=sentence)
    if plan.approval == "before_traffic":
        return Answer(next="ask", sentence=sentence, step=0, wait_seconds=min(plan.approval_seconds, APPROVAL_LOOK))
    return Answer(next="shift", sentence=sentence, step=0)
