"""What a month's cost is computed from: list prices, what was measured, what is assumed, what the template says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.children import ROOT
from local.template import read

RATES = (1, 50, 1_000)
"""Transactions a second, all day."""
PRICES = ROOT / "docs" / "prices.json"

HOURS = 730
_WEEK_HOURS = 168
SECONDS = HOURS * 3_600
DAY = 86_400

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
    """

    call_ms: float = 10
    label_share: float = 0.01
    job_hours: float = 0.25
    log_line_bytes: int = 450
    log_compression: float = 0.15
    item_overhead: int = 100
    pollers: int = 5
    key_minutes: int = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """What the template says.

    Args:
        functions: Lambda functions.
        memory: of each, MiB.
        mappings: event sources that publish metrics.
        alarms: CloudWatch alarms.
        alarm_metrics: metrics that they look at; an alarm is paid for by these.
        keys: KMS keys.
        encrypted: resources that use the key.
        runs: of each schedule, a month.
        states: of each state machine.
        batch_size: most transactions in an invocation.
        decision_days, archive_days, archive_standard_days: retention, and what of it is not in Standard-IA.
    """

    functions: int
    memory: Mapping[str, int]
    mappings: int
    alarms: int
    alarm_metrics: int
    keys: int
    encrypted: int
    runs: Mapping[str, float]
    states: Mapping[str, int]
    batch_size: int
    decision_days: int
    archive_days: int
    archive_standard_days: int


@dataclass(frozen=True, slots=True)
class Profile:
    """Parameters that one sets.

    Args:
        name: of the column.
        shards: parameter StreamShards.
        instances: `instance_count` in the parameter RolloutPlan.
        log_days: parameter LogRetentionDays.
        model_monitor: whether the account has Model Monitor, and the parameter CapturePercentage is above 0.
    """

    name: str
    shards: int
    instances: int
    log_days: int
    model_monitor: bool = True


PROFILES = (Profile("default", shards=1, instances=1, log_days=30), Profile("production", 4, 2, 365))


@dataclass(frozen=True, slots=True)
class Case:
    """All that a term is computed from.

    Args:
        rate: transactions a second.
        profile: what was set.
        counts: what the template says.
        prices: of a unit.
        measured: of the code.
        assumed: of AWS and of the traffic.
    """

    rate: float
    profile: Profile
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
        return min(max(self.rate / self.profile.shards, 1), self.counts.batch_size)

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


def load_counts(path: Path = ROOT / "template.yaml") -> Counts:
    """Counted in the template as written, its state machines read in."""
    template = read(path)
    resources: Mapping[str, Json] = template["Resources"]
    functions = _of(resources, "AWS::Serverless::Function")
    events = [each for function in functions.values() for each in function.get("Events", {}).values()]
    alarms = _of(resources, "AWS::CloudWatch::Alarm")
    default = {name: each.get("Default") for name, each in template["Parameters"].items()}
    return Counts(
        functions=len(functions),
        memory={name: each["MemorySize"] for name, each in functions.items()},
        mappings=sum("MetricsConfig" in each["Properties"] for each in events),
        alarms=len(alarms),
        alarm_metrics=sum(_looked_at(each) for each in alarms.values()),
        keys=len(_of(resources, "AWS::KMS::Key")),
        encrypted=sum(_is_encrypted(each) for each in resources.values()),
        runs={name: _runs(each, default) for name, each in _of(resources, "AWS::Scheduler::Schedule").items()},
        states={
            name: len(each["Definition"]["States"])
            for name, each in _of(resources, "AWS::Serverless::StateMachine").items()
        },
        batch_size=functions["ScoreTransactionsFunction"]["Events"]["Transactions"]["Properties"]["BatchSize"],
        decision_days=default["DecisionRetentionDays"],
        archive_days=default["ArchiveRetentionDays"],
        archive_standard_days=_days_in_standard(resources["ArchiveBucket"]["Properties"]),
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


def _runs(schedule: Json, default: Mapping[str, Any]) -> float:
    """A month, of `rate(n hours)` and of a cron expression that names a day of the week."""
    given = schedule["ScheduleExpression"]
    expression = default[given["Ref"]] if isinstance(given, Mapping) else given
    if every := re.fullmatch(r"rate\((\d+) hours?\)", expression):
        return HOURS / int(every[1])
    assert re.fullmatch(r"cron\(\d+ \d+ \? \* [A-Z]{3} \*\)", expression), expression
    return HOURS / _WEEK_HOURS


def _days_in_standard(bucket: Json) -> int:
    rules = {each["Id"]: each for each in bucket["LifecycleConfiguration"]["Rules"]}
    (transition,) = rules["age-decisions"]["Transitions"]
    days: int = transition["TransitionInDays"]
    return days
