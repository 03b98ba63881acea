"""What is true of the committed machine by its structure, whatever its functions answer."""

from __future__ import annotations

import re

import pytest

from state_machines.definition import targets, violations
from tests.state_machines.committed import MACHINE, STATES, TASKS, TEXT
from tests.state_machines.structure import caught, is_lambda, known_everywhere, reachable, roots

TASK_STATES = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
LAMBDA_STATES = {name: state for name, state in STATES.items() if is_lambda(state)}
CHOICES = {name: state for name, state in STATES.items() if state["Type"] == "Choice"}
ENDS = {name for name, state in STATES.items() if state["Type"] in ("Succeed", "Fail")}


AFTER_RESTORE = reachable(STATES, "Restore the traffic")
BEFORE_PROMOTION = sorted(set(TASK_STATES) - AFTER_RESTORE)
HOUSEKEEPING = sorted(
    set(TASK_STATES) & (reachable(STATES, "Remove the former champion") | reachable(STATES, "Remove the challenger"))
)


def test_the_machine_keeps_the_house_rules() -> None:
    assert violations(MACHINE) == []


def test_its_placeholders_are_those_that_the_template_fills() -> None:
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == {*TASKS, "AlarmTopicArn", "EventBusName"}


def test_it_has_no_placeholder_in_the_place_of_a_number_or_of_a_resource() -> None:
    assert not [name for name, state in TASK_STATES.items() if "${" in state["Resource"]]


def test_its_tasks_are_those_that_the_functions_know() -> None:
    called: dict[str, set[str]] = {}
    for state in LAMBDA_STATES.values():
        function = state["Parameters"]["FunctionName"].removeprefix("${").removesuffix("}")
        called.setdefault(function, set()).add(state["Parameters"]["Payload"]["task"])
    assert called == TASKS


def test_every_function_hears_of_the_execution_and_of_its_whole_input() -> None:
    everyone = {
        "execution.$": "$$.Execution.Id",
        "execution_name.$": "$$.Execution.Name",
        "input.$": "$$.Execution.Input",
    }
    needs = {}
    for state in LAMBDA_STATES.values():
        payload = dict(state["Parameters"]["Payload"])
        task = payload.pop("task")
        assert everyone.items() <= payload.items()
        needs[task] = {key: path for key, path in payload.items() if key not in everyone}
    assert {task: need for task, need in needs.items() if need} == {
        "lock": {"model_package_arn.$": "$.answer.model_package_arn"},
        "shift": {"step.$": "$.answer.step"},
        "ask": {"step.$": "$.answer.step", "sentence.$": "$.answer.sentence", "token.$": "$$.Task.Token"},
        "restore": {"sentence.$": "$.answer.sentence"},
    }


RESTORE = "Restore the traffic"


def test_every_function_is_retried_when_the_cause_may_pass() -> None:
    passing = {
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Sandbox.Timedout",
        "StoreUnavailable",
        "DeploymentInterrupted",
        "RolloutMoved",
    }
    for name, state in LAMBDA_STATES.items():
        if name == RESTORE:
            continue
        (retried,) = [each for each in state["Retry"] if "StoreUnavailable" in each["ErrorEquals"]]
        assert set(retried["ErrorEquals"]) == passing
        assert (retried["MaxAttempts"], retried["MaxDelaySeconds"], retried["JitterStrategy"]) == (6, 30, "FULL")


def test_restoring_the_traffic_is_not_given_up_for_any_error_for_minutes() -> None:
    (retried,) = STATES[RESTORE]["Retry"]
    assert retried["ErrorEquals"] == ["States.ALL"]
    assert (retried["MaxAttempts"], retried["MaxDelaySeconds"], retried["JitterStrategy"]) == (30, 30, "FULL")


def test_an_unverified_rollback_is_looked_at_again_for_minutes() -> None:
    assert STATES["Verify the rollback"]["Retry"][0] == {
        "ErrorEquals": ["RollbackUnverified"],
        "IntervalSeconds": 10,
        "MaxAttempts": 6,
        "BackoffRate": 1.5,
        "MaxDelaySeconds": 60,
    }


def test_what_must_not_be_given_up_is_retried_for_any_error() -> None:
    stubborn = {name for name, state in TASK_STATES.items() if state["Retry"][-1]["ErrorEquals"] == ["States.ALL"]}
    assert stubborn == {
        "Restore the traffic",
        "Announce the promotion",
        "Announce the rollback",
        "Page a person",
        "Page about the leftovers",
    }


@pytest.mark.parametrize("name", sorted(LAMBDA_STATES))
def test_a_task_lasts_longer_than_its_function_may_run(name: str) -> None:
    state = STATES[name]
    if name == "Ask for approval":
        assert state["TimeoutSecondsPath"] == "$.answer.wait_seconds"
    else:
        slow = state["Parameters"]["FunctionName"] == "${DeployChallengerArn}"
        assert (300 if slow else 60) < state["TimeoutSeconds"] <= 360


def test_the_machine_lasts_longer_than_any_plan() -> None:
    assert MACHINE["TimeoutSeconds"] == 60 * 86_400


def test_only_the_approval_waits_for_a_person() -> None:
    waiting = [name for name, state in TASK_STATES.items() if state["Resource"].endswith(".waitForTaskToken")]
    assert waiting == ["Ask for approval"]


def test_each_question_knows_these_answers() -> None:
    known = {name: {rule["StringEquals"] for rule in state["Choices"]} for name, state in CHOICES.items()}
    assert known == {
        "Is there something to roll out?": {"roll_out", "nothing", "refused"},
        "Is the lock taken?": {"locked", "under_way", "refused"},
        "Is the endpoint in service?": {"ready", "wait"},
        "What follows the smoke test?": {"bootstrap", "shadow", "shift", "ask"},
        "Is the first model served?": {"served"},
        "Is the shadow started?": {"shadowing"},
        "What does the shadow say?": {"hold", "shift", "ask"},
        "Is the traffic shifted?": {"shifted", "paused"},
        "Is the shift verified?": {"verified"},
        "What does the bake say?": {"hold", "shift", "ask", "promote"},
        "What does the approval say?": {"shift", "ask"},
        "Is it promoted?": {"promoted", "paused"},
        "Is the former champion gone?": {"wait", "removed", "superseded"},
        "Is the traffic restored?": {"restored", "promoted", "superseded"},
        "Is the rollback verified?": {"verified", "superseded"},
        "Is the challenger gone?": {"wait", "removed", "superseded"},
        "Is the lock released?": {"released", "superseded"},
        "Is the lock free again?": {"released", "superseded"},
    }


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_a_question_looks_at_the_answer_of_the_task_before_it(name: str) -> None:
    assert {rule["Variable"] for rule in STATES[name]["Choices"]} == {"$.answer.next"}
    before = [each for each, state in STATES.items() if name in targets(state)]
    assert before and set(before) <= set(LAMBDA_STATES)


def test_an_answer_that_nobody_expects_leads_back_for_as_long_as_there_is_a_way_back() -> None:
    defaults = {name: state["Default"] for name, state in CHOICES.items()}
    later = {
        "Is the traffic restored?": "Verify the rollback",
        "Is the rollback verified?": "Page a person",
        "Is the challenger gone?": "Page about the leftovers",
        "Is the former champion gone?": "Page about the leftovers",
        "Is the lock released?": "Page about the leftovers",
        "Is the lock free again?": "Page about the leftovers",
    }
    assert {name: where for name, where in defaults.items() if where != "Restore the traffic"} == later


def test_the_tasks_before_the_promotion_are_these() -> None:
    """Whoever adds one is to see that the tests below hold for it, too."""
    assert BEFORE_PROMOTION == [
        "Ask for approval",
        "Bring up the endpoint",
        "Check the candidate",
        "Judge the approval",
        "Judge the bake",
        "Judge the shadow",
        "Promote the challenger",
        "Score the smoke vectors",
        "Serve the first model",
        "Shift the traffic",
        "Start the shadow",
        "Take the lock",
        "Verify the shift",
    ]


@pytest.mark.parametrize("name", BEFORE_PROMOTION)
def test_an_error_before_the_promotion_leads_to_the_rollback(name: str) -> None:
    leads = caught(STATES[name])
    timeout = {"States.Timeout": "Judge the approval"} if name == "Ask for approval" else {}
    assert leads == {**timeout, "States.ALL": "Explain the failure"}


def test_a_failure_that_is_explained_leads_to_the_rollback_without_a_question() -> None:
    assert (STATES["Explain the failure"]["Type"], STATES["Explain the failure"]["Next"]) == (
        "Pass",
        "Restore the traffic",
    )


def test_an_answer_and_no_answer_both_lead_to_a_look() -> None:
    """What was decided meanwhile counts, whatever a person said."""
    assert STATES["Ask for approval"]["Next"] == "Judge the approval"
    assert STATES["Judge the approval"]["Next"] == "What does the approval say?"


@pytest.mark.parametrize("name", ["Is the traffic shifted?", "Is it promoted?"])
def test_what_a_pause_held_up_waits_for_the_next_look(name: str) -> None:
    assert [rule["Next"] for rule in STATES[name]["Choices"] if rule["StringEquals"] == "paused"] == ["Bake"]


@pytest.mark.parametrize(
    ("announcement", "release"),
    [
        ("Announce the promotion", "Release the lock"),
        ("Announce the rollback", "Release the lock after the rollback"),
    ],
)
def test_the_lock_is_released_last_and_only_after_the_announcement(announcement: str, release: str) -> None:
    """Until then whoever sees the execution end sees that it is not told yet."""
    assert STATES[announcement]["Next"] == release
    assert [name for name, state in STATES.items() if release in targets(state)] == [announcement]


def test_the_housekeeping_is_this() -> None:
    assert HOUSEKEEPING == [
        "Announce the promotion",
        "Announce the rollback",
        "Page about the leftovers",
        "Release the lock",
        "Release the lock after the rollback",
        "Remove the challenger",
        "Remove the former champion",
    ]


@pytest.mark.parametrize("name", HOUSEKEEPING)
def test_housekeeping_never_leads_back_to_the_rollback(name: str) -> None:
    assert not reachable(STATES, name) & {"Restore the traffic", "Verify the rollback", "Explain the failure"}


def test_a_rollback_that_fails_pages_a_person() -> None:
    for name in ("Restore the traffic", "Verify the rollback"):
        assert caught(STATES[name]) == {"States.ALL": "Page a person"}


def test_only_a_verified_rollback_is_tidied_up() -> None:
    """Until then the challenger's endpoint is kept: cards may still be sent to it."""
    before = [name for name, state in STATES.items() if "Remove the challenger" in targets(state)]
    assert sorted(before) == ["Is the rollback verified?", "Wait for the challenger"]


@pytest.mark.parametrize("name", sorted(STATES))
def test_every_state_can_come_to_an_end(name: str) -> None:
    assert reachable(STATES, name) & ENDS


def test_only_a_promotion_or_nothing_to_do_succeeds() -> None:
    succeeding = {name for name in ENDS if STATES[name]["Type"] == "Succeed"}
    assert succeeding == {"Promoted", "Nothing to roll out", "Already under way"}


def test_every_failure_has_a_name_and_says_why() -> None:
    names = {name: STATES[name]["Error"] for name in ENDS if STATES[name]["Type"] == "Fail"}
    assert names == {
        "Refused": "Refused",
        "Superseded": "Superseded",
        "Rolled back": "RolledBack",
        "Rollback unverified": "RollbackUnverified",
        "Left untidy": "LeftUntidy",
    }
    assert all(STATES[name].get("CausePath") == "$.answer.sentence" or STATES[name]["Cause"] for name in names)


def test_waits_last_for_as_long_as_the_answer_before_says() -> None:
    waits = {name: state for name, state in STATES.items() if state["Type"] == "Wait"}
    assert {state["SecondsPath"] for state in waits.values()} == {"$.answer.wait_seconds"}


# --- No state reads what may not be there -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(STATES))
def test_a_state_reads_only_what_is_there_whichever_way_it_was_entered(name: str) -> None:
    """On AWS a path that is not there ends the execution, and no Catch takes it."""
    assert roots(STATES[name]) <= known_everywhere(MACHINE)[name]


def test_the_way_back_rests_on_no_error_and_no_input() -> None:
    assert {each for name in AFTER_RESTORE for each in roots(STATES[name])} == {"answer"}


@pytest.mark.parametrize("name", sorted(LAMBDA_STATES))
def test_of_an_answer_the_agreed_fields_are_kept(name: str) -> None:
    root = "$" if name == "Ask for approval" else "$.Payload"
    fields = ("next", "sentence", "wait_seconds", "step", "model_package_arn")
    assert STATES[name]["ResultSelector"] == {"answer": {f"{each}.$": f"{root}.{each}" for each in fields}}
    assert "ResultPath" not in STATES[name]
