"""What looks left in the archive: the findings and the report of each window that was looked at."""

from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli import monitoring_record
from cli.errors import CommandError, NotFound
from cli.target import Target

if TYPE_CHECKING:
    from fraud.monitoring import Watch

ROOT = "monitoring/windows/"
FOUND = "findings/"
DOCUMENT, REPORT = "monitoring.json", "report.html"


@dataclass(frozen=True)
class Window:
    """A look that left a report.

    Args:
        run_id: name of the execution that looked.
        written_at: when the report was.
    """

    run_id: str
    written_at: datetime


def newest(target: Target, most: int) -> list[Window]:
    """The last looks that left a report, the newest first."""
    pages = target.client("s3").get_paginator("list_objects_v2")
    places = pages.paginate(Bucket=target.output("ArchiveBucketName"), Prefix=ROOT)
    suffix = f"/{FOUND}{REPORT}"
    # A run's name says nothing of its age: the schedule's are random.
    windows = (
        Window(each["Key"].removeprefix(ROOT).removesuffix(suffix), each["LastModified"])
        for page in places
        for each in page.get("Contents", [])
        if each["Key"].endswith(suffix)
    )
    return nlargest(most, windows, key=lambda each: each.written_at)


def found_by(target: Target, run_id: str) -> str:
    """Where the findings of a run lie."""
    return f"s3://{target.output('ArchiveBucketName')}/{ROOT}{run_id}/{FOUND}"


def report(target: Target, uri: str) -> bytes:
    """The report among findings. Raises: NotFound."""
    return _read(target, f"{uri.rstrip('/')}/{REPORT}")


def look(target: Target, run_id: str, execution: str) -> "Watch | None":
    """What a run found, also when the record is of a later window; None when it looked at nothing.

    Raises:
        CommandError: other code wrote it.
    """
    kept = monitoring_record.watch(target)
    if kept is not None and kept.run_id == run_id:
        return kept
    uri = found_by(target, run_id)
    try:
        text = _read(target, uri + DOCUMENT)
    except NotFound:
        return None
    return _from_findings(text, run_id, execution, uri)


def _from_findings(text: bytes, run_id: str, execution: str, uri: str) -> "Watch":
    from fraud import monitoring_findings
    from fraud.monitoring import MOST_FINDINGS, Watch

    found = monitoring_findings.parse(text)
    return Watch(
        run_id=run_id,
        execution=execution,
        since=_seconds(found.since),
        until=_seconds(found.until),
        champion=found.champion,
        rows=found.rows,
        uri=uri,
        ended_at=0.0,
        sentence=found.sentence,
        violations=dict(found.counts),
        findings=found.violations[:MOST_FINDINGS],
        labels=found.labels,
    )


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _read(target: Target, uri: str) -> bytes:
    from botocore.exceptions import ClientError

    parts = urlsplit(uri)
    if parts.scheme != "s3":
        raise CommandError(f"The record names {uri!r}, which is no place in S3.")
    try:
        answer = target.client("s3").get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        raise NotFound(f"Nothing lies at {uri}. What there is: fraud monitor report --list") from error
    content: bytes = answer["Body"].read()
    return content
