"""State machines on the running stack: where Step Functions is stricter than an engine might be, and how they end."""

import json
import random
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.state_machines.tasks import pause_seconds
from tests.local.conftest import Running, eventually
from tests.local.inbox import Inbox
from tests.local.machines import INVOKE, Machines, caught, task


@pytest.fixture
def machines(stack: Running, outputs: dict[str, str]) -> Machines:
    return Machines(stack, outputs)


@pytest.fixture
def reader(outputs: dict[str, str]) -> str:
    return outputs["Reader"]


def call(reader: str, command: str, **fields: Any) -> dict[str, Any]:
    return task(parameters={"FunctionName": reader, "Payload": {"command": command}}, **fields)


def ask(reader: str, command: str = "nothing", **fields: Any) -> dict[str, Any]:
    payload = {"command": command, "token.$": "$$.Task.Token"}
    return task(f"{INVOKE}.waitForTaskToken", {"FunctionName": reader, "Payload": payload}, **fields)


def token(machines: Machines, execution: str, number: int = 0) -> str:
    """The token of a task's attempt, as soon as it waits."""

    def look() -> list[str]:
        scheduled = [e for e in machines.events(execution) if e["type"] == "TaskScheduled"]
        return [json.loads(e["taskScheduledEventDetails"]["parameters"])["Payload"]["token"] for e in scheduled]

    eventually(lambda: len(look()) > number)
    return look()[number]


# --- From the template ----------------------------------------------------------------------------------------------


def test_a_machine_of_the_template_runs_with_its_substitutions(
    machines: Machines, outputs: dict[str, str], stack: Running
) -> None:
    execution = machines.ended(machines.start(outputs["Machine"], {"command": "nothing"}))
    assert execution["status"] == "SUCCEEDED", execution
    assert json.loads(execution["output"])["answer"]["name"] == "reader"
    machine = machines.client.describe_state_machine(stateMachineArn=outputs["Machine"])
    assert machine["roleArn"] == outputs["Role"] and "${" not in machine["definition"]


# --- Errors ---------------------------------------------------------------------------------------------------------


def test_an_exception_is_caught_by_its_class_name_with_the_document_as_its_cause(
    machines: Machines, reader: str
) -> None:
    error = machines.output({"Call": call(reader, "raise", Catch=caught("LookupError"))})["error"]
    assert error["Error"] == "LookupError"
    assert json.loads(error["Cause"])["errorMessage"] == "told to"


def test_an_exception_that_nothing_catches_fails_the_execution_under_its_name(machines: Machines, reader: str) -> None:
    execution = machines.run({"Call": call(reader, "raise", Catch=caught("ValueError"))})
    assert (execution["status"], execution["error"]) == ("FAILED", "LookupError")
    assert "output" not in execution


def test_a_throttled_call_is_an_error_that_can_be_retried(
    machines: Machines, stack: Running, outputs: dict[str, str]
) -> None:
    functions, name = stack.client("lambda"), outputs["Watcher"]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        throttled = call(name, "nothing", Catch=caught("Lambda.TooManyRequestsException"))
        assert "error" in machines.output({"Call": throttled})
    finally:
        functions.delete_function_concurrency(FunctionName=name)


def test_text_that_a_function_answers_stays_text(machines: Machines, reader: str) -> None:
    assert machines.output({"Call": call(reader, "text")})["Payload"] == "5"


@pytest.mark.parametrize(
    "parameters", [{"x.$": "$.missing"}, {"x.$": "$$.Execution.Input.missing"}, {"x.$": "States.Format('{}', $.no)"}]
)
def test_a_missing_path_fails_the_execution_whatever_it_catches(
    machines: Machines, reader: str, parameters: dict[str, str]
) -> None:
    wanted = {"FunctionName": reader, "Payload": parameters}
    execution = machines.run({"Call": task(parameters=wanted, Catch=caught("States.ALL"))})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Runtime")


def test_a_result_selector_that_finds_nothing_is_not_caught(machines: Machines, reader: str) -> None:
    selector = {"x.$": "$.Payload.missing"}
    execution = machines.run({"Call": call(reader, "nothing", ResultSelector=selector, Catch=caught("States.ALL"))})
    assert execution["error"] == "States.Runtime"


def choose(**rule: Any) -> dict[str, Any]:
    rules = {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"}
    return {"Choose": rules, "Yes": {"Type": "Succeed"}, "No": {"Type": "Fail", "Error": "TookTheDefault"}}


def test_a_choice_on_a_missing_variable_does_not_take_its_default(machines: Machines) -> None:
    execution = machines.run(choose(Variable="$.next", StringEquals="shift"))
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Runtime")


def test_a_choice_on_another_value_takes_its_default(machines: Machines) -> None:
    assert machines.run(choose(Variable="$.next", StringEquals="shift"), {"next": "x"})["error"] == "TookTheDefault"


def test_presence_may_be_asked_of_a_missing_variable_and_null_is_present(machines: Machines) -> None:
    assert machines.run(choose(Variable="$.next", IsPresent=True), {"next": None})["status"] == "SUCCEEDED"
    assert machines.run(choose(Variable="$.next", IsPresent=False))["status"] == "SUCCEEDED"


def test_a_payload_beyond_256_kib_ends_the_execution_uncaught(machines: Machines, reader: str) -> None:
    execution = machines.run({"Call": call(reader, "much", Catch=caught("States.ALL"))})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_an_input_beyond_256_kib_is_refused(machines: Machines) -> None:
    machine = machines.create({"Wait": {"Type": "Succeed"}})
    with pytest.raises(ClientError, match="262144"):
        machines.start(machine, {"text": "x" * 262_144})


def test_a_failure_tells_the_cause_that_a_path_names(machines: Machines) -> None:
    refused = {"Type": "Fail", "Error": "RolledBack", "CausePath": "$.answer.sentence"}
    execution = machines.run({"Refused": refused}, {"answer": {"sentence": "It was told to."}})
    assert (execution["error"], execution["cause"]) == ("RolledBack", "It was told to.")


# --- Time -----------------------------------------------------------------------------------------------------------


def test_a_task_that_takes_longer_than_it_may_is_a_timeout(machines: Machines, reader: str) -> None:
    output = machines.output({"Call": call(reader, "hang", TimeoutSeconds=1, Catch=caught("States.Timeout"))})
    assert output["error"]["Error"] == "States.Timeout"


def test_a_machine_that_takes_longer_than_it_may_times_out_at_once(machines: Machines) -> None:
    execution = machines.run({"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}, TimeoutSeconds=1)
    assert (execution["status"], execution["error"]) == ("TIMED_OUT", "States.Timeout")


def test_a_wait_takes_its_seconds_from_its_input(machines: Machines) -> None:
    wait = {"Wait": {"Type": "Wait", "SecondsPath": "$.answer.wait_seconds", "End": True}}
    execution = machines.run(wait, {"answer": {"wait_seconds": 1}})
    assert (execution["stopDate"] - execution["startDate"]).total_seconds() >= 1
    assert machines.run(wait, {"answer": {"wait_seconds": "soon"}})["error"] == "States.Runtime"


def test_retries_pause_for_no_longer_than_their_longest_delay(machines: Machines, reader: str) -> None:
    policy = {"MaxAttempts": 2, "IntervalSeconds": 30, "BackoffRate": 2.0, "MaxDelaySeconds": 1}
    execution = machines.run({"Call": call(reader, "raise", Retry=[{"ErrorEquals": ["LookupError"], **policy}])})
    assert execution["error"] == "LookupError"
    assert machines.kinds(execution["executionArn"]).count("TaskFailed") == 3
    assert 2 <= (execution["stopDate"] - execution["startDate"]).total_seconds() < 10


@pytest.mark.parametrize(
    ("policy", "count", "seconds"),
    [
        ({}, 0, 1.0),
        ({}, 3, 8.0),
        ({"IntervalSeconds": 3, "BackoffRate": 1.0}, 5, 3.0),
        ({"MaxDelaySeconds": 5}, 4, 5.0),
        ({"IntervalSeconds": 600}, 0, 60.0),
    ],
)
def test_a_retrys_pause_grows_to_its_limit_or_to_a_minute(policy: dict[str, Any], count: int, seconds: float) -> None:
    assert pause_seconds(policy, count, random.Random(1)) == seconds


def test_full_jitter_spreads_pauses_over_the_whole_delay() -> None:
    source = random.Random(1)
    pauses = [pause_seconds({"IntervalSeconds": 8, "JitterStrategy": "FULL"}, 0, source) for _ in range(1000)]
    assert 0 <= min(pauses) < 0.5 and 7.5 < max(pauses) <= 8


# --- Task tokens ----------------------------------------------------------------------------------------------------


def test_a_token_takes_one_answer(machines: Machines, reader: str) -> None:
    execution = machines.start(machines.create({"Ask": ask(reader)}))
    name = token(machines, execution)
    machines.client.send_task_success(taskToken=name, output='{"next": "shift"}')
    assert json.loads(machines.ended(execution)["output"]) == {"next": "shift"}
    with pytest.raises(machines.client.exceptions.TaskTimedOut):
        machines.client.send_task_success(taskToken=name, output="{}")


def test_a_failure_sent_for_a_token_is_caught_by_its_name(machines: Machines, reader: str) -> None:
    execution = machines.start(machines.create({"Ask": ask(reader, Catch=caught("Rejected"))}))
    machines.client.send_task_failure(taskToken=token(machines, execution), error="Rejected", cause="by a person")
    error = json.loads(machines.ended(execution)["output"])["error"]
    assert error == {"Error": "Rejected", "Cause": "by a person"}


def test_an_answer_after_the_time_is_over_is_refused_and_a_retry_has_another_token(
    machines: Machines, reader: str
) -> None:
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 1}]
    execution = machines.start(machines.create({"Ask": ask(reader, TimeoutSeconds=1, Retry=retry)}))
    first, second = token(machines, execution), token(machines, execution, 1)
    assert first != second
    with pytest.raises(machines.client.exceptions.TaskTimedOut):
        machines.client.send_task_success(taskToken=first, output="{}")
    assert "TaskTimedOut" in machines.kinds(execution)
    machines.client.send_task_success(taskToken=second, output="{}")
    assert machines.ended(execution)["status"] == "SUCCEEDED"


def test_a_token_that_was_never_issued_and_an_output_that_is_no_json_are_refused(
    machines: Machines, reader: str
) -> None:
    with pytest.raises(machines.client.exceptions.InvalidToken):
        machines.client.send_task_success(taskToken="never", output="{}")
    execution = machines.start(machines.create({"Ask": ask(reader)}))
    with pytest.raises(machines.client.exceptions.InvalidOutput):
        machines.client.send_task_success(taskToken=token(machines, execution), output="{")
    machines.client.stop_execution(executionArn=execution)


def test_a_question_that_could_not_be_asked_fails_its_task(machines: Machines, reader: str) -> None:
    output = machines.output({"Ask": ask(reader, "raise", Catch=caught("LookupError"))})
    assert output["error"]["Error"] == "LookupError"


# --- The end --------------------------------------------------------------------------------------------------------


def test_nothing_follows_in_an_execution_that_was_stopped(machines: Machines, reader: str) -> None:
    wait = {"Type": "Wait", "Seconds": 1, "Next": "Call"}
    machine = machines.create({"Wait": wait, "Call": call(reader, "nothing")})
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    failing = machines.create({"Call": call(reader, "raise", Retry=retry, Catch=caught("States.ALL"))})
    stopped = {machines.start(machine): "WaitStateEntered", machines.start(failing): "TaskFailed"}
    for execution, kind in stopped.items():
        eventually(lambda execution=execution, kind=kind: kind in machines.kinds(execution))  # type: ignore[misc]
        machines.client.stop_execution(executionArn=execution, error="Told", cause="to stop")
    # Longer than what they were stopped in.
    assert machines.ended(machines.start(machine))["status"] == "SUCCEEDED"
    for execution in stopped:
        ended = machines.ended(execution)
        assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "Told", "to stop")
        assert machines.kinds(execution)[-1] == "ExecutionAborted"


def test_stopping_closes_the_token_that_is_waited_for(machines: Machines, reader: str) -> None:
    execution = machines.start(machines.create({"Ask": ask(reader, Catch=caught("States.ALL"))}))
    name = token(machines, execution)
    eventually(lambda: "TaskStarted" in machines.kinds(execution))
    machines.client.stop_execution(executionArn=execution)

    def refused() -> bool:
        try:
            machines.client.send_task_heartbeat(taskToken=name)
        except machines.client.exceptions.TaskTimedOut:
            return True
        return False

    eventually(refused)
    assert machines.kinds(execution)[-1] == "ExecutionAborted"
    assert machines.ended(execution)["status"] == "ABORTED"


# --- Other services -------------------------------------------------------------------------------------------------


@pytest.fixture
def inbox(stack: Running) -> Inbox:
    return Inbox(stack)


def test_a_machine_publishes_to_a_topic(machines: Machines, stack: Running, inbox: Inbox) -> None:
    sns = stack.client("sns")
    topic = sns.create_topic(Name=f"t{uuid.uuid4().hex}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=inbox.arn)
    parameters = {"TopicArn": topic, "Subject": "Rollback unverified", "Message.$": "$.sentence"}
    machines.output({"Page": task("arn:aws:states:::sns:publish", parameters)}, {"sentence": "Look at it."})
    (page,) = inbox.messages(1)
    assert (page["Subject"], page["Message"], page["TopicArn"]) == ("Rollback unverified", "Look at it.", topic)


def test_a_machine_puts_events_whose_detail_is_an_object(
    machines: Machines, stack: Running, outputs: dict[str, str], inbox: Inbox
) -> None:
    watch(stack, inbox, {"source": ["fraud.rollouts"]}, outputs["Bus"])
    entry = {
        "Source": "fraud.rollouts",
        "DetailType": "Model Promoted",
        "EventBusName": outputs["Bus"],
        "Detail": {"execution.$": "$$.Execution.Id"},
    }
    execution = machines.run({"Announce": task("arn:aws:states:::events:putEvents", {"Entries": [entry]})})
    (event,) = inbox.messages(1)
    assert event["detail"] == {"execution": execution["executionArn"]}
    assert execution["executionArn"] in event["resources"]


def test_an_event_that_is_not_accepted_fails_its_task(machines: Machines) -> None:
    entry = {"Source": "aws.pretended", "DetailType": "Model Promoted", "Detail": {}}
    put = task("arn:aws:states:::events:putEvents", {"Entries": [entry]}, Catch=caught("EventBridge.FailedEntry"))
    assert "NotAuthorizedForSource" in machines.output({"Announce": put})["error"]["Cause"]


def watch(stack: Running, inbox: Inbox, pattern: dict[str, Any], bus: str = "default") -> None:
    events, name = stack.client("events"), f"r{uuid.uuid4().hex}"
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "inbox", "Arn": inbox.arn}])


def test_every_change_of_an_executions_status_is_announced(machines: Machines, stack: Running, inbox: Inbox) -> None:
    made = {
        "SUCCEEDED": machines.create({"Done": {"Type": "Succeed"}}),
        "FAILED": machines.create({"Refused": {"Type": "Fail", "Error": "Refused", "Cause": "so"}}),
        "TIMED_OUT": machines.create({"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}, TimeoutSeconds=1),
        "ABORTED": machines.create({"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}),
    }
    watch(stack, inbox, {"source": ["aws.states"], "detail": {"stateMachineArn": list(made.values())}})
    started = {status: machines.start(machine, {"n": 1}) for status, machine in made.items()}
    machines.client.stop_execution(executionArn=started["ABORTED"], error="Told", cause="to stop")
    told = {(event["detail"]["status"], event["detail"]["executionArn"]): event for event in inbox.messages(8)}
    assert told.keys() == {(word, arn) for status, arn in started.items() for word in ("RUNNING", status)}
    details = {status: told[status, arn]["detail"] for status, arn in started.items()}
    assert {each["detail-type"] for each in told.values()} == {"Step Functions Execution Status Change"}
    assert [details[status]["error"] for status in made] == [None, "Refused", "States.Timeout", "Told"]
    assert [details[status]["cause"] for status in made] == [None, "so", None, "to stop"]
    assert [details[status]["output"] for status in made] == ['{"n": 1}', None, None, None]
    assert {each["input"] for each in details.values()} == {'{"n": 1}'}


def journal(stack: Running, outputs: dict[str, str], function: str) -> list[list[str]]:
    items = stack.client("dynamodb").scan(TableName=outputs["Journal"], ConsistentRead=True)["Items"]
    notes = [item for item in items if item["function"]["S"] == function]
    return [[name["S"] for name in item["ids"]["L"]] for item in sorted(notes, key=lambda item: int(item["at"]["N"]))]


def put_event(stack: Running, kind: str, **detail: Any) -> None:
    entry = {"Source": "laptop.tests", "DetailType": kind, "Detail": json.dumps(detail)}
    assert stack.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_a_rule_of_the_template_starts_a_machine_with_its_transformed_input(
    machines: Machines, stack: Running, outputs: dict[str, str]
) -> None:
    package = f"arn:{uuid.uuid4().hex}"
    put_event(stack, "Start", name="other-name", package=package)
    put_event(stack, "Start", name="slot-a-errors", package=package)

    def inputs() -> list[Any]:
        listed = machines.client.list_executions(stateMachineArn=outputs["Machine"])["executions"]
        details = [machines.client.describe_execution(executionArn=each["executionArn"]) for each in listed]
        return [json.loads(each["input"]) for each in details if package in each["input"]]

    assert eventually(inputs) == [
        {"command": "nothing", "package": package, "started_by": "the approval of the package"}
    ]


def test_a_function_that_fails_on_an_event_is_tried_twice_more_and_one_that_does_not_is_left_alone(
    stack: Running, outputs: dict[str, str]
) -> None:
    good, bad = uuid.uuid4().hex, uuid.uuid4().hex
    put_event(stack, "Order", id=good, do="ok")
    put_event(stack, "Order", id=bad, do="raise")
    eventually(lambda: journal(stack, outputs, "watcher").count([bad]) == 3)
    assert journal(stack, outputs, "watcher").count([good]) == 1
