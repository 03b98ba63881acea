"""What the identity that runs probes must be allowed, as an IAM policy made of the calls that they declare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from verification.kinds import KINDS
from verification.probe import Probe
from verification.sandbox import PREFIX, TAG

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
    "lambda": [f"arn:aws:lambda:*:*:function:{PREFIX}*"],
    "logs": [f"arn:aws:logs:*:*:log-group:/aws/*/{PREFIX}*", "arn:aws:logs:*:*:log-group:/aws/sagemaker/*"],
    "s3": [f"arn:aws:s3:::{PREFIX}*"],
    "sagemaker": [f"arn:aws:sagemaker:*:*:*/{PREFIX}*"],
    "sqs": [f"arn:aws:sqs:*:*:{PREFIX}*"],
    "states": [f"arn:aws:states:*:*:stateMachine:{PREFIX}*"],
    "sts": [f"arn:aws:iam::*:role/{PREFIX}*"],
}
ANYWHERE = {
    "kms:CreateKey",
    "kms:TagResource",
    "lambda:CreateEventSourceMapping",
    "lambda:DeleteEventSourceMapping",
    # Model Monitor gives its jobs names of its own.
    "sagemaker:StopProcessingJob",
}
"""Writes that know no resource by our names."""
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
    """An IAM policy: looks at everything, changes only what bears our prefix or tag."""
    looks: set[str] = set()
    changes: defaultdict[str, set[str]] = defaultdict(set)
    for action in _actions(calls(probes)):
        service, _, name = action.partition(":")
        is_look = name.startswith(LOOKS) and not action.startswith(("s3:", "iam:"))
        (looks if is_look or action in ANYWHERE else changes[service]).add(action)
    statements = [{"Sid": "Look", "Effect": "Allow", "Action": sorted(looks), "Resource": "*"}]
    statements += [_change(service, sorted(actions)) for service, actions in sorted(changes.items())]
    return {"Version": "2012-10-17", "Statement": statements}


def _change(service: str, actions: Sequence[str]) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": service.capitalize(), "Effect": "Allow", "Action": list(actions)}
    if service == "kms":
        return statement | {"Resource": "*", "Condition": _KEYS}
    return statement | {"Resource": list(_resources(service))}


_KEYS = {"StringLike": {f"aws:ResourceTag/{TAG}": "*"}}


def _resources(service: str) -> Iterable[str]:
    for pattern in RESOURCES[service]:
        yield pattern
        if service == "s3":
            yield f"{pattern}/*"


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
