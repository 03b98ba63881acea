"""How buckets, queues, roles, keys, logs and what Athena needs are removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from fraud.aws.control_plane import code
from verification.account import Aws
from verification.kind import GONE, MOST, found

KEY_DAYS = 7
"""The shortest time that KMS lets a key wait for its end; it costs nothing meanwhile."""
PROCESSING = "/aws/sagemaker/ProcessingJobs"
"""The log group of all processing jobs, those of Model Monitor among them."""
TRAINING = "/aws/sagemaker/TrainingJobs"
"""That of all training jobs."""


# --- Storage ----------------------------------------------------------------------------------------------------------


def bucket_stands(aws: Aws, name: str) -> bool:
    return found(lambda: aws.client("s3").head_bucket(Bucket=name)) is not None


def remove_bucket(aws: Aws, name: str) -> None:
    s3 = aws.client("s3")
    for _ in range(MOST // 1_000):
        objects = s3.list_objects_v2(Bucket=name).get("Contents", [])
        if not objects:
            break
        s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": each["Key"]} for each in objects]})
    s3.delete_bucket(Bucket=name)


def queue_stands(aws: Aws, name: str) -> bool:
    return found(lambda: aws.client("sqs").get_queue_url(QueueName=name)) is not None


def remove_queue(aws: Aws, name: str) -> None:
    sqs = aws.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


# --- Identity ---------------------------------------------------------------------------------------------------------


def role_stands(aws: Aws, name: str) -> bool:
    return found(lambda: aws.client("iam").get_role(RoleName=name)) is not None


def remove_role(aws: Aws, name: str) -> None:
    iam = aws.client("iam")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def keys(aws: Aws, name: str) -> Iterator[str]:
    """Ids of keys with a description, which is all the name they have, that do not wait for their end yet."""
    pages = aws.client("kms").get_paginator("list_keys").paginate()
    for each in islice((each for page in pages for each in page["Keys"]), MOST):
        about = _key(aws, each["KeyId"])
        if about.get("Description") == name and about["KeyState"] != "PendingDeletion":
            yield each["KeyId"]


def _key(aws: Aws, key: str) -> Mapping[str, Any]:
    """What is known of a key; nothing of somebody else's that may not be looked at."""
    try:
        return dict(aws.client("kms").describe_key(KeyId=key)["KeyMetadata"])
    except ClientError as error:
        if code(error) in GONE | {"AccessDeniedException"}:
            return {}
        raise


def remove_key(aws: Aws, name: str) -> None:
    for key in keys(aws, name):
        aws.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=KEY_DAYS)


# --- Queries ----------------------------------------------------------------------------------------------------------


def database_stands(aws: Aws, name: str) -> bool:
    return found(lambda: aws.client("glue").get_database(Name=name)) is not None


def remove_database(aws: Aws, name: str) -> None:
    aws.client("glue").delete_database(Name=name)


def work_group_stands(aws: Aws, name: str) -> bool:
    """Athena knows no other code for what is not there."""
    try:
        aws.client("athena").get_work_group(WorkGroup=name)
    except ClientError as error:
        if code(error) == "InvalidRequestException":
            return False
        raise
    return True


def remove_work_group(aws: Aws, name: str) -> None:
    aws.client("athena").delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)


# --- Logs -------------------------------------------------------------------------------------------------------------


def log_group_stands(aws: Aws, name: str) -> bool:
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(each["logGroupName"] == name for each in groups)


def remove_log_group(aws: Aws, name: str) -> None:
    aws.client("logs").delete_log_group(logGroupName=name)


def log_streams(aws: Aws, name: str) -> list[str]:
    """Streams by a group of many jobs and the job that they begin with, `group|job`."""
    group, _, job = name.partition("|")
    answer = found(
        lambda: aws.client("logs").describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/", limit=50)
    )
    return [each["logStreamName"] for each in answer["logStreams"]] if answer else []


def remove_log_streams(aws: Aws, name: str) -> None:
    for stream in log_streams(aws, name):
        aws.client("logs").delete_log_stream(logGroupName=name.partition("|")[0], logStreamName=stream)
