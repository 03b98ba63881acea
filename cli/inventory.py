"""Finds what a stack consists of and what was created beside it, also after the stack itself is gone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from cli.errors import NotFound
from cli.target import Target
from cli.teardown_plan import Kind, Step
from fraud.aws.model_monitor import SageMakerModelMonitor

RETAINED = {
    "AWS::SageMaker::ModelPackageGroup": Kind.MODEL_PACKAGE_GROUP,
    "AWS::S3::Bucket": Kind.BUCKET,
    "AWS::DynamoDB::Table": Kind.TABLE,
    "AWS::SQS::Queue": Kind.QUEUE,
    "AWS::KMS::Key": Kind.KEY,
}
EVIDENCE = ("AuditBucket", "ConfigBucket")
"""Logical ids of the buckets that show what was done and how things were configured; only the first is locked."""
ABSENT = frozenset(
    (
        "404", "AWS.SimpleQueueService.NonExistentQueue", "NoSuchBucket", "NotFoundException", "QueueDoesNotExist",
        "ResourceNotFound", "ResourceNotFoundException",
    )
)  # fmt: skip
LONGEST_PREFIX = 40


def take(target: Target) -> list[Step]:
    """Everything there is to remove.

    Raises:
        NotFound: there is no such stack, and none was deleted within the 90 days that CloudFormation remembers.
    """
    stack = find_stack(target)
    live = stack["StackStatus"] != "DELETE_COMPLETE"
    resources = list(resources_of(target, stack["StackId"]))
    role = next((each["PhysicalResourceId"] for each in resources if is_model_role(each)), None)
    found = [*hosting(target, role), *retained(target, resources), *endpoint_logs(target)]
    found += [step for step in dropped_evidence(target, found) if step not in found]
    return [Step(Kind.STACK, stack["StackId"]), *found] if live else found


def find_stack(target: Target) -> dict[str, Any]:
    """The stack, or the last deleted one of its name."""
    pages = target.client("cloudformation").get_paginator("list_stacks").paginate()
    named = [stack for page in pages for stack in page["StackSummaries"] if stack["StackName"] == target.stack_name]
    if not named:
        raise NotFound(f"No stack {target.stack_name}, and none of that name was deleted lately: nothing to remove.")
    return max(named, key=lambda stack: (stack["StackStatus"] != "DELETE_COMPLETE", stack["CreationTime"]))


def resources_of(target: Target, stack_id: str) -> Iterator[dict[str, Any]]:
    """The stack's resources that came into being."""
    pages = target.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_id)
    return (each for page in pages for each in page["StackResourceSummaries"] if each.get("PhysicalResourceId"))


def is_model_role(resource: dict[str, Any]) -> bool:
    """Whether models of this stack run under it."""
    return bool(resource["LogicalResourceId"] == "SageMakerExecutionRole")


def hosting(target: Target, role: str | None) -> Iterator[Step]:
    """Endpoints of the slots, what watches them, and every model under the stack's role with its configurations."""
    sagemaker = target.client("sagemaker")
    monitor = SageMakerModelMonitor(sagemaker)
    slots = [f"{target.stack_name}-{slot}" for slot in "ab"]
    for slot in slots:
        if not monitor.is_clear(slot):
            yield Step(Kind.MONITORING, slot)
        if exists(partial(sagemaker.describe_endpoint, EndpointName=slot)):
            yield Step(Kind.ENDPOINT, slot)
    models = {model for slot in slots for model in models_under(sagemaker, slot, role)}
    yield from (Step(Kind.MODEL, model) for model in sorted(models))
    for slot in slots:
        yield from (Step(Kind.ENDPOINT_CONFIG, config) for config in configs_with(sagemaker, slot, models))


def models_under(sagemaker: Any, slot: str, role: str | None) -> Iterator[str]:
    """Models named after a slot; the role tells them from those of a stack with a similar name."""
    for name in names(sagemaker, "list_models", "Models", "ModelName", slot):
        arn = sagemaker.describe_model(ModelName=name).get("ExecutionRoleArn", "")
        if role is not None and arn.rpartition("/")[2] == role.rpartition("/")[2]:
            yield name


def configs_with(sagemaker: Any, slot: str, models: set[str]) -> Iterator[str]:
    """Endpoint configurations named after a slot that serve one of the models."""
    for name in names(sagemaker, "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", slot):
        variants = sagemaker.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"]
        if any(variant.get("ModelName") in models for variant in variants):
            yield name


def names(sagemaker: Any, operation: str, members: str, member: str, slot: str) -> Iterator[str]:
    """Names of a kind that begin as a slot's do; long ones are cut short."""
    prefix = slot[:LONGEST_PREFIX]
    pages = sagemaker.get_paginator(operation).paginate(NameContains=prefix)
    found = (each[member] for page in pages for each in page[members])
    return (name for name in found if name.startswith(prefix))


def retained(target: Target, resources: list[dict[str, Any]]) -> Iterator[Step]:
    """What outlives the stack and is still there."""
    for resource in resources:
        kind = kind_of(resource)
        if kind is None or not is_there(target, kind, resource["PhysicalResourceId"]):
            continue
        yield Step(kind, resource["PhysicalResourceId"])
        if kind is Kind.MODEL_PACKAGE_GROUP:
            yield from packages(target, resource["PhysicalResourceId"])


def kind_of(resource: dict[str, Any]) -> Kind | None:
    """What a resource is to a teardown, None if it goes with the stack."""
    if resource["LogicalResourceId"] in EVIDENCE:
        return Kind.EVIDENCE
    return RETAINED.get(resource["ResourceType"])


def dropped_evidence(target: Target, found: list[Step]) -> Iterator[Step]:
    """Evidence under a key of the stack that an update took out of the stack, as going back to `minimal` does."""
    s3, keys = target.client("s3"), {step.name for step in found if step.kind is Kind.KEY}
    for logical_id in EVIDENCE:
        prefix = f"{target.stack_name}-{logical_id}-".lower()
        pages = s3.get_paginator("list_buckets").paginate(Prefix=prefix)
        named = (bucket["Name"] for page in pages for bucket in page["Buckets"])
        yield from (Step(Kind.EVIDENCE, name) for name in named if key_of(s3, name) in keys)


def key_of(s3: Any, bucket: str) -> str:
    """Id of the key that a bucket encrypts under, empty if it is S3's own."""
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return str(rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID", "")).rpartition("/")[2]


def packages(target: Target, group: str) -> Iterator[Step]:
    """Every version in a group."""
    pages = target.client("sagemaker").get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    found = (each["ModelPackageArn"] for page in pages for each in page["ModelPackageSummaryList"])
    return (Step(Kind.MODEL_PACKAGE, arn) for arn in found)


def is_there(target: Target, kind: Kind, name: str) -> bool:
    """Whether a retained resource still exists; a key that waits for its deletion counts as gone."""
    if kind in (Kind.BUCKET, Kind.EVIDENCE):
        return exists(lambda: target.client("s3").head_bucket(Bucket=name))
    if kind is Kind.TABLE:
        return exists(lambda: target.client("dynamodb").describe_table(TableName=name))
    if kind is Kind.QUEUE:
        return exists(lambda: target.client("sqs").get_queue_attributes(QueueUrl=name))
    if kind is Kind.MODEL_PACKAGE_GROUP:
        sagemaker = target.client("sagemaker")
        return exists(lambda: sagemaker.describe_model_package_group(ModelPackageGroupName=name))
    return key_state(target, name) not in (None, "PendingDeletion")


def key_state(target: Target, name: str) -> str | None:
    """State of a key, None without one."""
    with suppress_absent():
        return str(target.client("kms").describe_key(KeyId=name)["KeyMetadata"]["KeyState"])
    return None


def endpoint_logs(target: Target) -> Iterator[Step]:
    """Log groups that SageMaker opened for the slots."""
    logs = target.client("logs")
    for slot in "ab":
        name = f"/aws/sagemaker/Endpoints/{target.stack_name}-{slot}"
        found = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        yield from (Step(Kind.LOG_GROUP, name) for group in found if group["logGroupName"] == name)


def exists(describe: Callable[[], Any]) -> bool:
    """Whether describing it finds it."""
    with suppress_absent():
        describe()
        return True
    return False


@contextmanager
def suppress_absent() -> Iterator[None]:
    """Ignore an answer that says: there is no such thing."""
    try:
        yield
    except ClientError as error:
        if not says_absent(error):
            raise


def says_absent(error: ClientError) -> bool:
    """SageMaker says it in a ValidationException, which may mean anything else as well."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    return code in ABSENT or (code == "ValidationException" and "could not find" in message.lower())
