"""Asks the archive: the query that training sets are made with, its rows brought here."""

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli import console
from cli.errors import CommandError, NotFound
from cli.target import Target

QUERY = Path(__file__).parent.parent / "model" / "sql" / "training_set.sql"
LONGEST = 3_600
"""Seconds for a query."""
LOOK_EVERY = 0.5
RUNNING = ("QUEUED", "RUNNING")


def fetch(target: Target, days: int, folder: Path) -> Path:
    """Rows of the last days as Parquet files in a folder. Raises: CommandError."""
    from fraud import dataset_query

    bucket, place = target.output("ArchiveBucketName"), f"queries/replay/{secrets.token_hex(8)}/"
    select = dataset_query.select(QUERY.read_text(encoding="utf-8"), datetime.now(UTC).timestamp(), days)
    with console.working("Asking the archive"):
        run(target, dataset_query.unload(select, f"s3://{bucket}/{place}"))
    keys = list(_keys(target, bucket, place))
    if not keys:
        raise NotFound(f"The archive holds no decisions of the last {days} days; they arrive there within a minute.")
    with console.progress("Reading decisions", len(keys)) as meter:
        for number, key in enumerate(keys):
            target.client("s3").download_file(bucket, key, str(folder / f"{number}.parquet"))
            meter.reach(number + 1)
    return folder


def run(target: Target, statement: str) -> None:
    """Run a statement to its end. Raises: CommandError with Athena's reason."""
    athena = target.client("athena")
    begun = athena.start_query_execution(
        QueryString=statement,
        WorkGroup=target.output("QueryWorkGroupName"),
        QueryExecutionContext={"Database": target.output("ArchiveDatabaseName")},
    )
    deadline = time.monotonic() + LONGEST
    while (status := _status(athena, begun["QueryExecutionId"]))["State"] in RUNNING:
        if time.monotonic() > deadline:
            athena.stop_query_execution(QueryExecutionId=begun["QueryExecutionId"])
            raise CommandError(f"The query took longer than {LONGEST} seconds: ask for fewer days.")
        time.sleep(LOOK_EVERY)
    if status["State"] != "SUCCEEDED":
        raise CommandError(f"The query failed: {status.get('StateChangeReason') or status['State']}")


def _status(athena: Any, query: str) -> dict[str, Any]:
    status: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
    return status


def _keys(target: Target, bucket: str, prefix: str) -> Any:
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return (entry["Key"] for page in pages for entry in page.get("Contents", ()))
