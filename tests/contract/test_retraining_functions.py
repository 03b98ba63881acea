"""The retraining's functions take the machine's events, over moto, and answer the machine."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from fraud.aws.retraining_store import DynamoRetrainingStore
from fraud.retraining import Files, Outcome, Retraining
from tests.fakes import samples
from tests.fakes.aws import ROLLOUTS, client
from tests.fakes.functions import ENVIRONMENT, Functions
from tests.fakes.retraining import EXECUTION
from tests.fakes.retraining_findings import BETTER, LEAK, UNCLEAR, WORSE, Findings
from tests.retraining.stages import plan

ARCHIVE, PREFIX = "archive", "fraud"
REGION, ACCOUNT = "eu-central-1", "123456789012"
FIELDS = {"next", "sentence", "wait_seconds", "run"}
FILES = Files(ARCHIVE, PREFIX, EXECUTION, "first")
DRIFT = "fraud-retrain-drift"


@pytest.fixture
def stack(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Functions:
    """What CloudFormation would have made, besides the tables."""
    variables = {
        "RETRAINING_PLAN": '{"training_days": 30}',
        "ARCHIVE_BUCKET": ARCHIVE,
        "JOB_PREFIX": PREFIX,
        "ALARM_PREFIX": "fraud-retrain-",
        "MODEL_SOURCE": str(Path(__file__).parents[2] / "model"),
        "SOURCE_COMMIT": "c" * 40,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    client("s3").create_bucket(Bucket=ARCHIVE, CreateBucketConfiguration={"LocationConstraint": REGION})
    client("sagemaker").create_model_package_group(ModelPackageGroupName="fraud")
    client("sns").create_topic(Name="alarms")
    client("sqs").create_queue(QueueName="people")
    people = f"arn:aws:sqs:{REGION}:{ACCOUNT}:people"
    client("sns").subscribe(TopicArn=ENVIRONMENT["ALARM_TOPIC"], Protocol="sqs", Endpoint=people)
    return functions


def ask(functions: Functions, function: str, task: str, **fields: Any) -> dict[str, Any]:
    """A task, as the machine words it; every answer has every field."""
    event = {"task": task, "execution": EXECUTION, "execution_name": "first", "input": {}, **fields}
    answer = functions.call(function, event)
    assert set(answer) == FIELDS
    return answer


def record(functions: Functions) -> Retraining:
    found = DynamoRetrainingStore(functions.stores.dynamodb, ROLLOUTS).read()
    assert found is not None
    return found


def put(objects: dict[str, bytes]) -> None:
    for uri, content in objects.items():
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        client("s3").put_object(Bucket=bucket, Key=key, Body=content)


def get(uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    content: bytes = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def begin(functions: Functions, **fields: Any) -> dict[str, Any]:
    """The lock is taken, and the archive holds rows; what the jobs' states read."""
    assert ask(functions, "prepare_retraining", "lock", input=plan(**fields))["next"] == "assemble"
    put({f"{FILES.dataset}part-0": b"rows"})
    locked = ask(functions, "prepare_retraining", "lock")
    chosen = ask(functions, "prepare_retraining", "choose_data", run=locked["run"])
    assert chosen["next"] == "examine"
    run: dict[str, Any] = chosen["run"]
    return run


def do_all_jobs(run: dict[str, Any], findings: Findings) -> None:
    left: dict[str, bytes] = {}
    for job in (findings.examine, findings.train, findings.evaluate):
        job(left, run)
    put(left)


def another_that_runs() -> str:
    """ARN of an execution."""
    role = f"arn:aws:iam::{ACCOUNT}:role/machine"
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
    machine = client("stepfunctions").create_state_machine(name="retraining", definition=definition, roleArn=role)
    started = client("stepfunctions").start_execution(stateMachineArn=machine["stateMachineArn"], name="another")
    return str(started["executionArn"])


def turn_on(alarm: str) -> None:
    client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        Namespace="FraudDetection",
        MetricName="Drift",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")


def said() -> list[str]:
    """Subjects of what people were told."""
    queue = client("sqs").get_queue_url(QueueName="people")["QueueUrl"]
    messages = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(each["Body"])["Subject"] for each in messages]


# --- A whole run ------------------------------------------------------------------------------------------------------


def test_functions_learn_judge_and_register_the_first_model(stack: Functions) -> None:
    run = begin(stack)
    do_all_jobs(run, Findings())
    assert ask(stack, "judge_retraining", "data", run=run)["next"] == "train"
    assert ask(stack, "judge_retraining", "candidate", run=run)["next"] == "judged"
    assert ask(stack, "finish_retraining", "release")["next"] == "approved"
    [version] = client("sagemaker").list_model_packages(ModelPackageGroupName="fraud")["ModelPackageSummaryList"]
    told = client("sagemaker").describe_model_package(ModelPackageName=version["ModelPackageArn"])
    assert told["ModelApprovalStatus"] == "Approved"
    assert told["MetadataProperties"] == {"GeneratedBy": EXECUTION, "CommitId": "c" * 40}
    assert (
        told["CustomerMetadataProperties"].items() >= {"verdict": "promote", "training_job": FILES.job("train")}.items()
    )
    assert get(told["CustomerMetadataProperties"]["query_uri"]).decode() == run["query"]
    assert (record(stack).outcome, record(stack).model_package) == (Outcome.PROMOTE, version["ModelPackageArn"])
    assert (record(stack).is_over, said()) == (True, [])


@pytest.mark.parametrize(
    ("gain", "word", "approval"), [(BETTER, "approved", "Approved"), (UNCLEAR, "pending", "PendingManualApproval")]
)
def test_functions_beside_a_champion_register_by_the_verdict(
    stack: Functions, gain: tuple[float, float, float], word: str, approval: str
) -> None:
    champion = serve_a_model(stack)
    run = begin(stack)
    assert record(stack).champion == champion
    do_all_jobs(run, Findings(gain=gain))
    ask(stack, "judge_retraining", "candidate", run=run)
    assert ask(stack, "finish_retraining", "release")["next"] == word
    told = client("sagemaker").describe_model_package(ModelPackageName=record(stack).model_package)
    assert (told["ModelApprovalStatus"], told["ModelPackageVersion"]) == (approval, 2)
    assert told["CustomerMetadataProperties"]["champion"] == champion


def test_functions_reject_what_is_worse(stack: Functions) -> None:
    serve_a_model(stack)
    run = begin(stack)
    do_all_jobs(run, Findings(gain=WORSE))
    ask(stack, "judge_retraining", "candidate", run=run)
    assert ask(stack, "finish_retraining", "release")["next"] == "rejected"
    assert len(client("sagemaker").list_model_packages(ModelPackageGroupName="fraud")["ModelPackageSummaryList"]) == 1


def serve_a_model(functions: Functions) -> str:
    """The model of an earlier run is the champion; its ARN."""
    owner = {"execution": f"{EXECUTION}-earlier", "execution_name": "earlier"}
    run = ask(functions, "prepare_retraining", "lock", **owner)["run"]
    do_all_jobs(run, Findings())
    ask(functions, "judge_retraining", "candidate", run=run, **owner)
    ask(functions, "finish_retraining", "release", **owner)
    package = record(functions).model_package
    functions.stores.set_routing(samples.routing(slots={"a": samples.model("a", model_package=package)}))
    return package


# --- Each of them -----------------------------------------------------------------------------------------------------


def test_prepare_retraining_packs_what_the_jobs_run(stack: Functions) -> None:
    run = ask(stack, "prepare_retraining", "lock")["run"]
    with tarfile.open(fileobj=io.BytesIO(get(run["source_uri"]))) as source:
        assert {"train.py", "examine.py", "evaluate.py", "fraud/features.py"} <= set(source.getnames())


def test_prepare_retraining_goes_by_the_stacks_plan(stack: Functions) -> None:
    run = begin(stack, maturity_days=5)
    assert (record(stack).plan.training_days, record(stack).plan.maturity_days) == (30, 5)
    assert run["query"].startswith("UNLOAD (")
    assert "$" not in run["query"]


@pytest.mark.parametrize(
    ("given", "words"),
    [({"plan": {"training_day": 5}}, "training_day"), ({"plans": {}}, "plans"), ("a text", "The input is not")],
)
def test_prepare_retraining_what_cannot_be_followed_is_refused_in_words(
    stack: Functions, given: Any, words: str
) -> None:
    answer = ask(stack, "prepare_retraining", "lock", input=given)
    assert answer["next"] == "refused"
    assert words in answer["sentence"]


def test_prepare_retraining_champion_that_is_not_registered_is_refused(stack: Functions) -> None:
    stack.stores.set_routing(samples.routing())
    answer = ask(stack, "prepare_retraining", "lock")
    assert (answer["next"], answer["sentence"]) == (
        "refused",
        "there is no model package arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/a",
    )
    assert DynamoRetrainingStore(stack.stores.dynamodb, ROLLOUTS).read() is None


def test_prepare_retraining_is_under_way_while_another_execution_runs(stack: Functions) -> None:
    owner = another_that_runs()
    assert ask(stack, "prepare_retraining", "lock", execution=owner, execution_name="another")["next"] == "assemble"
    answer = ask(stack, "prepare_retraining", "lock")
    assert (answer["next"], record(stack).owner) == ("under_way", owner)
    client("stepfunctions").stop_execution(executionArn=owner)
    assert ask(stack, "prepare_retraining", "lock")["next"] == "assemble"
    assert record(stack).owner == EXECUTION


def test_prepare_retraining_alarm_asks_as_long_as_it_is_on(stack: Functions) -> None:
    asked = {"trigger": "alarm", "alarm": DRIFT}
    assert ask(stack, "prepare_retraining", "lock", input=asked)["next"] == "nothing"
    turn_on(DRIFT)
    assert ask(stack, "prepare_retraining", "lock", input=asked)["next"] == "assemble"
    assert str(record(stack).trigger) == f"alarm {DRIFT}"


def test_prepare_retraining_empty_archive_is_not_enough(stack: Functions) -> None:
    locked = ask(stack, "prepare_retraining", "lock")
    answer = ask(stack, "prepare_retraining", "choose_data", run=locked["run"])
    assert answer["next"] == "not_enough"
    assert ask(stack, "finish_retraining", "release")["next"] == "not_enough"


@pytest.mark.parametrize("job", ["examine", "train", "evaluate"])
def test_inspect_job_that_never_began_says_why(stack: Functions, job: str) -> None:
    run = ask(stack, "prepare_retraining", "lock")["run"]
    error = json.dumps({"Error": "SageMaker.AmazonSageMakerException", "Cause": "Rate exceeded"})
    answer = ask(stack, "inspect_job", "look", job=job, error=error, run=run)
    assert answer["next"] == "failed"
    said = f"{FILES.job(job)} did not start: SageMaker.AmazonSageMakerException: Rate exceeded"
    assert (answer["sentence"], answer["run"]) == (said, run)


def test_inspect_job_that_is_done_is_adopted(stack: Functions) -> None:
    run = ask(stack, "prepare_retraining", "lock")["run"]
    client("sagemaker").create_training_job(
        TrainingJobName=run["train_name"],
        AlgorithmSpecification={"TrainingImage": ENVIRONMENT["MODEL_IMAGE"], "TrainingInputMode": "File"},
        RoleArn=ENVIRONMENT["EXECUTION_ROLE"],
        OutputDataConfig={"S3OutputPath": run["model_uri"]},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        StoppingCondition=run["stopping"],
    )
    assert ask(stack, "inspect_job", "look", job="train", run=run)["next"] == "done"


def test_judge_retraining_unfit_data_calls_people_at_the_end(stack: Functions) -> None:
    run = begin(stack)
    left: dict[str, bytes] = {}
    Findings((LEAK,)).examine(left, run)
    put(left)
    answer = ask(stack, "judge_retraining", "data", run=run)
    assert (answer["next"], answer["sentence"], answer["run"]) == ("unfit", LEAK.sentence, run)
    assert ask(stack, "finish_retraining", "release")["next"] == "unfit"
    assert said() == ["Retraining: unfit"]


@pytest.mark.parametrize("task", ["data", "candidate"])
def test_judge_retraining_evidence_that_is_not_there_fails_in_words(stack: Functions, task: str) -> None:
    answer = ask(stack, "judge_retraining", task, run=begin(stack))
    assert answer["next"] == "failed"
    assert answer["sentence"].startswith("there is no object s3://archive/retraining/first/")


def test_finish_retraining_fails_with_the_reason_and_calls_people(stack: Functions) -> None:
    begin(stack)
    turn_on(DRIFT)
    error = json.dumps({"Error": "States.TaskFailed", "Cause": '{"FailureReason": "AlgorithmError: no frauds"}'})
    answer = ask(stack, "finish_retraining", "fail", error=error)
    assert (answer["next"], answer["sentence"]) == ("failed", "States.TaskFailed: AlgorithmError: no frauds")
    assert (record(stack).outcome, said()) == (Outcome.FAILED, ["Retraining: failed"])
    assert ask(stack, "finish_retraining", "release")["sentence"].endswith(
        f"{DRIFT} is on still: reminders see to it after 24 hours."
    )


@pytest.mark.parametrize(
    ("function", "task"),
    [
        ("prepare_retraining", "choose_data"),
        ("judge_retraining", "data"),
        ("judge_retraining", "candidate"),
        ("finish_retraining", "release"),
    ],
)
def test_functions_of_an_execution_without_the_lock_are_superseded(stack: Functions, function: str, task: str) -> None:
    begin(stack)
    before = record(stack)
    owner = {"execution": f"{EXECUTION}-of-another", "execution_name": "another"}
    assert ask(stack, function, task, run={}, **owner)["next"] == "superseded"
    assert record(stack) == before


@pytest.mark.parametrize(
    ("function", "task"),
    [
        ("prepare_retraining", "release"),
        ("inspect_job", "data"),
        ("judge_retraining", "lock"),
        ("finish_retraining", "candidate"),
    ],
)
def test_functions_do_no_other_functions_task(stack: Functions, function: str, task: str) -> None:
    begin(stack)
    with pytest.raises(KeyError):
        ask(stack, function, task)


@pytest.mark.parametrize(
    ("function", "task", "fields"),
    [
        ("prepare_retraining", "lock", {}),
        ("inspect_job", "look", {"job": "train", "run": {"train_name": "fraud-0-train"}}),
        ("judge_retraining", "data", {}),
        ("finish_retraining", "release", {}),
    ],
)
def test_functions_write_each_answer_to_the_log(
    stack: Functions, function: str, task: str, fields: dict[str, Any]
) -> None:
    answer = ask(stack, function, task, **fields)
    [line] = [each for each in stack.lines() if each.get("message") == task]
    assert (line["execution"], line["next"], line["sentence"]) == (EXECUTION, answer["next"], answer["sentence"])
