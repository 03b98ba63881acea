"""What Step Functions does with a machine's role, derived from the machine's definition; each rule names its source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.permissions.granted import Need, Resources, canonical, needs, of_type

ROOT = Path(__file__).parents[2]
LOG_DELIVERY = (
    "CreateLogDelivery",
    "DeleteLogDelivery",
    "DescribeLogGroups",
    "DescribeResourcePolicies",
    "GetLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "UpdateLogDelivery",
)
RULE = "events:rule/StepFunctionsGetEventsForSageMaker{}JobsRule"
JOB = "sagemaker:{}-job/${{AWS::StackName}}-????????????-{}"
WRITTEN = {
    "RetrainingMachine": "retraining",
    "MonitoringMachine": "monitoring/datasets",
    "DriftMachine": "monitoring/datasets",
}
"""Where a machine's queries unload their rows, besides their results; tests/retraining, tests/monitoring hold queries
to it by running them on the laptop."""


def log_delivery(resources: Resources) -> Iterator[Need]:
    """Step Functions guide, "Using CloudWatch Logs to log execution history": none has a resource level."""
    for _, machine in of_type(resources, "AWS::StepFunctions::StateMachine"):
        if "LoggingConfiguration" in machine:
            yield from needs(machine["RoleArn"], (f"logs:{each}" for each in LOG_DELIVERY), "*")


def machines(resources: Resources) -> Iterator[Need]:
    """Step Functions guide, "IAM policies for integrated services", for every task of every definition."""
    for name, machine in of_type(resources, "AWS::StepFunctions::StateMachine"):
        given = {
            key: canonical(value) for key, value in machine["DefinitionSubstitutions"].items() if _is_reference(value)
        }
        for state in _states(name):
            for action, place in _of_task(name, state, given):
                yield Need(canonical(machine["RoleArn"]), action, place)


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and bool({"Ref", "Fn::GetAtt"} & value.keys())


def _states(machine: str) -> Iterator[dict[str, Any]]:
    file = machine.removesuffix("Machine").lower()
    definition = json.loads((ROOT / "state_machines" / f"{file}.asl.json").read_text(encoding="utf-8"))
    return (each for each in definition["States"].values() if "Resource" in each)


def _of_task(machine: str, state: dict[str, Any], given: dict[str, str]) -> Iterator[tuple[str, str]]:
    integration = state["Resource"].removeprefix("arn:aws:states:::").removesuffix(".waitForTaskToken")
    told = state["Parameters"]
    place = {
        name: re.sub(r"\$\{(\w+)\}", lambda each: given.get(each[1], each[1]), value)
        for name, value in told.items()
        if isinstance(value, str)
    }
    if integration == "lambda:invoke":
        yield "lambda:InvokeFunction", place["FunctionName"]
    elif integration == "sns:publish":
        yield "sns:Publish", place["TopicArn"]
    elif integration == "events:putEvents":
        yield "events:PutEvents", given[told["Entries"][0]["EventBusName"].strip("${}")]
    elif integration == "states:startExecution":
        yield "states:StartExecution", place["StateMachineArn"]
    elif integration == "athena:startQueryExecution.sync":
        yield from _of_query(machine, place["WorkGroup"])
    else:
        yield from _of_job(integration, told, place)


def _of_job(integration: str, told: dict[str, Any], place: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Besides the job's own, those by which Step Functions learns of its end: a rule that it makes for itself."""
    kind = re.fullmatch(r"sagemaker:create(\w+)Job\.sync", integration)[1]  # type: ignore[index]
    named = told[f"{kind}JobName.$"].rpartition(".")[2].removesuffix("_name")
    job = JOB.format(kind.lower(), named)
    for action in ("AddTags", f"Create{kind}Job", f"Describe{kind}Job", "ListTags", f"Stop{kind}Job"):
        yield f"sagemaker:{action}", job
    for action in ("DescribeRule", "PutRule", "PutTargets"):
        yield f"events:{action}", RULE.format(kind)
    yield "iam:PassRole", place["RoleArn"]


def _of_query(machine: str, group: str) -> Iterator[tuple[str, str]]:
    """Also Athena guide, "Access to databases and tables in the Glue Data Catalog": `default` is always asked for."""
    for action in ("GetQueryExecution", "StartQueryExecution", "StopQueryExecution"):
        yield f"athena:{action}", f"athena:workgroup/{group}"
    yield "athena:GetDataCatalog", "athena:datacatalog/AwsDataCatalog"
    for place in ("catalog", "database/default", "database/ArchiveDatabase"):
        yield "glue:GetDatabase", f"glue:{place}"
    tables = [f"table/ArchiveDatabase/{each}" for each in ("ArchivedDecisions", "ArchivedLabels")]
    for action in ("GetPartitions", "GetTable"):
        for place in ("catalog", "database/ArchiveDatabase", *tables):
            yield f"glue:{action}", f"glue:{place}"
    yield from _of_rows(WRITTEN[machine])


def _of_rows(written: str) -> Iterator[tuple[str, str]]:
    for prefix in ("decisions", "labels", "queries"):
        yield "s3:GetObject", f"ArchiveBucket/{prefix}/*"
    for action in ("AbortMultipartUpload", "ListMultipartUploadParts", "PutObject"):
        for prefix in ("queries", written):
            yield f"s3:{action}", f"ArchiveBucket/{prefix}/*"
    for action in ("GetBucketLocation", "ListBucket", "ListBucketMultipartUploads"):
        yield f"s3:{action}", "ArchiveBucket"
