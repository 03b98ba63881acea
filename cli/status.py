"""`fraud status`: what serves, what waits, what was decided, and whether that is still watched."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import typer

from cli import console, status_monitoring, tables
from cli.options import AsJson
from cli.target import Target, addressed

EPILOG = """[bold]Examples[/bold]

  fraud status

  fraud status --json | jq .decisions"""

COUNTED = ("transactions", "approve", "review", "block", "degraded", "amount_minor")
MOST_OBJECTS = 10_000
QUARANTINE_PREFIXES = ("poison/", "aws/lambda/")


@addressed
def status(target: Target, as_json: AsJson = False) -> None:
    """Show the serving model, endpoints, what waits, the decisions of this epoch, and monitoring."""
    facts = observe(target)
    if as_json:
        console.write_json(facts)
    else:
        show(target, facts)


def observe(target: Target) -> dict[str, Any]:
    """Everything the command shows, as plain values."""
    routing = tables.get(target, "RolloutTableName", {"pk": "routing", "sk": "routing"})
    epoch = int(routing["epoch"]) if routing else 0
    return {
        "routing": served(routing),
        "rollout": rollout_under_way(target),
        "endpoints": {slot: endpoint_status(target, f"EndpointSlot{slot.upper()}") for slot in "ab"},
        "waiting": waiting(target),
        "decisions": tally(tables.query(target, "RolloutTableName", {"pk": f"counters#{epoch}"})),
        "quarantine": {prefix: quarantined(target, prefix) for prefix in QUARANTINE_PREFIXES},
        "monitoring": status_monitoring.observe(target),
    }


def served(routing: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the routing item says; without one, rules decide everything."""
    if routing is None:
        return {"status": "no model", "epoch": 0, "champion": None, "model_package": None}
    slots = routing["slots"]
    return {
        "status": routing["status"],
        "epoch": routing["epoch"],
        "champion": routing["champion"],
        "model_package": slots[routing["champion"]]["model_package"],
        "challenger": routing.get("challenger"),
        "challenger_share": routing["share_bps"] / 10_000,
    }


def rollout_under_way(target: Target) -> dict[str, Any] | None:
    """Where the rollout is; None without one."""
    from cli.rollout_record import current

    rollout = current(target)
    if rollout is None or rollout.released:
        return None
    return {"stage": str(rollout.stage), "share": rollout.share_bps / 10_000, "version": rollout.candidate.version}


def slots(target: Target) -> dict[str, str]:
    """Names of slots by their endpoints."""
    return {target.output(f"EndpointSlot{slot.upper()}"): slot for slot in "ab"}


def tally(counters: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Counters of all card buckets summed, by the slot that cards were routed to and altogether."""
    by_slot: dict[str, Counter[str]] = {}
    for item in counters:
        sums = by_slot.setdefault(str(item["sk"]).split("#")[0], Counter(dict.fromkeys(COUNTED, 0)))
        sums.update({name: int(item.get(name, 0)) for name in COUNTED})
    total: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    for sums in by_slot.values():
        total.update(sums)
    share = total["degraded"] / total["transactions"] if total["transactions"] else None
    slots = {name: dict(sums) for name, sums in sorted(by_slot.items())}
    return {**total, "degraded_share": share, "by_slot": slots}


def endpoint_status(target: Target, output: str) -> str | None:
    """EndpointStatus, or None where there is no endpoint."""
    from botocore.exceptions import ClientError

    try:
        answer = target.client("sagemaker").describe_endpoint(EndpointName=target.output(output))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        return None
    return str(answer["EndpointStatus"])


def waiting(target: Target) -> dict[str, Any]:
    """Labels not yet recorded, labels given up on, and how far scoring is behind the stream in milliseconds."""
    return {
        "labels": queue_depth(target, "LabelQueueUrl"),
        "dead_labels": queue_depth(target, "LabelDeadLetterQueueUrl"),
        "stream_behind_ms": iterator_age(target),
    }


def queue_depth(target: Target, output: str) -> int:
    """Messages waiting or being worked on; SQS calls the number approximate."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    queue = target.output(output)
    answer = target.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
    return sum(int(answer["Attributes"].get(name, 0)) for name in names)


def iterator_age(target: Target) -> float | None:
    """The oldest record that scoring read within five minutes; None without a measurement."""
    now = datetime.now(UTC)
    answer = target.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="IteratorAge",
        Dimensions=[{"Name": "FunctionName", "Value": target.resource("ScoreTransactionsFunction")}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now,
        Period=300,
        Statistics=["Maximum"],
    )
    return max((float(point["Maximum"]) for point in answer["Datapoints"]), default=None)


def quarantined(target: Target, prefix: str) -> int:
    """Objects under a prefix of the quarantine bucket, counted up to MOST_OBJECTS."""
    pages = target.client("s3").get_paginator("list_objects_v2")
    bucket = target.output("QuarantineBucketName")
    found = (each for page in pages.paginate(Bucket=bucket, Prefix=prefix) for each in page.get("Contents", []))
    return sum(1 for _ in islice(found, MOST_OBJECTS))


def show(target: Target, facts: Mapping[str, Any]) -> None:
    """For people."""
    out = console.stdout()
    decisions, quarantine, waits = facts["decisions"], facts["quarantine"], facts["waiting"]
    endpoints = {f"endpoint {slot}": state or "none" for slot, state in facts["endpoints"].items()}
    rollout = {"rollout": _rollout_words(facts["rollout"])}
    out.print(console.table_of(f"Serving · {target.stack_name}", facts["routing"] | rollout | endpoints))
    out.print(console.table_of("Waiting", _waiting_words(waits)))
    out.print(console.table_of("Decisions of this epoch", _decision_words(decisions)))
    out.print(status_monitoring.section(facts["monitoring"], slots(target)))
    out.print(console.table_of("Quarantine", {prefix: f"{count:,} objects" for prefix, count in quarantine.items()}))
    if sum(quarantine.values()):
        out.print("When the cause is gone, give them back: fraud replay-quarantine")


def _rollout_words(rollout: Mapping[str, Any] | None) -> str | None:
    if rollout is None:
        return None
    stage = rollout["stage"].replace("_", " ")
    return f"version {rollout['version']}, {stage}, {rollout['share']:.2%} of the cards: fraud rollout status"


def _waiting_words(waits: Mapping[str, Any]) -> dict[str, object]:
    behind = waits["stream_behind_ms"]
    return {
        "labels in the queue": waits["labels"],
        "labels in the dead-letter queue": waits["dead_labels"],
        "scoring behind the stream": None if behind is None else f"{behind / 1000:,.1f} s",
    }


def _decision_words(decisions: Mapping[str, Any]) -> dict[str, object]:
    total, degraded = decisions["transactions"], decisions["degraded_share"]
    shares = {name: f"{decisions[name]:,}{_share(decisions[name], total)}" for name in ("approve", "review", "block")}
    slots = {_routed(name): f"{sums['transactions']:,}" for name, sums in decisions["by_slot"].items()}
    fallback = {"degraded": None if degraded is None else f"{degraded:.1%}"}
    return {"transactions": f"{total:,}", **shares, **slots, **fallback}


def _routed(slot: str) -> str:
    return "before there was a model" if slot == "none" else f"routed to slot {slot}"


def _share(part: int, total: int) -> str:
    return f"  ({part / total:.2%})" if total else ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(status)
