"""Before a rollout touches anything: what is to be rolled out, whether it may be, and the lock."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from fraud import rollout_plan, rollout_task
from fraud.deployment_ports import RegisteredPackage, Registry, RoutingStore
from fraud.errors import RollbackUnverified, RolloutMoved, RolloutRefused, RolloutSuperseded
from fraud.rollout import Candidate, Rollout, Stage
from fraud.rollout_plan import Plan, serverless_memory
from fraud.rollout_ports import SlotAlarms, Traffic
from fraud.rollout_task import Answer, Request, Task
from fraud.routing import Routing, ServedModel
from fraud.services.packages import CheckedPackage, Packages
from fraud.services.rollback import Rollback
from fraud.services.rollout_records import SLACK, RolloutRecords


@dataclass(frozen=True)
class RolloutStart:
    """The use-case behind `prepare_rollout`.

    Args:
        records: the rollout.
        routing: the routing item.
        registry: versions and approvals.
        packages: checks them.
        alarms: those of the slots.
        traffic: how much there is to see.
        rollback: for what a dead execution left.
        slots: name of each slot's endpoint.
        default_plan: of the stack; what a person asks for goes over it.
        profile_plan: what the stack's profile says where nothing else does.
    """

    records: RolloutRecords
    routing: RoutingStore
    registry: Registry
    packages: Packages
    alarms: SlotAlarms
    traffic: Traffic
    rollback: Rollback
    slots: Mapping[str, str]
    default_plan: Mapping[str, Any]
    profile_plan: Mapping[str, Any] = field(default_factory=dict)

    # --- Preflight: reads only ---------------------------------------------------------------------------------------

    def check(self, task: Task) -> Answer:
        """Choose the package and see that it can be rolled out; `roll_out`, or `nothing` and why.

        Raises:
            RolloutRefused, InvalidPlan, InvalidPackage: it cannot.
            DeploymentInterrupted, StoreUnavailable: no answer; ask again.
        """
        request = rollout_task.request(task.input)
        routing = self.routing.read()
        rollout_plan.parse(self._wanted(request, routing))
        chosen = self._chosen(request, routing)
        if isinstance(chosen, str):
            return Answer(next="nothing", sentence=chosen)
        self.packages.check(chosen.model_package)
        return Answer(
            next="roll_out",
            sentence=self._outlook(request, routing)[1],
            model_package_arn=chosen.model_package,
        )

    def _chosen(self, request: Request, routing: Routing | None) -> RegisteredPackage | str:
        """The package to roll out, or why there is none."""
        serving = routing.slots[routing.champion].model_package if routing else None
        if not request.model_package_arn:
            return self._newest(serving)
        moves = bool(request.plan.keys() & {"instance_type", "instance_count"})
        if request.model_package_arn == serving and not moves:
            return f"{serving} serves already: name instance_type or instance_count to move it to other machines."
        named = self.registry.describe(request.model_package_arn)
        if request.started_by == rollout_task.BY_APPROVAL:
            # The registry tells of every change of a package, also of one that was approved long ago.
            return self._step_back(named, serving) or named
        return named

    def _step_back(self, named: RegisteredPackage, serving: str | None) -> str | None:
        """Why only a person may roll a package out; None where an event may."""
        last = self.records.store.read()
        if not self._is_newer(named, serving):
            return f"Version {named.version} is older than the champion {serving}: only a person takes a step back."
        if last is not None and last.stage is Stage.ROLLED_BACK and last.candidate.model_package == named.model_package:
            return f"Version {named.version} was rolled back: {last.reason} Only a person rolls it out again."
        return None

    def _newest(self, serving: str | None) -> RegisteredPackage | str:
        approved = self.registry.approved()
        if not approved:
            return "No model package is approved: approve one, or register one with `fraud deploy-model`."
        newest = max(approved, key=lambda each: each.version)
        if not self._is_newer(newest, serving):
            return f"Version {newest.version} is the newest approved one, and {serving} serves already."
        return newest

    def _is_newer(self, package: RegisteredPackage, serving: str | None) -> bool:
        """By the number at the end of the champion's ARN; its package may be gone from the registry."""
        return serving is None or package.version > int(serving.rpartition("/")[2])

    def _outlook(self, request: Request, routing: Routing | None) -> tuple[Plan, str]:
        """The plan that can finish with today's traffic, and how long it will take.

        Raises:
            RolloutRefused: alarms or traffic are against it.
        """
        wanted = self._wanted(request, routing)
        plan = rollout_plan.parse(wanted)
        if routing is None:
            return plan, "The first model of this stack: it serves as soon as its smoke vectors are scored as recorded."
        unfit = self.alarms.unfit(_free(routing))
        if unfit:
            raise RolloutRefused(f"The alarms of slot {_free(routing)} cannot guard a rollout now. {' '.join(unfit)}")
        per_second = self.traffic.per_second()
        if "steps_bps" not in wanted:
            plan = rollout_plan.fitted(plan, per_second)
        return plan, rollout_plan.estimate(plan, per_second)

    def _wanted(self, request: Request, routing: Routing | None) -> dict[str, Any]:
        """What was asked for, over the stack's defaults, the champion's machines, and those of the stack's profile.

        A challenger needs as many machines as the champion's plan had, unless one has machines and the other none.
        """
        wanted = {**self.default_plan, **request.plan}.get("instance_type")
        machines = _machines(routing.slots[routing.champion], wanted) if routing else {}
        return rollout_plan.merged({**self.profile_plan, **machines, **self.default_plan}, request.plan)

    # --- Lock --------------------------------------------------------------------------------------------------------

    def lock(self, task: Task) -> Answer:
        """Begin the record, which is the lock; `locked`, or `under_way` when the same package is on its way already.

        The lock of an execution that has been silent beyond its lease is taken over, its traffic restored first.

        Raises:
            RolloutRefused: another rollout is under way.
            RolloutMoved, DeploymentInterrupted, StoreUnavailable: ask again.
        """
        previous = self.records.store.read()
        if previous is not None and previous.owner == task.execution:
            return _locked(previous)
        if previous is not None and not previous.released:
            if previous.lease_until > self.records.clock():
                return self._occupied(previous, task.model_package_arn)
            previous = self._taken_over(previous)
        routing = self.routing.read()
        self._check_choice(task, routing)
        return _locked(self.records.store.begin(self._record(task, routing), previous))

    def _check_choice(self, task: Task, routing: Routing | None) -> None:
        """See that what was checked is still to be rolled out: a redrive may come days later."""
        chosen = self._chosen(rollout_task.request(task.input), routing)
        if isinstance(chosen, str):
            raise RolloutRefused(chosen)
        if chosen.model_package != task.model_package_arn:
            raise RolloutRefused(f"Version {chosen.version} is to be rolled out by now: start again.")

    def _occupied(self, holder: Rollout, model_package: str) -> Answer:
        if holder.candidate.model_package == model_package:
            return Answer(next="under_way", sentence=f"{holder.owner} rolls {model_package} out already.")
        raise RolloutRefused(
            f"Rollout {holder.rollout_id} of version {holder.candidate.version}, started by {holder.started_by}, is "
            f"{holder.stage}: wait for it, or stop it with `fraud rollout abort`."
        )

    def _taken_over(self, silent: Rollout) -> Rollout:
        """Close the record of an execution that is dead."""
        sentence = f"Nothing was heard of {silent.owner} beyond its lease."
        self.rollback.stop(lambda rollout: rollout.owner == silent.owner, sentence)
        left = self.records.store.read()
        if left is None or left.owner != silent.owner:
            raise RolloutMoved("Another rollout began at the same moment: read again whose lock it is.")
        if left.released:
            return left
        if left.stage is Stage.ROLLING_BACK:
            left = self._verified(left)
        return self.records.store.save(replace(left, released=True))

    def _verified(self, left: Rollout) -> Rollout:
        """See that traffic is back before anything new begins."""
        try:
            return self.rollback.verified(left)
        except RollbackUnverified as error:
            raise RolloutRefused(
                f"The rollback of {left.rollout_id} is not verified: {error}. Look with `fraud status`, mend it, and "
                "start again."
            ) from error

    def _record(self, task: Task, routing: Routing | None) -> Rollout:
        request, now = rollout_task.request(task.input), self.records.clock()
        plan, outlook = self._outlook(request, routing)
        package = self.packages.look(task.model_package_arn)
        slot = _free(routing)
        candidate = Candidate(
            slot=slot,
            endpoint=self.slots[slot],
            model_package=task.model_package_arn,
            version=package.registered.version,
            instance_type=plan.instance_type,
            instance_count=plan.instance_count,
        )
        rollout = Rollout(
            rollout_id=task.execution_name,
            owner=task.execution,
            started_by=request.started_by,
            started_at=now,
            since=now,
            lease_until=now + plan.deploy_seconds + SLACK,
            candidate=candidate,
            served=_served(package, candidate),
            champion=routing.champion if routing else None,
            plan=plan,
            estimate=outlook,
        )
        return rollout.told(now, f"Version {candidate.version} goes to slot {slot}, asked for by {request.started_by}.")


def _free(routing: Routing | None) -> str:
    """The slot that the champion does not have."""
    return "b" if routing is not None and routing.champion == "a" else "a"


def _served(package: CheckedPackage, candidate: Candidate) -> ServedModel:
    """What the routing item will say of the candidate."""
    served = package.document.served_at(candidate.endpoint, candidate.model_package)
    return dataclasses.replace(served, instance_type=candidate.instance_type, instance_count=candidate.instance_count)


def _locked(rollout: Rollout) -> Answer:
    """The lock is this execution's; one that is over already may not begin anew.

    Raises:
        RolloutSuperseded: it is over.
    """
    if rollout.released:
        raise RolloutSuperseded(f"This execution's rollout is over: {rollout.reason or rollout.stage}")
    return Answer(next="locked", sentence=rollout.estimate, model_package_arn=rollout.candidate.model_package)


def _machines(champion: ServedModel, wanted: Any) -> dict[str, Any]:
    """Those of the champion, as far as they say something about what is wanted, which may be no type at all."""
    if not champion.instance_type:
        return {}
    kinds = [serverless_memory(each) is None for each in (champion.instance_type, wanted) if isinstance(each, str)]
    if len(set(kinds)) > 1:
        return {}
    return {"instance_type": champion.instance_type, "instance_count": champion.instance_count}
