"""Rollouts on the real template: started as from the console, stopped by alarms and people."""

import json
from collections.abc import Iterator

import pytest

from tests.end_to_end.rollouts import INFERENCE, PLAN, Rollouts
from tests.local.conftest import ROOT, eventually, start

BROKEN = INFERENCE.replace(
    b"return [SCORES.get(row, 0.1) for row in rows]",
    b"""
    if len(rows) != 2 or rows[0] not in SCORES:
        raise RuntimeError("out of memory")
    return [SCORES[row] for row in rows]
""",
)
"""Scores its smoke vectors, and nothing else."""
STEPS = ["Shift the traffic", "Is the traffic shifted?", "Verify the shift", "Is the shift verified?", "Bake"]


@pytest.fixture(scope="module")
def rollouts() -> Iterator[Rollouts]:
    """One stack for all of them, since a stack lives through many; the first model serves."""
    running = start(ROOT / "template.yaml", "rollouts", RolloutPlan=json.dumps(PLAN))
    try:
        stack = Rollouts(running)
        stack.switch_approvals(on=False)
        first = stack.enlist()
        assert stack.ended(stack.start())["status"] == "SUCCEEDED"
        assert stack.champion() == first
        yield stack
    finally:
        assert running.stop() == 0


def test_execution_with_an_empty_input_promotes_the_newest_package(rollouts: Rollouts) -> None:
    before, package = rollouts.endpoint("a"), rollouts.enlist()
    with rollouts.traffic():
        eventually(lambda: rollouts.sent > 200)
        execution = rollouts.start()
        rollouts.until("soak")
        assert rollouts.endpoint("a") == before
        ended = rollouts.ended(execution)
    assert ended["status"] == "SUCCEEDED", ended
    assert rollouts.champion() == package
    names = rollouts.entered(execution)
    assert names[0] == "Check the candidate" and names[-1] == "Promoted"
    assert [name for name in names if name == "Shift the traffic"] == ["Shift the traffic"] * 3
    first = names.index("Shift the traffic")
    assert names[first : first + len(STEPS)] == STEPS
    assert json.loads(ended["output"])["answer"]["sentence"] == "Version 2 serves as champion in slot b."


def test_execution_without_a_newer_package_ends_and_says_so(rollouts: Rollouts) -> None:
    ended = rollouts.ended(rollouts.start())
    assert ended["status"] == "SUCCEEDED"
    assert "serves already" in json.loads(ended["output"])["answer"]["sentence"]


def test_challenger_that_fails_in_the_shadow_is_rolled_back_in_words(rollouts: Rollouts) -> None:
    champion, slot = rollouts.champion(), rollouts.routing["champion"]["S"]
    before, _ = rollouts.endpoint(slot), rollouts.enlist(inference=BROKEN)
    with rollouts.traffic():
        ended = rollouts.ended(rollouts.start())
    assert (ended["status"], ended["error"]) == ("FAILED", "RolledBack")
    assert "without a score" in ended["cause"]
    record = rollouts.over()
    assert (record.stage, record.verified, record.share_bps) == ("rolled_back", True, 0)
    assert rollouts.champion() == champion and rollouts.endpoint(slot) == before


def test_alarm_of_the_challengers_slot_stops_a_canary(rollouts: Rollouts) -> None:
    champion, package = rollouts.champion(), rollouts.enlist()
    with rollouts.traffic():
        execution = rollouts.start({"model_package_arn": package})
        rollout = rollouts.until("canary")
        name = f"rollouts-slot-{rollout.candidate.slot}-errors"
        rollouts.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test says so")
        eventually(lambda: rollouts.routing["share_bps"]["N"] == "0")
        ended = rollouts.ended(execution)
    assert ended["error"] == "RolledBack" and "a test says so" in ended["cause"]
    assert rollouts.champion() == champion and rollouts.over().verified
    rollouts.cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="the test is over")


def test_second_start_is_refused_and_a_person_stops_the_first(rollouts: Rollouts) -> None:
    champion, package = rollouts.champion(), rollouts.enlist()
    with rollouts.traffic():
        first = rollouts.start({"model_package_arn": package})
        rollouts.until("shadow")
        other = rollouts.enlist()
        refused = rollouts.ended(rollouts.start({"model_package_arn": other}))
        assert (refused["status"], refused["error"]) == ("FAILED", "Refused")
        assert first.rpartition(":")[2] in refused["cause"]
        told = rollouts.spine.command("rollout", "abort", "--reason", "chargebacks rise", "--yes")
        assert told["verified"]
        ended = rollouts.ended(first)
    assert ended["error"] == "RolledBack" and "chargebacks rise" in ended["cause"]
    assert rollouts.champion() == champion


def test_stopped_execution_leaves_the_champion_serving_and_the_lock_free(rollouts: Rollouts) -> None:
    champion, package = rollouts.champion(), rollouts.enlist()
    with rollouts.traffic():
        execution = rollouts.start({"model_package_arn": package})
        rollouts.until("canary")
        rollouts.states.stop_execution(executionArn=execution, error="Tired", cause="of waiting")
        record = rollouts.over()
    assert (record.stage, record.verified) == ("rolled_back", True)
    assert rollouts.champion() == champion


def test_approval_of_a_package_starts_its_rollout(rollouts: Rollouts) -> None:
    rollouts.switch_approvals(on=True)
    with rollouts.traffic():
        package = rollouts.enlist()
        rollouts.until("soak")
        record = rollouts.over()
    assert (record.stage, record.candidate.model_package) == ("promoted", package)
    assert record.started_by == "the approval of the package"
    assert rollouts.champion() == package
