"""The challenger's endpoint: brought up look by look, proven by its smoke vectors, and removed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fraud.decision import Score
from fraud.deployment_ports import Approval, EndpointPlan, Hosting, Instance
from fraud.errors import (
    DeploymentFailed,
    DeploymentInterrupted,
    FraudError,
    InvalidPackage,
    ModelUnavailable,
    RolloutMoved,
    RolloutStopped,
    RolloutSuperseded,
    StoreUnavailable,
)
from fraud.rollout_task import Answer
from fraud.services.challenger import LONGEST_REMOVAL, SMOKE_ATTEMPTS
from tests.fakes.rollout_world import ROLE, RolloutWorld, events, task
from tests.fakes.samples import NOW
from tests.rollouts.stages import (
    FIRST,
    OTHER,
    SECOND,
    bring_up,
    deployed,
    in_shadow,
    lock,
    locked,
    promoted,
    refused,
    restored,
)

PLAN = EndpointPlan("fraud-b", SECOND, 2, Instance("ml.m5.large", 1), Hosting(ROLE))
CREATING = "Endpoint fraud-b is being created: 1 x ml.m5.large."
LEFT = EndpointPlan("fraud-b", "arn:of/an/older/1", 1, Instance("ml.m5.large"), Hosting(ROLE))


def look(world: RolloutWorld, **fields: Any) -> Answer:
    return world.challenger.bring_up(task("bring_up", **fields))


def smoke(world: RolloutWorld, **fields: Any) -> Answer:
    return world.challenger.smoke(task("smoke", **fields))


def remove(world: RolloutWorld, **fields: Any) -> Answer:
    return world.challenger.remove(task("remove", **fields))


# --- Bringing it up ---------------------------------------------------------------------------------------------------


def test_bring_up_first_look_asks_for_the_endpoint() -> None:
    world = locked()
    assert look(world) == Answer(next="wait", sentence=CREATING, wait_seconds=1)
    assert world.endpoints.created == [PLAN]
    assert (world.record.created, world.record.lease_until) == (True, NOW + 1_800 + 15 * 60)
    assert events(world.record)[-1] == CREATING


def test_bring_up_uses_the_machines_of_the_plan() -> None:
    world = locked(instance_type="ml.c5.xlarge", instance_count=3)
    look(world)
    [plan] = world.endpoints.created
    assert plan.instance == Instance("ml.c5.xlarge", 3)


def test_bring_up_endpoint_in_service_is_ready() -> None:
    world = locked()
    look(world)
    assert look(world) == Answer(next="ready")
    assert world.endpoints.created == [PLAN]


def test_bring_up_endpoint_on_its_way_is_waited_for_longer_and_longer() -> None:
    world = locked()
    world.endpoints.looks = 13
    waits = []
    while (answer := look(world)).next == "wait":
        waits.append(answer.wait_seconds)
        world.clock.pass_by(answer.wait_seconds)
    assert waits == [1, 1, 1, 2, 2, 4, 6, 8, 12, 18, 28, 42, 60, 60]
    assert answer.next == "ready"


def test_bring_up_waiting_says_what_for() -> None:
    world = locked()
    world.endpoints.looks = 2
    look(world)
    assert look(world).sentence == "Endpoint fraud-b is Creating."


def test_bring_up_whose_note_was_lost_goes_on_with_the_endpoint_it_made() -> None:
    world = locked()
    world.faults.before("store.save", 1, StoreUnavailable("TransactWriteItems: ReadTimeoutError"))
    with pytest.raises(StoreUnavailable):
        look(world)
    assert look(world).next == "ready"
    assert world.endpoints.created == [PLAN]


def test_bring_up_interrupted_creation_is_asked_for_again() -> None:
    world = locked()
    world.endpoints.refusals = [DeploymentInterrupted("CreateModel: ThrottlingException")]
    with pytest.raises(DeploymentInterrupted):
        look(world)
    bring_up(world)
    assert world.endpoints.created == [PLAN, PLAN]


def test_bring_up_leftover_in_the_slot_is_gone_before_anything_is_created() -> None:
    world = locked()
    world.endpoints.create(LEFT)
    world.endpoints.created.clear()
    world.endpoints.lingering = 5
    answer = look(world)
    assert answer == Answer(
        next="wait", sentence="What an earlier rollout left as fraud-b is being removed.", wait_seconds=1
    )
    assert world.endpoints.created == [] and not world.record.created
    bring_up(world)
    assert world.endpoints.created == [PLAN]
    assert LEFT.name not in world.endpoints.parts


def test_bring_up_failed_leftover_of_the_same_package_is_not_taken_for_the_challenger() -> None:
    world = locked()
    world.endpoints.create(PLAN)
    world.endpoints.created.clear()
    world.endpoints.failures["fraud-b"] = "an old failure"
    look(world)
    del world.endpoints.failures["fraud-b"]
    bring_up(world)
    assert world.endpoints.created == [PLAN]


def test_bring_up_sound_leftover_of_the_same_package_is_taken() -> None:
    world = locked()
    world.endpoints.create(PLAN)
    assert look(world) == Answer(next="ready")


def test_bring_up_failed_endpoint_is_the_end_of_it() -> None:
    world = locked()
    look(world)
    world.endpoints.failures["fraud-b"] = "no capacity"
    told = f"^endpoint fraud-b did not come into service as {PLAN.name}: {PLAN.name} is Failed: no capacity$"
    with refused(world, DeploymentFailed, told):
        look(world)


def test_bring_up_endpoint_of_another_package_in_its_place_is_the_end_of_it() -> None:
    world = locked()
    look(world)
    world.endpoints.clear("fraud-b")
    world.endpoints.create(LEFT)
    with refused(world, DeploymentFailed, f"did not come into service as {PLAN.name}: {LEFT.name} is InService"):
        look(world)


def test_bring_up_endpoint_that_vanished_is_the_end_of_it() -> None:
    world = locked()
    look(world)
    world.endpoints.clear("fraud-b")
    with refused(world, DeploymentFailed, "endpoint fraud-b does not exist any more"):
        look(world)


def test_bring_up_refused_creation_is_the_end_of_it() -> None:
    world = locked()
    world.endpoints.refusals = [DeploymentFailed("creating endpoint fraud-b: ResourceLimitExceeded")]
    with refused(world, DeploymentFailed, "ResourceLimitExceeded"):
        look(world)


def test_bring_up_that_takes_too_long_is_the_end_of_it() -> None:
    world = locked(deploy_seconds=100)
    world.endpoints.looks = 99
    look(world)
    world.clock.pass_by(100)
    assert look(world).next == "wait"
    world.clock.pass_by(1)
    with refused(world, DeploymentFailed, "endpoint fraud-b is not in service after 101 s"):
        look(world)


def test_bring_up_never_touches_the_champions_endpoint() -> None:
    world = locked()
    before = world.endpoints.standing["fraud-a"].plan
    smoke(bring_up(world))
    assert world.endpoints.standing["fraud-a"].plan == before
    assert [each.endpoint for each in world.endpoints.created] == ["fraud-b"]


@pytest.mark.parametrize("task_of", [look, smoke])
def test_challenger_of_a_stopped_rollout_is_left_alone(task_of: Callable[..., Answer]) -> None:
    world = deployed()
    world.aborting.by_person("grace", "a bad feeling")
    with refused(world, RolloutStopped, "^Stopped by grace: a bad feeling.$"):
        task_of(world)


@pytest.mark.parametrize("task_of", [look, smoke, remove])
def test_challenger_of_another_execution_is_left_alone(task_of: Callable[..., Answer]) -> None:
    world = deployed()
    with refused(world, RolloutSuperseded, "this execution does not hold the lock, and must change nothing"):
        task_of(world, execution=OTHER)
    assert set(world.endpoints.standing) == {"fraud-a", "fraud-b"}


def test_bring_up_record_that_moved_meanwhile_is_looked_at_again() -> None:
    world = locked()
    world.faults.before("store.save", 1, lambda: world.aborting.by_person("grace", "a bad feeling"))
    with pytest.raises(RolloutMoved):
        look(world)
    with pytest.raises(RolloutStopped):
        look(world)


# --- Proving it -------------------------------------------------------------------------------------------------------


def first_model() -> RolloutWorld:
    world = RolloutWorld()
    world.enlist()
    return bring_up(lock(world, FIRST))


PROVEN = "2 smoke vectors are scored as the package says."


@pytest.mark.parametrize(
    ("world", "answer"),
    [
        (first_model, Answer(next="bootstrap", sentence=PROVEN)),
        (deployed, Answer(next="shadow", sentence=PROVEN)),
        (lambda: deployed(approval="before_traffic"), Answer(next="shadow", sentence=PROVEN)),
        (lambda: deployed(shadow_seconds=0), Answer(next="shift", sentence=PROVEN, step=0)),
        (
            lambda: deployed(shadow_seconds=0, approval="before_full"),
            Answer(next="shift", sentence=PROVEN, step=0),
        ),
        (
            lambda: deployed(shadow_seconds=0, approval="before_traffic", approval_seconds=77),
            Answer(next="ask", sentence=PROVEN, step=0, wait_seconds=77),
        ),
        (
            lambda: deployed(shadow_seconds=0, approval="before_traffic"),
            Answer(next="ask", sentence=PROVEN, step=0, wait_seconds=600),
        ),
    ],
)
def test_smoke_says_what_follows_by_the_plan(world: Callable[[], RolloutWorld], answer: Answer) -> None:
    proven = world()
    assert smoke(proven) == answer
    assert smoke(proven) == answer
    assert events(proven.record)[-1] == PROVEN


def test_smoke_asks_the_challengers_endpoint_only() -> None:
    world = deployed()
    smoke(world)
    assert world.scorer.asked == ["fraud-b"]


def test_smoke_renews_the_lease() -> None:
    world = deployed()
    world.clock.pass_by(500)
    smoke(world)
    assert world.record.lease_until == NOW + 500 + 15 * 60


def scoring(world: RolloutWorld, *answers: Sequence[float | None] | FraudError) -> None:
    """The challenger's endpoint answers one after the other; the last answer stays."""
    left = list(answers)

    def score(rows: object) -> list[Score | None]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, FraudError):
            raise answer
        return [None if each is None else Score(each) for each in answer]

    world.scorer.answers["fraud-b"] = score


@pytest.mark.parametrize("scores", [[0.02, 0.96], [0.02, None], [0.02002, 0.97]])
def test_smoke_other_scores_than_recorded_are_the_end_of_it(scores: list[float | None]) -> None:
    world = deployed()
    scoring(world, scores)
    with refused(world, InvalidPackage, "a smoke vector is scored"):
        smoke(world)


def test_smoke_scores_within_tolerance_pass() -> None:
    world = deployed()
    scoring(world, [0.020009, 0.969991])
    assert smoke(world).next == "shadow"


def test_smoke_first_answers_too_late_are_asked_for_again() -> None:
    world = deployed()
    scoring(world, ModelUnavailable("ReadTimeoutError"), ModelUnavailable("ModelError"), [0.02, 0.97])
    assert smoke(world).next == "shadow"
    assert world.clock() == NOW + 4


def test_smoke_endpoint_that_never_answers_is_the_end_of_it() -> None:
    world = deployed()
    scoring(world, ModelUnavailable("ModelError"))
    with refused(world, DeploymentFailed, "^endpoint fraud-b does not score its smoke vectors: ModelError$"):
        smoke(world)
    assert len(world.scorer.asked) == SMOKE_ATTEMPTS == 8
    assert world.clock() == NOW + 96


def test_smoke_package_rejected_meanwhile_is_the_end_of_it() -> None:
    world = deployed()
    world.registry.versions[1] = replace(world.registry.versions[1], approval=Approval.REJECTED)
    with refused(world, InvalidPackage, "is rejected, not approved"):
        smoke(world)
    assert world.scorer.asked == []


def test_smoke_artefact_replaced_meanwhile_is_the_end_of_it() -> None:
    world = deployed()
    world.objects.held[world.registry.versions[1].artefact_uri] += b"more"
    with refused(world, InvalidPackage, "the artefact has"):
        smoke(world)


# --- Removing it ------------------------------------------------------------------------------------------------------


def test_remove_after_promotion_removes_the_former_champion_only() -> None:
    world = promoted()
    told = "Version 2 serves as champion in slot b."
    assert remove(world) == Answer(next="removed", sentence=told, model_package_arn=SECOND)
    assert set(world.endpoints.standing) == {"fraud-b"}
    assert remove(world) == Answer(next="removed", sentence=told, model_package_arn=SECOND)


def test_remove_after_a_rollback_removes_the_challenger_only() -> None:
    world = restored()
    assert remove(world) == Answer(next="removed", sentence="It was no good.", model_package_arn=SECOND)
    assert set(world.endpoints.standing) == {"fraud-a"}


@pytest.mark.parametrize("world", [in_shadow, deployed])
def test_remove_during_a_rollout_spares_what_the_routing_item_names(world: Callable[[], RolloutWorld]) -> None:
    under_way = world()
    named = {model.endpoint for model in under_way.routing.slots.values()} if under_way.routing else set()
    remove(under_way)
    assert set(under_way.endpoints.standing) == named


def test_remove_endpoint_on_its_way_out_is_waited_for() -> None:
    world = restored()
    world.endpoints.lingering = 1
    world.clock.pass_by(8)
    assert remove(world) == Answer(next="wait", sentence="fraud-b is being removed.", wait_seconds=4)
    remove(world)
    assert remove(world).next == "removed"


def test_remove_renews_the_lease_while_it_waits() -> None:
    world = restored()
    world.endpoints.lingering = 2
    for seconds in (500, 1_000):
        world.clock.now = NOW + seconds
        assert remove(world).next == "wait"
        assert world.record.lease_until == NOW + seconds + 15 * 60


def test_remove_that_is_slower_than_another_writer_is_done_again() -> None:
    world = restored()
    world.endpoints.lingering = 1
    number = world.faults.count("store.save") + 1
    world.faults.before("store.save", number, lambda: world.shifting.verify_rollback(task("verify_rollback")))
    with pytest.raises(RolloutMoved):
        remove(world)
    assert [remove(world).next, remove(world).next] == ["wait", "removed"]
    assert world.record.verified


def test_remove_that_does_not_come_to_its_end_calls_for_a_person() -> None:
    world = restored()
    world.endpoints.lingering = 99
    world.clock.pass_by(LONGEST_REMOVAL)
    assert remove(world).next == "wait"
    world.clock.pass_by(1)
    with refused(world, DeploymentInterrupted, "fraud-b is not gone after 4 hours"):
        remove(world)


def test_remove_in_the_last_moment_is_removed() -> None:
    world = restored()
    world.clock.pass_by(LONGEST_REMOVAL + 1)
    assert remove(world).next == "removed"


def test_remove_refused_calls_for_a_person_and_leads_to_no_rollback() -> None:
    world = promoted()
    world.faults.always("endpoints.clear", DeploymentFailed("removing endpoint fraud-a: AccessDenied"))
    with refused(world, DeploymentInterrupted, "removing endpoint fraud-a: AccessDenied"):
        remove(world)


def test_remove_after_the_lock_is_free_removes_nothing() -> None:
    world = restored()
    world.shifting.release(task("release"))
    with refused(world, RolloutSuperseded, "this rollout is over: It was no good."):
        remove(world)
    assert "fraud-b" in world.endpoints.standing
