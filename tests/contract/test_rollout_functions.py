"""The rollout's functions take the machine's, people's and EventBridge's events, over moto, and answer the machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.sagemakerruntime.models import sagemakerruntime_backends

from fraud import rollout_bootstrap
from fraud.aws.rollout_store import DynamoRolloutStore
from fraud.aws.routing_store import DynamoRoutingStore
from fraud.aws.slot_alarms import KINDS, CloudWatchSlotAlarms
from fraud.errors import RolloutRefused, StoreUnavailable
from fraud.rollout import ApprovalRequest, Rollout, Stage
from fraud.routing import Routing
from fraud.settings import RegistrySettings
from tests.deployment import packages
from tests.fakes import rollouts, samples
from tests.fakes.aws import BUCKET, ROLLOUTS, client
from tests.fakes.functions import ENVIRONMENT, Functions, golden
from tests.fakes.rollouts import EXECUTION

ACCOUNT, REGION = "123456789012", "eu-central-1"
FIELDS = {"next", "sentence", "wait_seconds", "step", "model_package_arn"}
SMOKE = [0.02, 0.97]


@pytest.fixture
def stack(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Functions:
    """What CloudFormation would have made, besides the tables."""
    # moto keeps no history of alarms.
    monkeypatch.setattr(CloudWatchSlotAlarms, "_history", lambda *_: iter(()))
    client("sagemaker").create_model_package_group(ModelPackageGroupName="fraud")
    client("sns").create_topic(Name="alarms")
    client("sqs").create_queue(QueueName="people")
    client("sns").subscribe(
        TopicArn=ENVIRONMENT["ALARM_TOPIC"],
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:people",
    )
    return functions


def enlist(**parts: Any) -> str:
    names = RegistrySettings("fraud", ENVIRONMENT["MODEL_IMAGE"], BUCKET)
    return rollout_bootstrap.packages(boto3.Session(), names).register(packages.archive(**parts), approved=True)


def scores(*answers: list[float]) -> None:
    """What endpoints answer next."""
    bodies = [json.dumps({"scores": each, "reasons": [[] for _ in each]}) for each in answers]
    queue = sagemakerruntime_backends[ACCOUNT][REGION].results_queue
    queue.extend((body, "application/json", "primary", "") for body in bodies)


def alarms_of(slot: str) -> None:
    """The slot's alarms, as far as whether one fired depends on them."""
    for kind in KINDS:
        client("cloudwatch").put_metric_alarm(
            AlarmName=f"fraud-slot-{slot}-{kind}",
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=5,
            ComparisonOperator="GreaterThanThreshold",
        )


def rung() -> list[tuple[str, str]]:
    """Subject and text of what people were told."""
    queue = client("sqs").get_queue_url(QueueName="people")["QueueUrl"]
    messages = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    bodies = [json.loads(each["Body"]) for each in messages]
    return [(body["Subject"], body["Message"]) for body in bodies]


def said() -> list[str]:
    """Subjects of what people were told."""
    return [subject for subject, _ in rung()]


def run(functions: Functions, function: str, task: str, **fields: Any) -> dict[str, Any]:
    """A task, as the machine words it; every answer has every field."""
    event = {"task": task, "execution": EXECUTION, "execution_name": "first", "input": {}, **fields}
    answer = functions.call(function, event)
    assert set(answer) == FIELDS
    return answer


def store(functions: Functions) -> DynamoRolloutStore:
    return DynamoRolloutStore(functions.stores.dynamodb, ROLLOUTS)


def record(functions: Functions) -> Rollout:
    found = store(functions).read()
    assert found is not None
    return found


def routing(functions: Functions) -> Routing | None:
    return DynamoRoutingStore(functions.stores.dynamodb, ROLLOUTS).read()


def under_way(functions: Functions, stage: Stage = Stage.CANARY, **fields: Any) -> None:
    """A rollout to slot b, which has a hundredth of the cards."""
    share = {"share_bps": 100} if stage is Stage.CANARY else {"shadow_bps": 10_000}
    functions.stores.set_routing(samples.routing(challenger="b", epoch=7, **share))
    step = 0 if stage is Stage.CANARY else None
    given = {"stage": stage, "step": step, "epoch": 7, "since": time.time(), "lease_until": time.time() + 900}
    store(functions).begin(rollouts.rollout(**given | fields), None)


# --- The machine's tasks ----------------------------------------------------------------------------------------------


def test_functions_roll_the_first_model_out(stack: Functions) -> None:
    package = enlist()
    checked = run(stack, "prepare_rollout", "check")
    assert (checked["next"], checked["model_package_arn"]) == ("roll_out", package)
    locked = run(stack, "prepare_rollout", "lock", model_package_arn=package)
    assert (locked["next"], locked["model_package_arn"]) == ("locked", package)
    assert run(stack, "deploy_challenger", "bring_up")["next"] == "wait"
    assert run(stack, "deploy_challenger", "bring_up")["next"] == "ready"
    scores(SMOKE)
    assert run(stack, "deploy_challenger", "smoke")["next"] == "bootstrap"
    assert run(stack, "shift_traffic", "serve_first")["next"] == "served"
    assert run(stack, "deploy_challenger", "remove")["next"] == "removed"
    released = run(stack, "shift_traffic", "release")
    assert (released["next"], released["model_package_arn"]) == ("released", package)
    served = routing(stack)
    assert served is not None and len(served.salt) == 32
    assert (served.epoch, served.champion, served.slots["a"].model_package) == (1, "a", package)
    assert (record(stack).stage, record(stack).released) == (Stage.PROMOTED, True)


def test_functions_deploy_with_the_stacks_role_and_key(stack: Functions) -> None:
    run(stack, "prepare_rollout", "lock", model_package_arn=enlist())
    run(stack, "deploy_challenger", "bring_up")
    sagemaker = client("sagemaker")
    [config] = sagemaker.list_endpoint_configs()["EndpointConfigs"]
    described = sagemaker.describe_endpoint_config(EndpointConfigName=config["EndpointConfigName"])
    assert described["KmsKeyId"] == ENVIRONMENT["VOLUME_KEY"]
    [model] = sagemaker.list_models()["Models"]
    assert sagemaker.describe_model(ModelName=model["ModelName"])["ExecutionRoleArn"] == ENVIRONMENT["EXECUTION_ROLE"]
    assert [each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]] == ["fraud-a"]


def test_prepare_rollout_what_may_not_be_is_refused_in_words(stack: Functions) -> None:
    answer = run(stack, "prepare_rollout", "check", input={"plan": {"bake": 5}})
    assert answer["next"] == "refused"
    assert "bake" in answer["sentence"]


def test_prepare_rollout_beside_a_champion_wants_alarms(stack: Functions) -> None:
    enlist()
    package = enlist(training={"rows": 10})
    stack.stores.set_routing(samples.routing())
    answer = run(stack, "prepare_rollout", "check", input={"model_package_arn": package})
    assert answer["next"] == "refused"
    assert "fraud-slot-b-errors does not exist" in answer["sentence"]


def test_prepare_rollout_after_a_rollback_that_is_not_verified_is_refused(stack: Functions) -> None:
    """moto's endpoints answer with what is no score."""
    package = enlist()
    under_way(stack, lease_until=time.time() - 1)
    answer = run(stack, "prepare_rollout", "lock", execution=f"{EXECUTION}-of-another", model_package_arn=package)
    assert answer["next"] == "refused"
    assert answer["sentence"].startswith("The rollback of first is not verified: the champion's endpoint fraud-a")
    assert (record(stack).owner, record(stack).stage) == (EXECUTION, Stage.ROLLING_BACK)


def test_deploy_challenger_what_cannot_serve_is_rolled_back(stack: Functions) -> None:
    run(stack, "prepare_rollout", "lock", model_package_arn=enlist())
    run(stack, "deploy_challenger", "bring_up")
    scores([0.5, 0.5])
    answer = run(stack, "deploy_challenger", "smoke")
    assert answer["next"] == "roll_back"
    assert "a smoke vector is scored" in answer["sentence"]


def test_judge_rollout_measures_the_epoch(stack: Functions) -> None:
    alarms_of("b")
    under_way(stack, Stage.SHADOW)
    answer = run(stack, "judge_rollout", "judge")
    assert (answer["next"], answer["wait_seconds"]) == ("hold", 60)
    assert [each.gate for each in record(stack).verdicts][:2] == ["traffic", "errors"]


def test_judge_rollout_stopped_answers_why(stack: Functions) -> None:
    under_way(stack, Stage.ROLLING_BACK, reason="Stopped by grace.")
    answer = run(stack, "judge_rollout", "judge")
    assert (answer["next"], answer["sentence"]) == ("roll_back", "Stopped by grace.")


def test_shift_traffic_restores_and_proves_it(stack: Functions) -> None:
    under_way(stack)
    assert run(stack, "shift_traffic", "restore", sentence="It was no good.")["next"] == "restored"
    scores([0.1])
    assert run(stack, "shift_traffic", "verify_rollback")["next"] == "verified"
    served = routing(stack)
    assert served is not None and (served.epoch, served.challenger) == (8, None)
    assert (record(stack).stage, record(stack).verified) == (Stage.ROLLED_BACK, True)


@pytest.mark.parametrize(
    ("task", "word"), [("verify", "verified"), ("shift", "shifted"), ("promote", "roll_back"), ("release", "released")]
)
def test_shift_traffic_answers_each_of_its_tasks(stack: Functions, task: str, word: str) -> None:
    under_way(stack)
    assert run(stack, "shift_traffic", task, step=0)["next"] == word


@pytest.mark.parametrize(
    ("function", "task"),
    [("deploy_challenger", "bring_up"), ("shift_traffic", "shift"), ("judge_rollout", "judge")],
)
def test_functions_of_an_execution_without_the_lock_are_superseded(stack: Functions, function: str, task: str) -> None:
    under_way(stack)
    assert run(stack, function, task, execution=f"{EXECUTION}-of-another")["next"] == "superseded"


@pytest.mark.parametrize(
    ("function", "task"),
    [
        ("prepare_rollout", "judge"),
        ("deploy_challenger", "shift"),
        ("shift_traffic", "check"),
    ],
)
def test_functions_do_no_other_functions_task(stack: Functions, function: str, task: str) -> None:
    under_way(stack)
    with pytest.raises(KeyError):
        run(stack, function, task)


def test_functions_write_each_answer_to_the_log(stack: Functions) -> None:
    under_way(stack)
    run(stack, "shift_traffic", "verify", step=0)
    [line] = [each for each in stack.lines() if each.get("message") == "verify"]
    assert (line["execution"], line["next"]) == (EXECUTION, "verified")


# --- What people say --------------------------------------------------------------------------------------------------


def test_steer_rollout_asks_people_by_the_topic(stack: Functions) -> None:
    under_way(stack)
    answer = run(stack, "steer_rollout", "ask", step=1, token="t" * 100)
    assert (answer["next"], record(stack).stage) == ("asked", Stage.APPROVAL)
    assert said() == ["A rollout asks: 5 % for version 2?"]
    assert "t" * 100 not in stack.log.getvalue()


def test_steer_rollout_pauses_and_resumes(stack: Functions) -> None:
    under_way(stack)
    assert stack.call("steer_rollout", {"task": "pause", "by": "grace", "reason": "lunch"})["next"] == "paused"
    assert record(stack).paused_by == "grace"
    assert stack.call("steer_rollout", {"task": "resume", "by": "mary"})["next"] == "resumed"
    assert record(stack).paused_at is None


def asked(stack: Functions) -> None:
    now = time.time()
    question = ApprovalRequest(request_id="first/1", token="t" * 100, step=1, requested_at=now, asked_since=now - 600)
    under_way(stack, Stage.APPROVAL, approval=question)


def test_steer_rollout_rejects(stack: Functions) -> None:
    asked(stack)
    event = {"task": "reject", "by": "grace", "request_id": "first/1", "reason": "no"}
    assert stack.call("steer_rollout", event)["sentence"] == "Rejected by grace: no."
    assert record(stack).stage is Stage.ROLLING_BACK


def test_steer_rollout_approves(stack: Functions) -> None:
    asked(stack)
    answer = stack.call("steer_rollout", {"task": "approve", "by": "grace", "request_id": "first/1"})
    assert (answer["next"], answer["step"]) == ("approved", 1)
    approval = record(stack).approval
    assert approval is not None and approval.approved_by == "grace"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"task": "approve", "by": "ada", "request_id": "first/1"}, "another person has to approve it"),
        ({"task": "approve", "by": "grace"}, "The question now is first/1, not "),
        ({"task": "approve", "by": None, "request_id": "first/1"}, "needs the name"),
        ({"task": "pause", "by": "grace"}, "only shadow, canary and soak can be paused"),
        ({"task": "pause", "by": "grace", "rollout_id": "second"}, "Rollout second is over; first took its place."),
        ({"task": "resume", "by": "grace", "rollout_id": "second"}, "Rollout second is over; first took its place."),
        ({"task": "resume", "by": "grace", "rollout_id": "first"}, "^The rollout is not paused.$"),
        ({"task": "applaud", "by": "grace"}, "^There is no task applaud.$"),
        ({"task": "records", "by": "grace"}, "^There is no task records.$"),
    ],
)
def test_steer_rollout_refusal_is_an_error_that_says_why(stack: Functions, event: dict[str, Any], words: str) -> None:
    asked(stack)
    with pytest.raises(RolloutRefused, match=words):
        stack.call("steer_rollout", event)


def test_steer_rollout_reject_said_again_says_the_same(stack: Functions) -> None:
    asked(stack)
    event = {"task": "reject", "by": "grace", "request_id": "first/1", "reason": "no"}
    assert stack.call("steer_rollout", event) == stack.call("steer_rollout", event)


ABORT = {"task": "abort", "by": "grace", "reason": "a bad feeling"}


def test_abort_rollout_person_stops_only_the_rollout_that_they_name(stack: Functions) -> None:
    under_way(stack)
    refused = stack.call("abort_rollout", {**ABORT, "rollout_id": "second"})
    assert (refused["next"], refused["sentence"].partition(";")[0]) == (
        "refused",
        "No rollout is under way that could be stopped",
    )
    assert record(stack).stage is Stage.CANARY
    assert stack.call("abort_rollout", {**ABORT, "rollout_id": "first"})["next"] == "stopped"


def test_abort_rollout_person_stops_it(stack: Functions) -> None:
    under_way(stack)
    answer = stack.call("abort_rollout", ABORT)
    assert answer["sentence"] == "Stopped by grace: a bad feeling."
    served = routing(stack)
    assert served is not None and served.challenger is None


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"by": "grace", "reason": "a bad feeling"},
        {**ABORT, "task": "pause"},
        {"source": "aws.sagemaker", "detail-type": "SageMaker Endpoint State Change", "detail": {}},
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
    ],
)
def test_abort_rollout_event_that_it_does_not_know_changes_nothing(stack: Functions, event: dict[str, Any]) -> None:
    under_way(stack)
    before = record(stack), routing(stack)
    assert stack.call("abort_rollout", event)["next"] == "ignored"
    assert (record(stack), routing(stack)) == before


# --- EventBridge ------------------------------------------------------------------------------------------------------


def test_abort_rollout_golden_alarm_of_the_challengers_slot_stops_it(stack: Functions) -> None:
    under_way(stack)
    answer = stack.call("abort_rollout", golden("eventbridge_alarm"))
    assert answer["next"] == "stopped"
    assert record(stack).reason == (
        "The alarm fraud-slot-b-errors went off: Threshold Crossed: 1 datapoint [9.0 (15/06/25 15:06:00)] was greater "
        "than the threshold (5.0)."
    )
    served = routing(stack)
    assert served is not None and (served.challenger, served.share_bps) == (None, 0)


@pytest.mark.parametrize("change", [{"alarmName": "fraud-slot-a-errors"}, {"alarmName": "fraud-slot-errors"}])
def test_abort_rollout_alarm_of_another_slot_changes_nothing(stack: Functions, change: dict[str, Any]) -> None:
    under_way(stack)
    event = golden("eventbridge_alarm")
    event["detail"] |= change
    assert stack.call("abort_rollout", event)["next"] == "ignored"
    assert record(stack).stage is Stage.CANARY


def test_abort_rollout_alarm_from_before_the_rollout_changes_nothing(stack: Functions) -> None:
    under_way(stack, started_at=time.time())
    assert stack.call("abort_rollout", golden("eventbridge_alarm"))["next"] == "ignored"


def test_abort_rollout_golden_end_of_the_execution_tidies_up(stack: Functions) -> None:
    under_way(stack)
    scores([0.1])
    event = golden("eventbridge_execution")
    assert stack.call("abort_rollout", event)["next"] == "released"
    told = record(stack)
    assert (told.stage, told.released, told.verified) == (Stage.ROLLED_BACK, True, True)
    assert told.reason == "Its execution ended: TIMED_OUT."
    assert stack.call("abort_rollout", event)["next"] == "ignored"
    assert said() == []


@pytest.fixture
def bus(stack: Functions) -> Callable[[], list[dict[str, Any]]]:
    """What subscribers of the bus hear, each thing once."""
    events, queue = client("events"), client("sqs").create_queue(QueueName="subscriber")["QueueUrl"]
    events.put_rule(Name="all", EventBusName=ENVIRONMENT["EVENT_BUS"], EventPattern='{"source": ["fraud.rollouts"]}')
    target = {"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:subscriber"}
    events.put_targets(Rule="all", EventBusName=ENVIRONMENT["EVENT_BUS"], Targets=[target])

    def hear() -> list[dict[str, Any]]:
        messages = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(each["Body"]) for each in messages]

    return hear


def test_abort_rollout_end_of_the_execution_is_announced_on_the_stacks_bus_once(
    stack: Functions, bus: Callable[[], list[dict[str, Any]]]
) -> None:
    under_way(stack)
    scores([0.1])
    for _ in range(2):
        stack.call("abort_rollout", golden("eventbridge_execution"))
    [heard] = bus()
    assert heard["detail-type"] == "Rollout Rolled Back"
    assert heard["detail"] == {
        "rollout_id": "first",
        "execution": EXECUTION,
        "sentence": "Its execution ended: TIMED_OUT.",
        "model_package_arn": record(stack).candidate.model_package,
    }


def test_abort_rollout_end_after_a_promotion_announces_it_and_releases(
    stack: Functions, bus: Callable[[], list[dict[str, Any]]]
) -> None:
    under_way(stack, Stage.PROMOTED)
    assert stack.call("abort_rollout", golden("eventbridge_execution"))["next"] == "released"
    assert [each["detail-type"] for each in bus()] == ["Model Promoted"]
    assert (record(stack).stage, record(stack).released) == (Stage.PROMOTED, True)


def test_abort_rollout_end_that_cannot_be_announced_keeps_the_lock(stack: Functions) -> None:
    """EventBridge tells of the end again; the announcement is not lost."""
    under_way(stack, Stage.PROMOTED)
    client("events").delete_event_bus(Name=ENVIRONMENT["EVENT_BUS"])
    with pytest.raises(StoreUnavailable):
        stack.call("abort_rollout", golden("eventbridge_execution"))
    assert not record(stack).released


def test_abort_rollout_end_with_a_cause_tells_people_in_its_words(stack: Functions) -> None:
    under_way(stack)
    scores([0.1])
    event = golden("eventbridge_execution")
    event["detail"] |= {"status": "FAILED", "error": "States.Runtime", "cause": "A path is not there."}
    assert stack.call("abort_rollout", event)["next"] == "released"
    [(subject, message)] = rung()
    assert subject == "A rollout did not promote its model"
    assert "Its execution ended: FAILED. States.Runtime A path is not there." in message


def test_abort_rollout_end_without_a_proof_calls_people(stack: Functions) -> None:
    """moto's endpoints answer with what is no score."""
    under_way(stack)
    with pytest.raises(Exception, match="the champion's endpoint fraud-a does not answer"):
        stack.call("abort_rollout", golden("eventbridge_execution"))
    assert said() == ["A rollback is not verified"]
    assert not record(stack).released


def test_abort_rollout_end_of_another_execution_changes_nothing(stack: Functions) -> None:
    under_way(stack)
    event = golden("eventbridge_execution")
    event["detail"]["executionArn"] += "-of-another"
    assert stack.call("abort_rollout", event)["next"] == "ignored"
    assert record(stack).stage is Stage.CANARY
