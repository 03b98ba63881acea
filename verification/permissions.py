"""What the identity that runs probes must be allowed, as an IAM policy made of the calls that they declare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from verification.kinds import KINDS
from verification.probe import Probe
from verification.sandbox import PREFIX, TAG
from verification.stored_kinds import PROCESSING, TRAINING

PREFIXES = {"stepfunctions": "states", "sagemaker-runtime": "sagemaker"}
"""Of actions, where they are not the client's name."""
NAMES = {
    "s3.head_bucket": "s3:ListBucket",
    "s3.list_objects_v2": "s3:ListBucket",
    "s3.delete_objects": "s3:DeleteObject",
    "dynamodb.transact_write_items": "dynamodb:PutItem",
}
TAGGING = {
    "athena": ["athena:TagResource"],
    "cloudwatch": ["cloudwatch:TagResource"],
    "dynamodb": ["dynamodb:TagResource"],
    "events": ["events:TagResource"],
    "iam": ["iam:TagRole"],
    "kinesis": ["kinesis:AddTagsToStream", "kinesis:TagResource"],
    "kms": ["kms:TagResource"],
    "lambda": ["lambda:TagResource"],
    "sagemaker": ["sagemaker:AddTags"],
    "sqs": ["sqs:TagQueue"],
    "states": ["states:TagResource"],
}
"""Asked for of whoever creates something with a tag."""
DATABASE = PREFIX.replace("-", "_")
FUNCTIONS = f"arn:aws:lambda:*:*:function:{PREFIX}*"
RESOURCES: Mapping[str, Sequence[str]] = {
    "athena": [f"arn:aws:athena:*:*:workgroup/{PREFIX}*"],
    "cloudwatch": [f"arn:aws:cloudwatch:*:*:alarm:{PREFIX}*"],
    "dynamodb": [f"arn:aws:dynamodb:*:*:table/{PREFIX}*"],
    "events": [f"arn:aws:events:*:*:event-bus/{PREFIX}*", f"arn:aws:events:*:*:rule/{PREFIX}*"],
    "glue": [
        "arn:aws:glue:*:*:catalog",
        f"arn:aws:glue:*:*:database/{DATABASE}*",
        f"arn:aws:glue:*:*:table/{DATABASE}*",
        f"arn:aws:glue:*:*:userDefinedFunction/{DATABASE}*",
    ],
    "iam": [f"arn:aws:iam::*:role/{PREFIX}*"],
    "kinesis": [f"arn:aws:kinesis:*:*:stream/{PREFIX}*"],
    "kms": ["*"],
    "kms:CreateKey": ["*"],
    "kms:TagResource": ["*"],
    "lambda": [FUNCTIONS],
    "lambda:CreateEventSourceMapping": ["*"],
    "lambda:DeleteEventSourceMapping": ["*"],
    "logs:DeleteLogGroup": [
        f"arn:aws:logs:*:*:log-group:/aws/lambda/{PREFIX}*",
        f"arn:aws:logs:*:*:log-group:/aws/sagemaker/Endpoints/{PREFIX}*",
    ],
    "logs:DeleteLogStream": [
        # Model Monitor gives its jobs names of its own.
        f"arn:aws:logs:*:*:log-group:{PROCESSING}:*",
        f"arn:aws:logs:*:*:log-group:{TRAINING}:log-stream:{PREFIX}*",
    ],
    "s3": [f"arn:aws:s3:::{PREFIX}*", f"arn:aws:s3:::{PREFIX}*/*"],
    "sagemaker": [f"arn:aws:sagemaker:*:*:*/{PREFIX}*"],
    "sagemaker:StopProcessingJob": ["*"],
    "sqs": [f"arn:aws:sqs:*:*:{PREFIX}*"],
    "states": [f"arn:aws:states:*:*:stateMachine:{PREFIX}*"],
    "sts": [f"arn:aws:iam::*:role/{PREFIX}*"],
}
"""What a service's changes are limited to, or an action's that is listed by itself."""
CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "kms": {"StringLike": {f"aws:ResourceTag/{TAG}": "*"}},
    "kms:CreateKey": {"StringLike": {f"aws:RequestTag/{TAG}": "*"}},
    # Needed to create a key with a tag, for all keys: nothing tells a new one from an old one.
    "kms:TagResource": {
        "StringLike": {f"aws:RequestTag/{TAG}": "*"},
        "ForAllValues:StringEquals": {"aws:TagKeys": [TAG]},
    },
    "lambda:CreateEventSourceMapping": {"ArnLike": {"lambda:FunctionArn": FUNCTIONS}},
    "lambda:DeleteEventSourceMapping": {"ArnLike": {"lambda:FunctionArn": FUNCTIONS}},
}
"""The same of what has no name of ours."""
LOOKS = ("Describe", "Get", "List")
GUARDS = ("cloudformation.describe_stacks",)
ALWAYS = ("kms.decrypt", "kms.generate_data_key", "kms.create_grant")
"""Asked for of whoever reads what is encrypted, or gives a volume a key, though no call of ours has the name."""


def calls(probes: Iterable[Probe]) -> set[str]:
    """All that a run of these may call, clean-up included."""
    probes = list(probes)
    own = {call for probe in probes for call in probe.calls}
    staged = {call for probe in probes for stage in probe.all_stages() for call in stage.calls}
    return own | staged | {call for kind in KINDS.values() for call in kind.calls} | set(GUARDS) | set(ALWAYS)


def policy(probes: Iterable[Probe]) -> dict[str, Any]:
    """An IAM policy: looks at everything, changes what bears our prefix or tag, and a few things that bear neither."""
    looks: set[str] = set()
    changes: defaultdict[str, set[str]] = defaultdict(set)
    for action in _actions(calls(probes)):
        (looks if _is_look(action) else changes[_limit(action)]).add(action)
    statements = [{"Sid": "Look", "Effect": "Allow", "Action": sorted(looks), "Resource": ["*"]}]
    statements += [_change(limit, sorted(actions)) for limit, actions in sorted(changes.items())]
    return {"Version": "2012-10-17", "Statement": statements}


def _is_look(action: str) -> bool:
    service, _, name = action.partition(":")
    return name.startswith(LOOKS) and service not in ("s3", "iam")


def _limit(action: str) -> str:
    """Under which name its resources are listed."""
    return action if action in RESOURCES else action.partition(":")[0]


def _change(limit: str, actions: Sequence[str]) -> dict[str, Any]:
    service, _, name = limit.partition(":")
    statement = {"Sid": service.capitalize() + name, "Effect": "Allow", "Action": list(actions)}
    condition = {"Condition": CONDITIONS[limit]} if limit in CONDITIONS else {}
    return {**statement, "Resource": list(RESOURCES[limit]), **condition}


def _actions(calls: Iterable[str]) -> set[str]:
    found = set()
    for call in calls:
        action = NAMES.get(call) or _action(call)
        found.add(action)
        if action.split(":")[1].startswith(("Create", "PutMetricAlarm", "PutRule")):
            found.update(TAGGING.get(action.partition(":")[0], ()))
    return found


def _action(call: str) -> str:
    service, _, operation = call.partition(".")
    return f"{PREFIXES.get(service, service)}:{''.join(each.title() for each in operation.split('_'))}"
