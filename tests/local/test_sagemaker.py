"""SageMaker on the running stack: the answers fit the service's own model, and endpoints and jobs do what AWS's do."""

import io
import json
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.archives import INFERENCE
from tests.local.checked import missing
from tests.local.conftest import Running, eventually
from tests.local.lab import IMAGE, Lab

CALLED: set[str] = set()


@pytest.fixture
def lab(stack: Running, outputs: dict[str, str]) -> Lab:
    return Lab(stack, outputs, CALLED)


def test_an_endpoint_answers_with_the_models_functions(lab: Lab) -> None:
    lab.endpoint(lab.container(factor="3"))
    answer = lab.invoke("1,2", Accept="application/json")
    assert answer == {"kind": "str", "scores": [3.0, 6.0], "accept": "application/json"}


def test_the_answer_names_the_variant_and_the_type(lab: Lab) -> None:
    lab.endpoint(lab.container())
    answer = lab.runtime.invoke_endpoint(EndpointName=lab.name, Body="1", ContentType="text/csv")
    assert (answer["InvokedProductionVariant"], answer["ContentType"]) == ("AllTraffic", "application/json")


def test_what_the_model_raises_is_a_model_error_and_is_counted(lab: Lab, stack: Running) -> None:
    lab.endpoint(lab.container())
    lab.invoke()
    with pytest.raises(lab.runtime.exceptions.ModelError) as raised:
        lab.invoke("no number")
    assert raised.value.response["OriginalStatusCode"] == 500
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424
    sums = {name: metric(stack, lab.name, name) for name in ("Invocations", "Invocation5XXErrors", "ModelLatency")}
    assert (sums["Invocations"], sums["Invocation5XXErrors"]) == (2.0, 1.0)
    assert 10 < sums["ModelLatency"] < 2_000_000  # microseconds


def metric(stack: Running, endpoint: str, name: str) -> float:
    dimensions = {"EndpointName": endpoint, "VariantName": "AllTraffic"}
    points = stack.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=datetime.now(UTC) - timedelta(minutes=5),
        EndTime=datetime.now(UTC) + timedelta(minutes=5),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def test_a_container_that_dies_is_started_again(lab: Lab) -> None:
    lab.endpoint(lab.container())
    with pytest.raises(lab.runtime.exceptions.ModelError):
        lab.invoke("exit")
    assert lab.invoke("1")["scores"] == [2.0]


def test_an_unknown_endpoint_is_a_validation_error(lab: Lab) -> None:
    with pytest.raises(ClientError) as raised:
        lab.invoke()
    assert raised.value.response["Error"]["Code"] == "ValidationError"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_body_beyond_six_mebibytes_is_refused(lab: Lab) -> None:
    lab.endpoint(lab.container())
    with pytest.raises(ClientError, match="larger than"):
        lab.invoke("1" * (6 * 1024 * 1024 + 1))


def test_requests_that_come_together_are_all_answered(lab: Lab) -> None:
    lab.endpoint(lab.container())
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda number: lab.invoke(str(number))["scores"], range(40)))
    assert answers == [[2.0 * number] for number in range(40)]


def test_a_model_that_does_not_load_fails_the_endpoint_with_its_reason(lab: Lab) -> None:
    lab.config(lab.name, lab.container(inference="raise ImportError('no such thing')"))
    lab.sagemaker.create_endpoint(EndpointName=lab.name, EndpointConfigName=lab.name)
    endpoint = lab.settled()
    assert endpoint["EndpointStatus"] == "Failed" and "no such thing" in endpoint["FailureReason"]


def test_an_update_replaces_the_model_without_a_gap(lab: Lab) -> None:
    lab.endpoint(lab.container(factor="2"))
    lab.config(f"{lab.name}-new", lab.container(factor="5"))
    lab.sagemaker.update_endpoint(EndpointName=lab.name, EndpointConfigName=f"{lab.name}-new")
    scores: list[Any] = []
    while not scores or scores[-1] != [5.0]:
        scores.append(lab.invoke("1")["scores"])
        time.sleep(0.01)
    assert [score for score in scores if score not in ([2.0], [5.0])] == []
    assert lab.settled()["EndpointConfigName"] == f"{lab.name}-new"


def test_an_update_waits_for_what_the_old_model_is_asked(lab: Lab) -> None:
    lab.endpoint(lab.container(factor="2"))
    lab.config(f"{lab.name}-new", lab.container(factor="5", inference="import time; time.sleep(0.5)\n" + INFERENCE))
    with ThreadPoolExecutor(3) as callers:
        asked = [callers.submit(lab.invoke, "slow") for _ in range(3)]
        lab.sagemaker.update_endpoint(EndpointName=lab.name, EndpointConfigName=f"{lab.name}-new")
        lab.settled()
        assert [each.result()["scores"] for each in asked] == [[2.0]] * 3


def test_a_failed_update_goes_on_serving_the_old_model(lab: Lab) -> None:
    lab.endpoint(lab.container(factor="2"))
    lab.config(f"{lab.name}-bad", lab.container(inference="raise ImportError('bad')"))
    lab.sagemaker.update_endpoint(EndpointName=lab.name, EndpointConfigName=f"{lab.name}-bad")
    endpoint = lab.settled()
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", lab.name)
    assert lab.invoke("1")["scores"] == [2.0]


def test_an_endpoint_that_is_changing_is_not_changed(lab: Lab) -> None:
    lab.config(lab.name, lab.container(inference="import time; time.sleep(0.5)\n" + INFERENCE))
    lab.sagemaker.create_endpoint(EndpointName=lab.name, EndpointConfigName=lab.name)
    with pytest.raises(ClientError, match="in-progress"):
        lab.sagemaker.delete_endpoint(EndpointName=lab.name)
    with pytest.raises(ClientError, match="not found"):
        lab.invoke()
    lab.settled()


def test_an_endpoint_that_is_deleted_is_deleting_first_and_then_gone(lab: Lab) -> None:
    lab.endpoint(lab.container())
    lab.sagemaker.delete_endpoint(EndpointName=lab.name)
    assert lab.sagemaker.describe_endpoint(EndpointName=lab.name)["EndpointStatus"] == "Deleting"
    with pytest.raises(ClientError, match="not found"):
        lab.invoke()
    with pytest.raises(ClientError, match="in-progress"):
        lab.sagemaker.delete_endpoint(EndpointName=lab.name)
    with pytest.raises(ClientError, match="already existing"):
        lab.sagemaker.create_endpoint(EndpointName=lab.name, EndpointConfigName=lab.name)
    eventually(lambda: not lab.sagemaker.list_endpoints(NameContains=lab.name)["Endpoints"])
    with pytest.raises(ClientError, match="Could not find endpoint"):
        lab.sagemaker.describe_endpoint(EndpointName=lab.name)


def test_traffic_follows_weights_and_a_target_variant_overrides_them(lab: Lab) -> None:
    two, three = f"{lab.name}-two", f"{lab.name}-three"
    for name, factor in ((two, "2"), (three, "3")):
        container = lab.container(factor=factor)
        lab.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=lab.role)
    settings = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    variants = [
        {"VariantName": "two", "ModelName": two, "InitialVariantWeight": 1.0, **settings},
        {"VariantName": "three", "ModelName": three, "InitialVariantWeight": 0.0, **settings},
    ]
    lab.sagemaker.create_endpoint_config(EndpointConfigName=lab.name, ProductionVariants=variants)
    lab.sagemaker.create_endpoint(EndpointName=lab.name, EndpointConfigName=lab.name)
    lab.settled()
    # The second archive overwrote the first before either was loaded: only the name tells them apart.
    answers = [lab.runtime.invoke_endpoint(EndpointName=lab.name, Body="1") for _ in range(10)]
    assert {answer["InvokedProductionVariant"] for answer in answers} == {"two"}
    answer = lab.runtime.invoke_endpoint(EndpointName=lab.name, Body="1", TargetVariant="three")
    assert answer["InvokedProductionVariant"] == "three"
    lab.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=lab.name, DesiredWeightsAndCapacities=[{"VariantName": "two", "DesiredWeight": 0.0},
                                                            {"VariantName": "three", "DesiredWeight": 1.0}],
    )  # fmt: skip
    answer = lab.runtime.invoke_endpoint(EndpointName=lab.name, Body="1")
    assert answer["InvokedProductionVariant"] == "three"


def test_a_package_is_deployed_only_once_it_is_approved(lab: Lab) -> None:
    arn = lab.package()
    with pytest.raises(ClientError, match="PendingManualApproval"):
        lab.config(lab.name, {"ModelPackageName": arn})
    lab.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    lab.endpoint({"ModelPackageName": arn})
    assert lab.invoke("1")["scores"] == [2.0]


def test_versions_count_up_and_are_listed_oldest_first_unless_asked_otherwise(lab: Lab) -> None:
    first, second = lab.package(), lab.package(ModelApprovalStatus="Approved")
    assert int(second.rpartition("/")[2]) == int(first.rpartition("/")[2]) + 1
    newest = lab.sagemaker.list_model_packages(
        ModelPackageGroupName=lab.group, MaxResults=2, SortBy="CreationTime", SortOrder="Descending"
    )
    assert [package["ModelPackageArn"] for package in newest["ModelPackageSummaryList"]] == [second, first]
    listed = lab.sagemaker.list_model_packages(ModelPackageGroupName=lab.group, MaxResults=100)
    assert [package["ModelPackageArn"] for package in listed["ModelPackageSummaryList"]][-2:] == [first, second]
    approved = lab.sagemaker.list_model_packages(ModelPackageGroupName=lab.group, ModelApprovalStatus="Approved")
    assert first not in [package["ModelPackageArn"] for package in approved["ModelPackageSummaryList"]]


def test_metadata_of_a_package_can_be_added_and_removed(lab: Lab) -> None:
    arn = lab.package(CustomerMetadataProperties={"package_uri": "s3://bucket/package.json", "old": "x"})
    lab.sagemaker.update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties={"new": "y"}, CustomerMetadataPropertiesToRemove=["old"]
    )
    package = lab.sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["CustomerMetadataProperties"] == {"package_uri": "s3://bucket/package.json", "new": "y"}


def test_an_approval_is_announced_on_the_default_bus(lab: Lab, stack: Running) -> None:
    events, sqs = stack.client("events"), stack.client("sqs")
    queue = sqs.create_queue(QueueName=lab.name)["QueueUrl"]
    target = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.sagemaker"], "detail": {"ModelApprovalStatus": ["Approved"]}}
    events.put_rule(Name=lab.name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=lab.name, Targets=[{"Id": "queue", "Arn": target}])
    arn = lab.package()
    lab.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    event = json.loads(message["Body"])
    assert event["detail-type"] == "SageMaker Model Package State Change"
    assert (event["resources"], event["detail"]["ModelPackageArn"]) == ([arn], arn)
    told = (event["detail"]["ModelPackageGroupName"], event["detail"]["ModelApprovalStatus"])
    assert told == (lab.group, "Approved")


def test_a_training_job_runs_the_script_and_uploads_what_it_wrote(lab: Lab) -> None:
    lab.train(**{"max-depth": "3", "objective": "binary:logistic"})
    job = lab.trained()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    shape = lab.sagemaker._client.meta.service_model.operation_model("DescribeTrainingJob").output_shape
    assert list(missing(shape, job)) == []
    key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{lab.bucket}/")
    content = lab.s3.get_object(Bucket=lab.bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        model = archive.extractfile("model.txt")
        assert model is not None
        assert model.read() == b"1,2,3 --max-depth 3 --objective binary:logistic"
    assert [(entry["MetricName"], entry["Value"]) for entry in job["FinalMetricDataList"]] == [("loss", 0.25)]
    statuses = [entry["Status"] for entry in job["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Downloading", "Training", "Uploading", "Completed"]


def test_a_failing_script_fails_the_job_with_the_containers_reason(lab: Lab) -> None:
    lab.train(fail="1")
    job = lab.trained()
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError")


def test_a_stopped_job_gets_time_to_write_and_ends_stopped(lab: Lab) -> None:
    lab.train(wait="1")
    eventually(
        lambda: lab.sagemaker._client.describe_training_job(TrainingJobName=lab.name)["SecondaryStatus"] == "Training"
    )
    lab.sagemaker.stop_training_job(TrainingJobName=lab.name)
    eventually(lambda: lab.trained()["TrainingJobStatus"] == "Stopped")


def test_a_job_name_is_never_free_again(lab: Lab) -> None:
    lab.train()
    with pytest.raises(lab.sagemaker._client.exceptions.ResourceInUse):
        lab.train()
    lab.trained()


def test_requests_are_checked_as_the_service_checks_them(lab: Lab) -> None:
    with pytest.raises(ClientError, match="regular expression"):
        lab.config("not_a_name", lab.container())
    with pytest.raises(ClientError, match="Could not find model data"):
        lab.config(lab.name, {"Image": IMAGE, "ModelDataUrl": "s3://nowhere/model.tar.gz"})
    with pytest.raises(ClientError, match="Could not find endpoint"):
        lab.sagemaker.describe_endpoint(EndpointName=lab.name)


def test_every_operation_answers_in_the_shape_of_the_services_model(lab: Lab) -> None:
    """Last in this module: what the tests above called counts, the rest is called here."""
    sagemaker = lab.sagemaker
    group = f"{lab.name}-group"
    arn = sagemaker.create_model_package_group(ModelPackageGroupName=group, Tags=[{"Key": "purpose", "Value": "test"}])[
        "ModelPackageGroupArn"
    ]
    sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    sagemaker.list_model_package_groups(NameContains=group)
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "purpose", "Value": "test"}]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "risk"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["purpose"])
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    lab.endpoint(lab.container())
    for method, key in (
        ("model", "ModelName"),
        ("endpoint_config", "EndpointConfigName"),
        ("endpoint", "EndpointName"),
    ):
        getattr(sagemaker, f"describe_{method}")(**{key: lab.name})
        assert getattr(sagemaker, f"list_{method}s")(NameContains=lab.name)
        getattr(sagemaker, f"delete_{method}")(**{key: lab.name})
    sagemaker.delete_model_package(ModelPackageName=lab.package())
    lab.train()
    lab.trained()
    sagemaker.describe_training_job(TrainingJobName=lab.name)
    sagemaker.list_training_jobs(NameContains=lab.name)
    assert emulated() - CALLED == NEEDS_ITS_OWN_TEST - CALLED


NEEDS_ITS_OWN_TEST = {
    "CreateProcessingJob", "DescribeModelPackage", "DescribeProcessingJob", "ListModelPackages", "ListProcessingJobs",
    "StopProcessingJob", "StopTrainingJob", "UpdateEndpoint", "UpdateEndpointWeightsAndCapacities",
    "UpdateModelPackage",
}  # fmt: skip


def emulated() -> set[str]:
    from local.sagemaker.endpoints import Endpoints
    from local.sagemaker.models import EndpointConfigs, Models
    from local.sagemaker.processing import ProcessingJobs
    from local.sagemaker.registry import Registry
    from local.sagemaker.tags import Tags
    from local.sagemaker.training import TrainingJobs

    nothing: Any = None
    parts: tuple[Any, ...] = (
        Models("", nothing, nothing),
        EndpointConfigs("", nothing),
        Endpoints("", nothing, nothing, nothing, nothing),
        Registry("", nothing),
        TrainingJobs("", nothing, nothing),
        ProcessingJobs("", nothing, nothing),
        Tags(),
    )
    return {name for part in parts for name in part.operations()}
