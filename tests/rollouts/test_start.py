"""Before a rollout touches anything: what is chosen, what is refused, and who holds the lock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from fraud.deployment_ports import Approval
from fraud.errors import (
    DeploymentInterrupted,
    FraudError,
    InvalidPackage,
    InvalidPlan,
    ModelUnavailable,
    RolloutMoved,
    RolloutRefused,
    RolloutSuperseded,
    StoreUnavailable,
)
from fraud.rollout import Candidate, Rollout, Stage
from fraud.rollout_plan import Gates
from fraud.rollout_task import BY_APPROVAL, Answer
from tests.fakes.rollout_world import PLAN, RolloutWorld, events, task
from tests.fakes.rollouts import EXECUTION
from tests.fakes.samples import NOW
from tests.rollouts.stages import (
    FIRST,
    OTHER,
    PACKAGE,
    SECOND,
    THIRD,
    at_step,
    given,
    in_shadow,
    lock,
    locked,
    nothing_written,
    promoted,
    refused,
    restored,
)

ESTIMATE = "At 4.0 transactions a second it takes about 1 minutes: 20 %, 50 %, 100 %."


def check(world: RolloutWorld, given: Any = None) -> Answer:
    """A preflight, which never writes."""
    with nothing_written(world):
        return world.start.check(task("check", input=given))


def with_candidates(*approved: bool) -> RolloutWorld:
    """A champion of version 1, and versions from 2 on."""
    world = RolloutWorld().with_champion()
    for each in approved:
        world.enlist(approved=each)
    return world


def change(world: RolloutWorld, version: int, **fields: Any) -> None:
    """The registry says something else of a version."""
    world.registry.versions[version - 1] = replace(world.registry.versions[version - 1], **fields)


# --- Preflight --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [None, {}])
def test_check_empty_input_takes_the_newest_approved_version(empty: Any) -> None:
    world = with_candidates(True, True, False)
    assert check(world, empty) == Answer(next="roll_out", sentence=ESTIMATE, model_package_arn=THIRD)


def test_check_nothing_approved_is_nothing_to_do() -> None:
    world = RolloutWorld()
    world.enlist(approved=False)
    told = "No model package is approved: approve one, or register one with `fraud deploy-model`."
    assert check(world) == Answer(next="nothing", sentence=told)


def test_check_champion_newest_approved_is_nothing_to_do() -> None:
    told = f"Version 1 is the newest approved one, and {FIRST} serves already."
    assert check(with_candidates(False)) == Answer(next="nothing", sentence=told)


def test_check_champion_newer_than_all_approved_is_nothing_to_do() -> None:
    world = RolloutWorld()
    world.enlist()
    world.with_champion()
    change(world, 2, approval=Approval.REJECTED)
    assert check(world).sentence == f"Version 1 is the newest approved one, and {SECOND} serves already."


def test_check_older_version_by_name_is_rolled_out() -> None:
    world = RolloutWorld()
    world.enlist()
    world.with_champion()
    assert check(world, given(FIRST)) == Answer(next="roll_out", sentence=ESTIMATE, model_package_arn=FIRST)


def test_check_older_version_by_an_event_of_the_registry_is_no_step_back() -> None:
    world = RolloutWorld()
    world.enlist()
    world.with_champion()
    told = f"Version 1 is older than the champion {SECOND}: only a person takes a step back."
    answer = check(world, given(FIRST) | {"started_by": "the approval of the package"})
    assert answer == Answer(next="nothing", sentence=told)


def test_check_newer_version_by_an_event_of_the_registry_is_rolled_out() -> None:
    answer = check(with_candidates(True), given(SECOND) | {"started_by": "the approval of the package"})
    assert answer == Answer(next="roll_out", sentence=ESTIMATE, model_package_arn=SECOND)


@pytest.mark.parametrize(
    ("champion", "then"), [(f"{PACKAGE}9", "roll_out"), (f"{PACKAGE}10", "nothing"), (f"{PACKAGE}11", "nothing")]
)
@pytest.mark.parametrize("asked", [{}, given(f"{PACKAGE}10") | {"started_by": "the approval of the package"}])
def test_check_version_is_held_against_the_number_of_a_champion_that_the_registry_forgot(
    asked: Any, champion: str, then: str
) -> None:
    world = with_candidates(*[True] * 9)
    assert world.routing is not None
    world.stores.set_routing(
        replace(world.routing, slots={"a": replace(world.routing.slots["a"], model_package=champion)})
    )
    del world.registry.versions[:9]
    assert check(world, asked).next == then


def test_check_champion_by_name_is_nothing_to_do() -> None:
    told = f"{FIRST} serves already: name instance_type or instance_count to move it to other machines."
    assert check(with_candidates(), given(FIRST)) == Answer(next="nothing", sentence=told)


@pytest.mark.parametrize("plan", [{"instance_count": 2}, {"instance_type": "ml.m5.xlarge"}])
def test_check_champion_by_name_on_other_machines_is_rolled_out(plan: dict[str, Any]) -> None:
    assert check(with_candidates(), given(FIRST, **plan)).next == "roll_out"


def test_check_champion_by_name_with_another_plan_only_is_nothing_to_do() -> None:
    assert check(with_candidates(), given(FIRST, bake_seconds=30)).next == "nothing"


def test_check_first_model_needs_no_traffic_and_no_alarms() -> None:
    world = RolloutWorld(per_second=0.0)
    world.enlist()
    world.alarms.hindrances["a"] = ["fraud-slot-a-errors does not exist."]
    told = "The first model of this stack: it serves as soon as its smoke vectors are scored as recorded."
    assert check(world) == Answer(next="roll_out", sentence=told, model_package_arn=FIRST)


@pytest.mark.parametrize(
    ("asked", "kind", "words"),
    [
        (
            {"model": SECOND},
            RolloutRefused,
            r"The input is not \{\} or \{model_package_arn, plan, started_by\}: .*model",
        ),
        ({"plan": [1]}, RolloutRefused, "The input is not {}"),
        ("a text", RolloutRefused, "The input is not {}"),
        ({"plan": {"bake": 5}}, InvalidPlan, "bake"),
        ({"plan": {"gates": 5}}, InvalidPlan, "plan.gates must be an object, not 5"),
        ({"plan": {"steps_bps": [500, 100]}}, InvalidPlan, "plan.steps_bps must ascend"),
        ({"model_package_arn": f"{FIRST}000"}, InvalidPackage, f"there is no model package {FIRST}000"),
        (
            {"model_package_arn": THIRD},
            InvalidPackage,
            f"{THIRD} is pending, not approved: approve it, or name another",
        ),
    ],
)
def test_check_input_that_cannot_be_followed_is_refused(asked: Any, kind: type[FraudError], words: str) -> None:
    world = with_candidates(True, False)
    with refused(world, kind, words):
        check(world, asked)


def test_check_bad_plan_is_refused_even_when_there_is_nothing_to_do() -> None:
    world = RolloutWorld()
    with refused(world, InvalidPlan, "bake"):
        check(world, {"plan": {"bake": 5}})


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"approval": Approval.REJECTED}, InvalidPackage, "is rejected, not approved"),
        ({"completed": False}, DeploymentInterrupted, "not completely registered yet"),
        ({"document_uri": None}, InvalidPackage, "records no package_uri: without a feature contract"),
        ({"document_uri": "s3://archive/none"}, InvalidPackage, "there is no object s3://archive/none"),
        ({"artefact_uri": "s3://archive/none"}, InvalidPackage, "there is no object s3://archive/none"),
        ({"artefact_sha256": "0" * 64}, InvalidPackage, "not the one that was registered"),
        ({"artefact_bytes": 7}, InvalidPackage, "bytes, not 7"),
    ],
)
def test_check_package_in_no_state_to_serve_is_refused(
    fields: dict[str, Any], kind: type[FraudError], words: str
) -> None:
    world = with_candidates(True)
    change(world, 2, **fields)
    with refused(world, kind, words):
        check(world, given(SECOND))


def test_check_alarms_that_cannot_guard_the_free_slot_refuse() -> None:
    world = with_candidates(True)
    world.alarms.hindrances = {"a": ["Of no matter."], "b": ["fraud-slot-b-errors does not exist.", "Nor another."]}
    told = "^The alarms of slot b cannot guard a rollout now. fraud-slot-b-errors does not exist. Nor another.$"
    with refused(world, RolloutRefused, told):
        check(world)


def test_check_too_little_traffic_refuses() -> None:
    world = with_candidates(True)
    world.per_second = 0.1
    told = r"^At 0.10 transactions a second a stage of this plan would not see 20 of them within its 600 s: take larger"
    with refused(world, RolloutRefused, told):
        check(world)


def test_check_store_that_does_not_answer_is_no_refusal() -> None:
    world = with_candidates(True)
    world.faults.before("alarms.unfit", 1, StoreUnavailable("DescribeAlarms: Throttling"))
    with pytest.raises(StoreUnavailable):
        check(world)
    assert check(world).next == "roll_out"


# --- Lock -------------------------------------------------------------------------------------------------------------


def test_lock_writes_the_record_of_what_will_happen() -> None:
    record = locked().record
    assert record.candidate == Candidate(
        slot="b",
        endpoint="fraud-b",
        model_package=SECOND,
        version=2,
        instance_type="ml.m5.large",
        instance_count=1,
    )
    assert (record.rollout_id, record.owner, record.started_by, record.champion) == ("first", EXECUTION, "ada", "a")
    assert (record.stage, record.started_at, record.since, record.epoch) == (Stage.DEPLOYING, NOW, NOW, 0)
    assert (record.served.endpoint, record.served.model_package) == ("fraud-b", SECOND)
    assert (record.served.review_threshold, record.served.block_threshold) == (0.6, 0.9)
    assert record.estimate == ESTIMATE
    assert events(record) == ["Version 2 goes to slot b, asked for by ada."]


def test_lock_answers_the_estimate_and_the_package() -> None:
    world = with_candidates(True)
    answer = world.start.lock(task("lock", input=None, model_package_arn=SECOND))
    assert answer == Answer(next="locked", sentence=ESTIMATE, model_package_arn=SECOND)
    assert world.record.started_by == "unknown"


def test_lock_plan_goes_over_the_stacks_gate_by_gate() -> None:
    plan = locked(bake_seconds=30, gates={"error_rate": 0.2}).record.plan
    assert (plan.bake_seconds, plan.soak_seconds, plan.steps_bps) == (30, 20, (2_000, 5_000))
    advisory = ("block_rate", "review_rate", "latency")
    assert plan.gates == Gates(transactions=20, error_rate=0.2, advisory=advisory)


def test_lock_steps_nobody_asked_for_are_fitted_to_the_traffic() -> None:
    world = with_candidates(True)
    world.plan = {name: value for name, value in PLAN.items() if name != "steps_bps"}
    assert lock(world).record.plan.steps_bps == (500, 2_500, 5_000)


def test_lock_steps_asked_for_are_kept() -> None:
    assert locked(steps_bps=[100, 9_000]).record.plan.steps_bps == (100, 9_000)


def test_lock_beside_a_champion_in_slot_b_takes_slot_a() -> None:
    world = promoted()
    assert world.shifting.release(task("release")).next == "released"
    world.enlist()
    answer = world.start.lock(task("lock", execution=OTHER, model_package_arn=THIRD))
    assert answer.next == "locked"
    assert (world.record.candidate.slot, world.record.candidate.endpoint, world.record.champion) == (
        "a",
        "fraud-a",
        "b",
    )


def test_lock_first_model_takes_slot_a_and_has_no_champion() -> None:
    world = RolloutWorld()
    world.enlist()
    lock(world, FIRST)
    assert (world.record.candidate.slot, world.record.champion) == ("a", None)


def test_lock_repeated_by_its_owner_answers_the_same() -> None:
    world = locked()
    with nothing_written(world):
        lock(world)


def test_lock_whose_answer_was_lost_is_answered_when_asked_again() -> None:
    world = with_candidates(True)
    world.faults.after("store.begin", 1, StoreUnavailable("TransactWriteItems: ReadTimeoutError"))
    with pytest.raises(StoreUnavailable):
        lock(world)
    with nothing_written(world):
        lock(world)


def test_lock_same_package_by_another_execution_is_under_way() -> None:
    world = locked()
    with nothing_written(world):
        answer = world.start.lock(task("lock", execution=OTHER, model_package_arn=SECOND))
    assert answer == Answer(next="under_way", sentence=f"{EXECUTION} rolls {SECOND} out already.")


def test_lock_other_package_while_one_is_under_way_is_refused() -> None:
    world = in_shadow()
    told = (
        "^Rollout first of version 2, started by ada, is shadow: wait for it, or stop it with `fraud rollout abort`.$"
    )
    with refused(world, RolloutRefused, told):
        world.start.lock(task("lock", execution=OTHER, model_package_arn=FIRST))


def test_lock_package_rejected_since_the_preflight_is_refused() -> None:
    world = with_candidates(True)
    change(world, 2, approval=Approval.REJECTED)
    with refused(world, InvalidPackage, "is rejected, not approved"):
        lock(world)


def test_lock_alarm_gone_off_since_the_preflight_refuses() -> None:
    world = with_candidates(True)
    world.alarms.move("b", "errors", "ALARM", NOW)
    with refused(world, RolloutRefused, "fraud-slot-b-errors is in ALARM"):
        lock(world)


def test_lock_slower_than_another_execution_moves_nothing() -> None:
    world = with_candidates(True)
    world.faults.before(
        "store.begin", 1, lambda: world.start.lock(task("lock", execution=OTHER, model_package_arn=SECOND))
    )
    with pytest.raises(RolloutMoved):
        lock(world)
    assert world.record.owner == OTHER
    assert world.start.lock(task("lock", model_package_arn=SECOND)).next == "under_way"


# --- Leases -----------------------------------------------------------------------------------------------------------


def take_over(world: RolloutWorld) -> Answer:
    return world.start.lock(task("lock", execution=OTHER, execution_name="second", model_package_arn=SECOND))


def test_lock_within_the_lease_is_not_taken_over() -> None:
    world = at_step(0)
    world.clock.now = world.record.lease_until - 0.001
    assert take_over(world).next == "under_way"


def test_lock_of_a_silent_execution_is_taken_over_and_its_traffic_restored_first() -> None:
    world = at_step(0)
    world.clock.now = world.record.lease_until
    assert take_over(world).next == "locked"
    assert (world.record.owner, world.record.stage, world.record.released) == (OTHER, Stage.DEPLOYING, False)
    assert world.routing is not None and (world.routing.challenger, world.routing.champion) == (None, "a")
    [past] = world._store.past.values()  # type: ignore[attr-defined]
    assert (past.rollout_id, past.stage, past.released) == ("first", Stage.ROLLED_BACK, True)
    assert past.reason == f"Nothing was heard of {EXECUTION} beyond its lease."
    assert past.verified
    assert (
        events(past)[-1]
        == f"Verified: {FIRST} serves alone in slot a; 0 decisions are counted since, none for the challenger."
    )


def test_lock_of_a_silent_execution_whose_rollback_is_not_verified_is_not_taken_over() -> None:
    world = at_step(0)
    world.clock.now = world.record.lease_until
    world.faults.before("scorer.score", world.faults.count("scorer.score") + 1, ModelUnavailable("ModelError"))
    told = (
        "^The rollback of first is not verified: the champion's endpoint fraud-a does not answer: ModelError. "
        "Look with `fraud status`, mend it, and start again.$"
    )
    with pytest.raises(RolloutRefused, match=told):
        take_over(world)
    record = world.record
    assert (record.owner, record.stage, record.verified, record.released) == (
        EXECUTION,
        Stage.ROLLING_BACK,
        False,
        False,
    )
    assert world.routing is not None and world.routing.challenger is None
    assert take_over(world).next == "locked"
    [past] = world._store.past.values()  # type: ignore[attr-defined]
    assert (past.stage, past.verified, past.released) == (Stage.ROLLED_BACK, True, True)


def test_lock_of_a_silent_execution_that_verified_its_rollback_is_not_verified_again() -> None:
    world = restored()
    world.shifting.verify_rollback(task("verify_rollback"))
    world.clock.now = world.record.lease_until
    world.scorer.asked.clear()
    assert take_over(world).next == "locked"
    assert world.scorer.asked == []


def test_lock_of_a_silent_execution_that_was_tidied_up_meanwhile_is_taken() -> None:
    world = restored()
    world.clock.now = world.record.lease_until
    left: list[Rollout] = []

    def tidy_up() -> None:
        world.aborting.on_end(EXECUTION, "Its execution ended.")
        left.append(world.record)

    world.faults.before("store.read", world.faults.count("store.read") + 2, tidy_up)
    assert take_over(world).next == "locked"
    assert world.record.owner == OTHER
    assert list(world._store.past.values()) == left  # type: ignore[attr-defined]


def test_lock_of_a_silent_execution_that_promoted_leaves_it_promoted() -> None:
    world = promoted()
    world.clock.now = world.record.lease_until
    world.enlist()
    answer = world.start.lock(task("lock", execution=OTHER, model_package_arn=THIRD))
    assert (answer.next, world.record.candidate.slot, world.serving()) == ("locked", "a", SECOND)
    [past] = world._store.past.values()  # type: ignore[attr-defined]
    assert (past.stage, past.released, past.reason) == (Stage.PROMOTED, True, "")


def test_lock_of_a_silent_execution_that_another_takes_over_first_has_to_look_again() -> None:
    world = at_step(0)
    world.clock.now = world.record.lease_until

    def rival() -> None:
        world._store.begin(changed(world.record, owner="the rival"), world.record)

    world.faults.before("store.read", world.faults.count("store.read") + 3, rival)
    with pytest.raises(RolloutMoved, match="Another rollout began at the same moment"):
        take_over(world)
    assert world.record.owner == "the rival"


def test_lock_of_an_owner_that_spoke_meanwhile_cannot_be_taken_over() -> None:
    """The stop finds the record changed and looks again; the owner loses, because its lease was over."""
    world = at_step(0)
    world.clock.now = world.record.lease_until
    world.faults.before("store.commit", world.faults.count("store.commit") + 1, lambda: world._store.save(world.record))
    assert take_over(world).next == "locked"
    assert world.record.owner == OTHER


def test_lock_lease_lasts_for_the_deployment_and_what_may_be_late() -> None:
    assert locked(deploy_seconds=100).record.lease_until == NOW + 100 + 15 * 60


# --- Machines and second thoughts -------------------------------------------------------------------------------------


def with_machines(world: RolloutWorld) -> RolloutWorld:
    """The champion on four large machines."""
    return champion_on(world, "ml.c7i.xlarge", 4)


def champion_on(world: RolloutWorld, instance_type: str, instance_count: int) -> RolloutWorld:
    now = world.routing
    assert now is not None
    model = replace(now.slots["a"], instance_type=instance_type, instance_count=instance_count)
    world.stores.set_routing(replace(now, slots={"a": model}))
    return world


@pytest.mark.parametrize(
    ("stack", "asked", "machines"),
    [
        ({}, {}, ("ml.c7i.xlarge", 4)),
        ({"instance_count": 2}, {}, ("ml.c7i.xlarge", 2)),
        ({"instance_count": 2}, {"instance_type": "ml.m5.large", "instance_count": 3}, ("ml.m5.large", 3)),
    ],
)
def test_lock_challenger_gets_the_champions_machines_unless_told_otherwise(
    stack: dict[str, Any], asked: dict[str, Any], machines: tuple[str, int]
) -> None:
    world = with_machines(RolloutWorld(plan={**PLAN, **stack}).with_champion())
    arn = world.enlist()
    world.start.lock(task("lock", model_package_arn=arn, input={"plan": asked}))
    record = world.record
    assert (record.candidate.instance_type, record.candidate.instance_count) == machines
    assert (record.served.instance_type, record.served.instance_count) == machines


def test_lock_of_what_is_not_to_be_rolled_out_any_more_is_refused() -> None:
    """A redrive of an execution that was stopped after its check, when another model was promoted meanwhile."""
    world = RolloutWorld().with_champion()
    second = world.enlist()
    assert world.start.check(task("check")).model_package_arn == second
    third = world.enlist()
    told = "Version 3 is to be rolled out by now: start again."
    with refused(world, RolloutRefused, told):
        world.start.lock(task("lock", model_package_arn=second))
    assert world.start.lock(task("lock", model_package_arn=third)).next == "locked"


@pytest.mark.parametrize(
    ("profile", "stack", "asked", "machines"),
    [
        ({"instance_count": 2}, {}, {}, ("serverless.2gb", 1)),
        ({"instance_count": 2}, {}, {"instance_type": "ml.m5.large"}, ("ml.m5.large", 2)),
        ({"instance_count": 2}, {"instance_type": "ml.c5.large"}, {}, ("ml.c5.large", 2)),
        ({"instance_count": 2}, {}, {"instance_type": "serverless.4gb"}, ("serverless.4gb", 1)),
    ],
)
def test_lock_number_of_machines_is_the_profiles_where_the_champion_has_none(
    profile: dict[str, Any], stack: dict[str, Any], asked: dict[str, Any], machines: tuple[str, int]
) -> None:
    world = RolloutWorld(plan={**PLAN, **stack}, profile_plan=profile).with_champion()
    arn = champion_on(world, "serverless.2gb", 1).enlist()
    world.start.lock(task("lock", model_package_arn=arn, input={"plan": asked}))
    record = world.record
    assert (record.candidate.instance_type, record.candidate.instance_count) == machines


def test_lock_first_model_has_the_endpoint_of_the_profile() -> None:
    world = RolloutWorld(plan=PLAN, profile_plan={"instance_type": "serverless.2gb"})
    world.start.lock(task("lock", model_package_arn=world.enlist(), input={}))
    assert world.record.candidate.instance_type == "serverless.2gb"


def test_lock_machines_of_a_champion_that_was_rolled_out_are_the_next_challengers() -> None:
    world = at_step(2, instance_type="ml.c5.large", instance_count=3)
    world.shifting.promote(task("promote"))
    world.shifting.release(task("release"))
    world.enlist()
    assert world.start.lock(task("lock", execution=OTHER, model_package_arn=THIRD)).next == "locked"
    assert (world.record.candidate.instance_type, world.record.candidate.instance_count) == ("ml.c5.large", 3)


def test_lock_of_what_serves_by_now_is_refused() -> None:
    world = promoted()
    world.shifting.release(task("release"))
    with refused(world, RolloutRefused, f"^{SECOND} serves already: name instance_type or instance_count"):
        world.start.lock(task("lock", execution=OTHER, input=given(SECOND), model_package_arn=SECOND))


def test_lock_for_the_approval_event_of_a_rolled_back_version_is_refused() -> None:
    """The rollback came between the check and the lock."""
    world = restored()
    world.shifting.verify_rollback(task("verify_rollback"))
    world.shifting.release(task("release"))
    event = given(SECOND) | {"started_by": BY_APPROVAL}
    with refused(world, RolloutRefused, "^Version 2 was rolled back: It was no good. Only a person rolls it out again"):
        world.start.lock(task("lock", execution=OTHER, input=event, model_package_arn=SECOND))


def test_lock_for_the_approval_event_of_an_older_version_is_refused() -> None:
    world = RolloutWorld()
    world.enlist()
    world.with_champion()
    event = given(FIRST) | {"started_by": BY_APPROVAL}
    with refused(world, RolloutRefused, f"^Version 1 is older than the champion {SECOND}: only a person"):
        world.start.lock(task("lock", input=event, model_package_arn=FIRST))


def test_lock_by_an_execution_whose_rollout_is_over_begins_nothing() -> None:
    world = restored()
    world.shifting.verify_rollback(task("verify_rollback"))
    world.shifting.release(task("release"))
    with refused(world, RolloutSuperseded, "This execution's rollout is over"):
        world.start.lock(task("lock", model_package_arn=SECOND))


def test_check_approval_event_of_a_version_that_was_rolled_back_starts_nothing() -> None:
    world = restored()
    world.shifting.verify_rollback(task("verify_rollback"))
    world.shifting.release(task("release"))
    event = {"model_package_arn": SECOND, "started_by": BY_APPROVAL}
    answer = world.start.check(task("check", input=event, execution=OTHER))
    assert answer.next == "nothing" and "was rolled back: It was no good." in answer.sentence
    assert world.start.check(task("check", input={"model_package_arn": SECOND}, execution=OTHER)).next == "roll_out"
