"""What a month's cost is computed from: list prices, what was measured, what is assumed, what the template says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fraud import rollout_plan
from local import conditions
from local.children import ROOT
from local.template import read

RATES = (1, 50, 1_000)
"""Transactions a second, all day."""
PRICES = ROOT / "docs" / "prices.json"

HOURS = 730
_WEEK_HOURS = 168
SECONDS = HOURS * 3_600
DAY = 86_400

PROFILES: Mapping[str, Mapping[str, str]] = {
    "minimal": {},
    "production": {"Profile": "production", "LogRetentionDays": "365"},
}
"""Parameters that are set for each, by name."""

Prices = Mapping[str, float]
"""USD for one unit."""
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """By `benchmarks.scoring_path` and `benchmarks.downstream`; docs/cost.md says how.

    Args:
        table_writes: write units of tables in scoring, per transaction.
        index_writes: write units of indexes, per transaction.
        reads: read units in scoring, per transaction, in batches of `batch`.
        batch: records in an invocation when these were measured.
        scoring_ms: CPU of an invocation and of each of its transactions.
        projection_ms: the same of `project_decisions`.
        decision_bytes: of a decision's item.
        index_bytes: of its entry in the index of cards.
        document_bytes: of an archived decision, as sent to Firehose.
        archived_bytes: of the same, compressed with others.
        log_bytes: written by an invocation of `score_transactions`, and for each of its transactions.
        own_metrics: custom metrics that functions and looks publish.
    """

    table_writes: float = 3.962
    index_writes: float = 1.007
    reads: float = 1.949
    batch: int = 100
    scoring_ms: tuple[float, float] = (3.2, 0.64)
    projection_ms: tuple[float, float] = (4.0, 0.26)
    decision_bytes: int = 726
    index_bytes: int = 123
    document_bytes: int = 1_912
    archived_bytes: int = 180
    log_bytes: tuple[int, int] = (1_645, 19)
    own_metrics: int = 39


@dataclass(frozen=True, slots=True)
class Assumed:
    """What no measurement without an account can tell.

    Args:
        call_ms: wait for an AWS service in the same region.
        label_share: labels for each transaction.
        job_hours: an instance is paid for by a job.
        log_line_bytes: Lambda's own lines of an invocation, and a function's one line where it has only one.
        log_compression: bytes of logs stored for each byte taken in.
        item_overhead: bytes that DynamoDB adds to an item, and to an entry of an index.
        pollers: long polls of an idle queue that Lambda keeps open, each of 20 s.
        key_minutes: for how long a service uses a data key before it asks for another.
        serverless_ms: that a serverless endpoint is paid for by a call; its cold starts are not paid for.
        record_bytes: of a transaction in the stream.
        private_bytes: of a transaction's way through interface endpoints: the model, the archive, the bus.
        traced_share: of invocations beyond the first in a second, of each function.
        object_events: calls on objects a day that the trail writes down, and are paid for.
    """

    call_ms: float = 10
    label_share: float = 0.01
    job_hours: float = 0.25
    log_line_bytes: int = 450
    log_compression: float = 0.15
    item_overhead: int = 100
    pollers: int = 5
    key_minutes: int = 5
    serverless_ms: int = 30
    record_bytes: int = 500
    private_bytes: int = 4_000
    traced_share: float = 0.05
    object_events: int = 10_000


@dataclass(frozen=True, slots=True)
class Slot:
    """An endpoint of a slot.

    Args:
        memory: GiB of a serverless one; 0 where machines serve.
        instance_type: of its machines.
        instances: how many, when nothing is scaled out.
        captured: whether it captures requests, and Model Monitor runs on them.
    """

    memory: float
    instance_type: str
    instances: int
    captured: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """What the template says, under the parameters of a profile.

    Args:
        functions: Lambda functions.
        memory: of each, MiB.
        mappings: event sources that publish metrics.
        alarms: CloudWatch alarms.
        alarm_metrics: metrics that they look at; an alarm is paid for by these.
        filter_metrics: metrics that are made of log lines.
        dashboards: CloudWatch dashboards.
        keys: KMS keys.
        encrypted: resources that use the key.
        endpoint_zones: interface endpoints, times the availability zones that each is in.
        traced: whether X-Ray is active.
        trails: CloudTrail trails.
        runs: of each schedule, a month.
        states: of each state machine.
        batch_size: most transactions in an invocation.
        shards, retention_hours: of the stream of transactions.
        fan_out: whether the stream is read by a consumer of its own.
        slot: what an endpoint is.
        log_days, decision_days, archive_days: retention.
        archive_standard_days: what of the archive's is not in Standard-IA.
    """

    functions: int
    memory: Mapping[str, int]
    mappings: int
    alarms: int
    alarm_metrics: int
    filter_metrics: int
    dashboards: int
    keys: int
    encrypted: int
    endpoint_zones: int
    traced: bool
    trails: int
    runs: Mapping[str, float]
    states: Mapping[str, int]
    batch_size: int
    shards: int
    retention_hours: int
    fan_out: bool
    slot: Slot
    log_days: int
    decision_days: int
    archive_days: int
    archive_standard_days: int


@dataclass(frozen=True, slots=True)
class Case:
    """All that a term is computed from.

    Args:
        rate: transactions a second.
        profile: its name.
        counts: what the template says under it.
        prices: of a unit.
        measured: of the code.
        assumed: of AWS and of the traffic.
    """

    rate: float
    profile: str
    counts: Counts
    prices: Prices
    measured: Measured = Measured()
    assumed: Assumed = Assumed()

    @property
    def transactions(self) -> float:
        return self.rate * SECONDS

    @property
    def labels(self) -> float:
        return self.transactions * self.assumed.label_share

    @property
    def batch(self) -> float:
        """Records in an invocation: Lambda asks a shard once a second."""
        return min(max(self.rate / self.counts.shards, 1), self.counts.batch_size)

    @property
    def invocations(self) -> float:
        return self.transactions / self.batch

    @property
    def archived_a_day(self) -> float:
        """Bytes."""
        return self.rate * DAY * self.measured.archived_bytes

    @property
    def rollouts(self) -> float:
        """A month: at most one for each retraining of the schedule."""
        return self.counts.runs["RetrainingTimer"]


def load_prices(path: Path = PRICES) -> Prices:
    """USD for one unit, by name."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return {name: each["usd"] / each["per"] for name, each in document["prices"].items()}


def load_counts(parameters: Mapping[str, str], path: Path = ROOT / "template.yaml") -> Counts:
    """Counted in the template as written, its state machines read in, under values of its parameters."""
    template = read(path)
    value = conditions.values(template, parameters)
    resources: Mapping[str, Json] = conditions.resources(template, parameters)
    functions = _of(resources, "AWS::Serverless::Function")
    events = [each for function in functions.values() for each in function.get("Events", {}).values()]
    alarms = _of(resources, "AWS::CloudWatch::Alarm")
    stream = resources["TransactionStream"]["Properties"]
    return Counts(
        functions=len(functions),
        memory={name: each["MemorySize"] for name, each in functions.items()},
        mappings=sum("MetricsConfig" in each["Properties"] for each in events),
        alarms=len(alarms),
        alarm_metrics=sum(_looked_at(each) for each in alarms.values()),
        filter_metrics=len(_of(resources, "AWS::Logs::MetricFilter")),
        dashboards=len(_of(resources, "AWS::CloudWatch::Dashboard")),
        keys=len(_of(resources, "AWS::KMS::Key")),
        encrypted=sum(_is_encrypted(each) for each in resources.values()),
        endpoint_zones=sum(len(each.get("SubnetIds", ())) for each in _of(resources, "AWS::EC2::VPCEndpoint").values()),
        traced=_traced(template, parameters),
        trails=len(_of(resources, "AWS::CloudTrail::Trail")),
        runs={name: _runs(each, value) for name, each in _of(resources, "AWS::Scheduler::Schedule").items()},
        states={
            name: len(each["Definition"]["States"])
            for name, each in _of(resources, "AWS::Serverless::StateMachine").items()
        },
        batch_size=functions["ScoreTransactionsFunction"]["Events"]["Transactions"]["Properties"]["BatchSize"],
        shards=stream["ShardCount"],
        retention_hours=stream["RetentionPeriodHours"],
        fan_out=bool(_of(resources, "AWS::Kinesis::StreamConsumer")),
        slot=_slot(template, value),
        log_days=int(value["LogRetentionDays"]),
        decision_days=int(value["DecisionRetentionDays"]),
        archive_days=int(value["ArchiveRetentionDays"]),
        archive_standard_days=_days_in_standard(resources["ArchiveBucket"]["Properties"]),
    )


def _traced(template: Json, parameters: Mapping[str, str]) -> bool:
    stage = conditions.Stage(template, conditions.values(template, parameters))
    return bool(stage.settled(template["Globals"]["Function"].get("Tracing")) == "Active")


def _slot(template: Json, value: Mapping[str, str]) -> Slot:
    """By the plan that a rollout has on this stack unless asked otherwise."""
    profile = template["Mappings"]["Profiles"][value["Profile"]]
    asked = rollout_plan.merged(json.loads(profile["RolloutPlan"]), json.loads(value["RolloutPlan"]))
    plan = rollout_plan.parse(asked)
    memory = (rollout_plan.serverless_memory(plan.instance_type) or 0) / 1_024
    return Slot(
        memory, plan.instance_type, plan.instance_count, captured=not memory and value["CapturePercentage"] != "0"
    )


def _of(resources: Mapping[str, Json], kind: str) -> dict[str, Json]:
    """Properties, by logical id."""
    return {name: each.get("Properties", {}) for name, each in resources.items() if each["Type"] == kind}


def _looked_at(alarm: Json) -> int:
    return sum("MetricStat" in each for each in alarm.get("Metrics", ())) or 1


def _is_encrypted(resource: Json) -> bool:
    """Functions are, by Globals; policies and roles name the key too, and encrypt nothing."""
    kind = resource["Type"]
    if kind == "AWS::Serverless::Function":
        return True
    if kind.startswith(("AWS::IAM::", "AWS::KMS::")) or kind.endswith("Policy"):
        return False
    return '"DataKey"' in json.dumps(resource, default=str)


def _runs(schedule: Json, value: Mapping[str, str]) -> float:
    """A month, of `rate(n hours)` and of a cron expression that names a day of the week."""
    given = schedule["ScheduleExpression"]
    expression = value[given["Ref"]] if isinstance(given, Mapping) else given
    if every := re.fullmatch(r"rate\((\d+) hours?\)", expression):
        return HOURS / int(every[1])
    assert re.fullmatch(r"cron\(\d+ \d+ \? \* [A-Z]{3} \*\)", expression), expression
    return HOURS / _WEEK_HOURS


def _days_in_standard(bucket: Json) -> int:
    rules = {each["Id"]: each for each in bucket["LifecycleConfiguration"]["Rules"]}
    (transition,) = rules["age-decisions"]["Transitions"]
    days: int = transition["TransitionInDays"]
    return days
