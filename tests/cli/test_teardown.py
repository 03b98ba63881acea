"""`fraud teardown`: legal order, what is kept, repeating it; CloudFormation is a fake, the rest is moto."""

import itertools
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.inventory import find_stack, take
from cli.main import app
from cli.target import Target
from cli.teardown import LONGEST_WAIT, LONGEST_WAIT_FOR_STACK, REMOVERS
from cli.teardown_plan import IS_DATA, IS_EVIDENCE, READS_EVIDENCE, Kind, Step, kept, plan
from fraud.aws.scaling import ApplicationAutoScaling
from fraud.monitoring_ports import definition_prefix, schedule_name
from tests.cli.conftest import make_bucket
from tests.fakes.model_monitor_service import MonitoringService, Schedule, refused

ROLE = "arn:aws:iam::123456789012:role/models"
STEPS = st.lists(st.builds(Step, st.sampled_from(Kind), st.sampled_from("xyz")))


@given(found=STEPS)
def test_plan_is_in_legal_order_and_complete(found: list[Step]) -> None:
    steps = plan(found, {})
    assert set(steps) == set(found)
    order = [list(Kind).index(step.kind) for step in steps]
    assert order == sorted(order)


@given(found=STEPS)
def test_plan_without_data_keeps_every_piece_of_it(found: list[Step]) -> None:
    staying = kept(found, delete_data=False)
    steps = plan(found, staying)
    assert not any(step.is_data for step in steps)
    assert {*staying, *steps} == set(found) and all(staying.values())


@given(found=STEPS)
def test_plan_with_data_keeps_evidence_and_what_reads_it_only(found: list[Step]) -> None:
    staying = kept(found, delete_data=True)
    evident = Kind.EVIDENCE in kinds(found)
    assert set(staying) == {step for step in found if step.kind is Kind.EVIDENCE or (step.kind is Kind.KEY and evident)}


def test_removers_know_every_kind_but_evidence() -> None:
    assert set(REMOVERS) == set(Kind) - {Kind.EVIDENCE}


def test_plan_ends_hosting_before_the_stack_and_data_before_its_key() -> None:
    order = list(Kind)
    for earlier, later in itertools.pairwise(
        [
            *(Kind.MONITORING, Kind.ENDPOINT, Kind.ENDPOINT_CONFIG, Kind.MODEL, Kind.STACK),
            *(Kind.MODEL_PACKAGE, Kind.MODEL_PACKAGE_GROUP),
        ]
    ):
        assert order.index(earlier) < order.index(later)
    assert order[-1] is Kind.KEY


class FakeCloudFormation:
    """Remembers stacks, and what each consists of after deletion too."""

    def __init__(self, resources: list[dict[str, Any]]) -> None:
        self.resources = resources
        self.stacks = [self.summary("arn:live", "CREATE_COMPLETE", 2), self.summary("arn:old", "DELETE_COMPLETE", 1)]
        self.longest_wait = 0.0

    def summary(self, stack_id: str, status: str, day: int) -> dict[str, Any]:
        created = datetime(2026, 5, day, tzinfo=UTC)
        return {"StackName": "fraud", "StackId": stack_id, "StackStatus": status, "CreationTime": created}

    def get_paginator(self, operation: str) -> Any:
        self.page = {"StackSummaries": self.stacks, "StackResourceSummaries": self.resources}
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        return iter([self.page])

    def delete_stack(self, **of: str) -> None:
        next(stack for stack in self.stacks if stack["StackId"] == of["StackName"])["StackStatus"] = "DELETE_COMPLETE"

    def get_waiter(self, _: str) -> Any:
        return self

    def wait(self, **of: Any) -> None:
        self.longest_wait = of["WaiterConfig"]["Delay"] * of["WaiterConfig"]["MaxAttempts"]
        assert self.stacks[0]["StackStatus"] == "DELETE_COMPLETE"


def resource(logical_id: str, kind: str, name: str) -> dict[str, str]:
    return {"LogicalResourceId": logical_id, "ResourceType": kind, "PhysicalResourceId": name}


def resources(stack: Target) -> list[dict[str, str]]:
    tables = [resource(name, "AWS::DynamoDB::Table", name) for name in ("EntityTable", "DecisionTable", "RolloutTable")]
    buckets = [resource(name, "AWS::S3::Bucket", name) for name in ("quarantine", "archive")]
    return [
        *tables,
        *buckets,
        resource("LabelQueue", "AWS::SQS::Queue", stack.output("LabelQueueUrl")),
        resource("DataKey", "AWS::KMS::Key", stack.output("DataKeyArn").rpartition("/")[2]),
        resource("ModelPackageGroup", "AWS::SageMaker::ModelPackageGroup", "fraud-models"),
        resource("SageMakerExecutionRole", "AWS::IAM::Role", "models"),
        resource("TransactionStream", "AWS::Kinesis::Stream", "transactions"),
    ]


def host(sagemaker: Any, model: str, role: str) -> None:
    container = {"Image": "image", "ModelDataUrl": "s3://archive/models/m/model.tar.gz"}
    sagemaker.create_model(ModelName=model, PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {"VariantName": "primary", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=f"{model}-config", ProductionVariants=[variant])


def watch(monitoring: MonitoringService, endpoint: str) -> None:
    """Have a schedule watch an endpoint, which moto knows nothing of."""
    definition = f"{definition_prefix(endpoint)}01234567"
    monitoring.definitions[definition] = {"DataQualityJobInput": {"EndpointInput": {"EndpointName": endpoint}}}
    monitoring.schedules[schedule_name(endpoint)] = Schedule({"MonitoringJobDefinitionName": definition})


@pytest.fixture
def monitoring(stack: Target) -> Iterator[MonitoringService]:
    """Model Monitor, which watches an endpoint of the stack and a neighbour's."""
    service = MonitoringService({"fraud-a", "fraud-a-a"}, looks=0)
    watch(service, "fraud-a")
    watch(service, "fraud-a-a")
    with service.answers(stack.client("sagemaker")):
        yield service


@pytest.fixture
def used(stack: Target, monitoring: MonitoringService) -> Target:
    """A stack that served a model, keeps data, and has a neighbour whose name begins alike."""
    sagemaker, s3 = stack.client("sagemaker"), stack.client("s3")
    host(sagemaker, "fraud-a-v1-0123", ROLE)
    host(sagemaker, "fraud-a-a-v1-4567", "arn:aws:iam::123456789012:role/neighbour")
    sagemaker.create_endpoint(EndpointName="fraud-a", EndpointConfigName="fraud-a-v1-0123-config")
    ApplicationAutoScaling(stack.client("application-autoscaling")).follow("fraud-a", 1, 2)
    sagemaker.create_model_package_group(ModelPackageGroupName="fraud-models")
    for body in (b"1", b"2"):
        s3.put_object(Bucket="archive", Key="decisions/x", Body=body)
    s3.delete_object(Bucket="archive", Key="decisions/x")
    stack.client("dynamodb").update_table(TableName="DecisionTable", DeletionProtectionEnabled=True)
    stack.client("logs").create_log_group(logGroupName="/aws/sagemaker/Endpoints/fraud-a")
    pretend_cloudformation(stack, resources(stack))
    return stack


def pretend_cloudformation(stack: Target, resources: list[dict[str, str]]) -> None:
    fake, real = FakeCloudFormation(resources), stack.client
    stack.__dict__["client"] = lambda name, **config: fake if name == "cloudformation" else real(name, **config)


def send(stack: Target, output: str, count: int) -> None:
    for _ in range(count):
        stack.client("sqs").send_message(QueueUrl=stack.output(output), MessageBody="label")


def keep_up(stack: Target, behind_ms: float = 12.0) -> None:
    """Scoring read the stream a moment ago."""
    metric = {
        "MetricName": "IteratorAge",
        "Dimensions": [{"Name": "FunctionName", "Value": "score"}],
        "Timestamp": datetime.now(UTC) - timedelta(minutes=1),
        "Value": behind_ms,
    }
    stack.client("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=[metric])


def told(runner: CliRunner) -> list[str]:
    losses: list[str] = json.loads(runner.invoke(app, ["teardown", "--dry-run", "--json"]).stdout)["lost"]
    return losses


def secure(stack: Target, name: str) -> None:
    """Make a bucket as the template makes the trail's, with a file in it."""
    s3, days = stack.client("s3"), {"Mode": "GOVERNANCE", "Days": 400}
    region = {"LocationConstraint": stack.client("s3").meta.region_name}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=region, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": days}}
    )
    encrypt(stack, name, stack.output("DataKeyArn"))
    s3.put_object(Bucket=name, Key="AWSLogs/trail.json.gz", Body=b"{}")


def encrypt(stack: Target, bucket: str, key: str) -> None:
    under = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    rules = {"Rules": [under]}
    stack.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)


@pytest.fixture
def audited(used: Target) -> Target:
    """A stack of the production profile that records configurations, too."""
    secure(used, "trail")
    make_bucket(used.client("s3"), "configurations")
    evidence = [
        resource("AuditBucket", "AWS::S3::Bucket", "trail"),
        resource("ConfigBucket", "AWS::S3::Bucket", "configurations"),
    ]
    pretend_cloudformation(used, [*without_group(used), *evidence])
    return used


def without_group(stack: Target) -> list[dict[str, str]]:
    """The stack's resources but the group of packages, which moto does not delete."""
    return [each for each in resources(stack) if each["LogicalResourceId"] != "ModelPackageGroup"]


def remove_data(runner: CliRunner) -> str:
    """Standard output of a teardown with everything."""
    result = runner.invoke(app, ["teardown", "--delete-data", "--yes"], input="fraud\n", catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def kinds(steps: Iterable[Step]) -> set[Kind]:
    return {step.kind for step in steps}


def test_inventory_finds_hosting_by_role_and_leaves_the_neighbours(used: Target) -> None:
    found = take(used)
    assert Step(Kind.MODEL, "fraud-a-v1-0123") in found
    assert Step(Kind.ENDPOINT_CONFIG, "fraud-a-v1-0123-config") in found
    assert not any("fraud-a-a" in step.name for step in found)
    assert kinds(found) == set(Kind) - {Kind.MODEL_PACKAGE, Kind.EVIDENCE}


def test_teardown_keeps_data_and_can_be_repeated(used: Target, runner: CliRunner) -> None:
    assert runner.invoke(app, ["teardown", "--yes"], catch_exceptions=False).exit_code == 0
    left = take(used)
    assert kinds(left) == {Kind.MODEL_PACKAGE_GROUP, Kind.BUCKET, Kind.TABLE, Kind.QUEUE, Kind.LOG_GROUP, Kind.KEY}
    again = runner.invoke(app, ["teardown", "--yes"])
    assert again.exit_code == 0 and "Nothing to remove." in again.stdout


def test_teardown_with_data_removes_everything_even_after_the_stack_is_gone(
    used: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.invoke(app, ["teardown", "--yes"])
    # moto has no DeleteModelPackageGroup.
    monkeypatch.setitem(REMOVERS, Kind.MODEL_PACKAGE_GROUP, lambda target, name: None)
    result = runner.invoke(app, ["teardown", "--delete-data"], input="fraud\n", catch_exceptions=False)
    assert result.exit_code == 0
    assert kinds(take(used)) == {Kind.MODEL_PACKAGE_GROUP}
    assert used.client("s3").list_buckets()["Buckets"] == []


def test_teardown_with_data_keeps_evidence_and_its_key_at_each_repetition(audited: Target, runner: CliRunner) -> None:
    key = audited.output("DataKeyArn").rpartition("/")[2]
    standing = {Step(Kind.EVIDENCE, "trail"), Step(Kind.EVIDENCE, "configurations"), Step(Kind.KEY, key)}
    first = remove_data(runner)
    assert f"keep   bucket of evidence trail: {IS_EVIDENCE}\n" in first
    assert f"keep   key {key}: {READS_EVIDENCE}\n" in first
    assert set(take(audited)) == standing
    again = runner.invoke(app, ["teardown", "--delete-data", "--json"])
    told = json.loads(again.stdout)
    assert again.exit_code == 0 and told["remove"] == []
    assert {(each["kind"], each["name"]) for each in told["keep"]} == {(s.kind.name.lower(), s.name) for s in standing}
    assert len(audited.client("s3").list_object_versions(Bucket="trail")["Versions"]) == 1


def test_teardown_once_evidence_was_ended_by_hand_removes_the_key(audited: Target, runner: CliRunner) -> None:
    remove_data(runner)
    s3 = audited.client("s3")
    (file,) = s3.list_object_versions(Bucket="trail")["Versions"]
    objects = {"Objects": [{"Key": file["Key"], "VersionId": file["VersionId"]}]}
    assert s3.delete_objects(Bucket="trail", Delete=objects)["Errors"]
    s3.delete_objects(Bucket="trail", Delete=objects, BypassGovernanceRetention=True)
    for bucket in ("trail", "configurations"):
        s3.delete_bucket(Bucket=bucket)
    assert "deleted after 30 days" in remove_data(runner)
    assert take(audited) == []


def test_teardown_keeps_the_key_of_evidence_that_an_update_took_out_of_the_stack(
    used: Target, runner: CliRunner
) -> None:
    pretend_cloudformation(used, without_group(used))
    secure(used, "fraud-auditbucket-1x2y")
    make_bucket(used.client("s3"), "fraud-configbucket-of-an-earlier-stack")
    encrypt(used, "fraud-configbucket-of-an-earlier-stack", "another-key")
    remove_data(runner)
    assert [step.name for step in take(used) if step.kind is Kind.EVIDENCE] == ["fraud-auditbucket-1x2y"]
    assert kinds(take(used)) == {Kind.EVIDENCE, Kind.KEY}


def test_teardown_without_data_says_why_each_thing_stays(audited: Target, runner: CliRunner) -> None:
    listed = json.loads(runner.invoke(app, ["teardown", "--dry-run", "--json"]).stdout)["keep"]
    reasons = {each["kind"]: each["reason"] for each in listed}
    assert reasons == {
        **dict.fromkeys(("bucket", "table", "queue", "log_group"), IS_DATA),
        "evidence": IS_EVIDENCE,
        "key": READS_EVIDENCE,
    }


def test_teardown_waits_for_the_network_of_functions_longer_than_for_an_endpoint(
    used: Target, runner: CliRunner
) -> None:
    assert runner.invoke(app, ["teardown", "--yes"]).exit_code == 0
    assert used.client("cloudformation").longest_wait == LONGEST_WAIT_FOR_STACK >= 2 * 45 * 60 > LONGEST_WAIT


@pytest.mark.parametrize(
    ("arguments", "typed"), [(["--delete-data", "--yes"], "fraud-production\n"), ([], "n\n")], ids=["data", "stack"]
)
def test_teardown_not_confirmed_removes_nothing(
    used: Target, runner: CliRunner, arguments: list[str], typed: str
) -> None:
    keep_up(used)
    before = take(used)
    result = runner.invoke(app, ["teardown", *arguments], input=typed)
    assert result.exit_code == 1
    assert take(used) == before


def test_teardown_dry_run_lists_in_order_and_removes_nothing(used: Target, runner: CliRunner) -> None:
    before = take(used)
    listed = json.loads(runner.invoke(app, ["teardown", "--dry-run", "--json"]).stdout)
    assert [each["kind"] for each in listed["remove"]] == [
        *("monitoring", "endpoint", "endpoint_config", "model", "stack"),
    ]
    assert len(listed["keep"]) == len(before) - 5
    assert take(used) == before


def test_teardown_ends_the_schedule_before_its_definitions_and_the_neighbours_goes_on(
    used: Target, runner: CliRunner, monitoring: MonitoringService, waits: list[float]
) -> None:
    monitoring.looks = 1
    result = runner.invoke(app, ["teardown", "--yes"], catch_exceptions=False)
    assert result.exit_code == 0 and not monitoring.refusals
    assert monitoring.mutations == ["delete_monitoring_schedule", "delete_data_quality_job_definition"]
    assert set(monitoring.schedules) == {schedule_name("fraud-a-a")}
    assert len(monitoring.definitions) == 1 and waits == [15]


def test_teardown_interrupted_before_the_definitions_removes_them_when_repeated(
    used: Target, runner: CliRunner, monitoring: MonitoringService
) -> None:
    del monitoring.schedules[schedule_name("fraud-a")]
    assert Step(Kind.MONITORING, "fraud-a") in take(used)
    assert runner.invoke(app, ["teardown", "--yes"]).exit_code == 0
    assert Kind.MONITORING not in kinds(take(used))


def test_teardown_while_a_run_goes_on_waits_and_leaves_the_endpoint(
    used: Target, runner: CliRunner, monitoring: MonitoringService, waits: list[float]
) -> None:
    monitoring.runs[schedule_name("fraud-a")] = [{"MonitoringExecutionStatus": "InProgress"}]
    result = runner.invoke(app, ["teardown", "--yes"])
    assert result.exit_code == 1 and "schedule of fraud-a is still there" in " ".join(result.stderr.split())
    assert sum(waits) == LONGEST_WAIT
    assert {Kind.MONITORING, Kind.ENDPOINT, Kind.STACK} <= kinds(take(used))


def test_teardown_of_an_account_without_model_monitor_removes_the_rest(
    used: Target, runner: CliRunner, monitoring: MonitoringService
) -> None:
    monitoring.refusal = refused("AccessDeniedException", "closed to new customers")
    assert Kind.MONITORING not in kinds(take(used))
    assert runner.invoke(app, ["teardown", "--yes"]).exit_code == 0
    assert Kind.ENDPOINT not in kinds(take(used))


def test_teardown_lets_go_of_the_scaling_of_an_endpoint(used: Target, runner: CliRunner) -> None:
    scaling = used.client("application-autoscaling")
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert runner.invoke(app, ["teardown", "--yes"]).exit_code == 0
    assert not scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]


def test_find_stack_prefers_the_living(used: Target) -> None:
    assert find_stack(used)["StackId"] == "arn:live"


def test_teardown_of_a_stack_that_worked_everything_off_asks_and_goes_on(used: Target, runner: CliRunner) -> None:
    keep_up(used)
    assert told(runner) == []
    assert runner.invoke(app, ["teardown"], input="y\n").exit_code == 0
    assert Kind.STACK not in kinds(take(used))


def test_teardown_refuses_to_lose_labels_unless_told(used: Target, runner: CliRunner) -> None:
    keep_up(used)
    send(used, "LabelQueueUrl", 3)
    send(used, "LabelDeadLetterQueueUrl", 2)
    expected = [
        "3 labels wait in the queue and would be lost",
        "2 labels lie in the dead-letter queue and would be lost",
    ]
    assert told(runner) == expected
    before = take(used)
    refused = runner.invoke(app, ["teardown"], input="y\n")
    assert refused.exit_code == 1 and "; ".join(expected) in refused.stderr.replace("\n", " ")
    assert "3 labels wait in the queue and would be lost" in refused.stdout
    assert take(used) == before
    assert runner.invoke(app, ["teardown", "--yes"]).exit_code == 0
    assert Kind.STACK not in kinds(take(used))


def test_teardown_refuses_while_scoring_is_behind_or_nothing_is_known_of_it(used: Target, runner: CliRunner) -> None:
    (unknown,) = told(runner)
    assert unknown.startswith("it is not known whether every transaction in the stream is decided")
    keep_up(used, behind_ms=90_500.0)
    (behind,) = told(runner)
    assert behind.startswith("scoring is 90.5 s behind the stream")
    assert runner.invoke(app, ["teardown"], input="y\n").exit_code == 1


def test_teardown_of_a_stack_that_never_came_up_has_nothing_to_lose(used: Target, runner: CliRunner) -> None:
    used.__dict__["outputs"] = {}
    used.__dict__["resources"] = {}
    assert told(runner) == []


def test_teardown_of_a_stack_half_removed_has_no_queue_to_lose(used: Target, runner: CliRunner) -> None:
    keep_up(used)
    used.client("sqs").delete_queue(QueueUrl=used.output("LabelQueueUrl"))
    assert told(runner) == []
