"""Whether roles of the template may have Athena write a data set, by their own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fraud import dataset_query
from verification import template
from verification.probe import Answer, Place, Probe, Term, judged
from verification.sandbox import Sandbox
from verification.stages import BUCKET, KEY, ROLE_CALLS, account_itself, assumed, make_role

ROLES = {
    "RetrainingMachineRole": "retraining",
    "MonitoringMachineRole": "monitoring/datasets",
    "DriftMachineRole": "monitoring/datasets",
}
"""Those that ask Athena, and where each has it write."""
SERVICES = ("athena", "glue", "kms", "s3")
TABLE, STATEMENT = "decisions", "SELECT id FROM decisions"
QUERY_MINUTES = 5
_UNDER_WAY = ("QUEUED", "RUNNING")
_JSON = "org.openx.data.jsonserde.JsonSerDe"


@dataclass(frozen=True, slots=True)
class _Archive:
    """A table of one row, and who may query it."""

    bucket: str
    database: str
    work_group: str


def _make_archive(sandbox: Sandbox) -> _Archive:
    bucket, key = sandbox.uses(BUCKET), sandbox.uses(KEY)
    sandbox.client("s3").put_object(
        Bucket=bucket, Key=f"{TABLE}/row.json", Body=b'{"id": "1"}\n', ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    database, glue = sandbox.name("archive").replace("-", "_"), sandbox.client("glue")
    sandbox.make("database", database, lambda: glue.create_database(DatabaseInput={"Name": database}))
    glue.create_table(DatabaseName=database, TableInput=_table(bucket))
    group, athena = sandbox.name("queries"), sandbox.client("athena")
    result = {
        "OutputLocation": f"s3://{bucket}/queries/",
        "EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": key},
    }
    configuration = {"EnforceWorkGroupConfiguration": True, "ResultConfiguration": result}
    sandbox.make(
        "work_group",
        group,
        lambda: athena.create_work_group(Name=group, Configuration=configuration, Tags=sandbox.tags),
    )
    return _Archive(bucket, database, group)


def _table(bucket: str) -> dict[str, Any]:
    return {
        "Name": TABLE,
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": {
            "Columns": [{"Name": "id", "Type": "string"}],
            "Location": f"s3://{bucket}/{TABLE}/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {"SerializationLibrary": _JSON},
        },
    }


def _ask(sandbox: Sandbox) -> Answer:
    archive = _make_archive(sandbox)
    ended = {role: _unloaded(sandbox, archive, role) for role in ROLES}
    return judged(
        all(status == "SUCCEEDED" for status in ended.values()),
        "; ".join(f"{role}: {status}" for role, status in ended.items()),
    )


def _unloaded(sandbox: Sandbox, archive: _Archive, role: str) -> str:
    """How an UNLOAD ends under a role's statements: what Athena says of it, or what it was refused with."""
    values = {
        "ArchiveBucket.Arn": f"arn:aws:s3:::{archive.bucket}",
        "ArchiveDatabase": archive.database,
        "ArchivedDecisions": TABLE,
        "ArchivedLabels": "labels",
        "DataKey.Arn": sandbox.uses(KEY),
        "QueryWorkGroup": archive.work_group,
        "AWS::AccountId": sandbox.account,
        "AWS::Partition": "aws",
        "AWS::Region": sandbox.aws.region,
    }
    statements = template.statements(role, values, SERVICES)
    arn = make_role(sandbox, role.removesuffix("MachineRole").lower(), account_itself(sandbox), statements)
    athena = assumed(sandbox, arn).client("athena")
    to = f"s3://{archive.bucket}/{ROLES[role]}/{role.lower()}/"
    begun: dict[str, Any] = {}
    refusal = sandbox.refused(
        lambda: begun.update(
            athena.start_query_execution(
                QueryString=dataset_query.unload(STATEMENT, to),
                QueryExecutionContext={"Database": archive.database},
                WorkGroup=archive.work_group,
            )
        )
    )
    return refusal.text if refusal else _ended(sandbox, athena, begun["QueryExecutionId"])


def _ended(sandbox: Sandbox, athena: Any, query: str) -> str:
    def look() -> Mapping[str, Any] | None:
        status: Mapping[str, Any] = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        return None if status["State"] in _UNDER_WAY else status

    status = sandbox.until("the query ends", look, QUERY_MINUTES)
    return " ".join(filter(None, (status["State"], status.get("StateChangeReason", ""))))


PROBES = (
    Probe(
        "unload",
        "May the three machines have Athena write a data set with what their roles say?",
        "Their statements on Athena, Glue, S3 and KMS are all that UNLOAD needs.",
        tuple(Place("template.yaml", f"{role}:") for role in ROLES),
        _ask,
        (
            "s3.put_object",
            "glue.create_database",
            "glue.create_table",
            "athena.create_work_group",
            "athena.start_query_execution",
            "athena.get_query_execution",
            "sts.assume_role",
            *ROLE_CALLS,
        ),
        minutes=3 * (QUERY_MINUTES + 3),
        # Ten megabytes a query at least.
        terms=(Term("athena_scan", 3 * 10 / 1_048_576),),
        stages=(BUCKET, KEY),
    ),
)
