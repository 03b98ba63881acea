"""What each service costs a month: pure functions of a case."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from benchmarks.cost_inputs import DAY, HOURS, SECONDS, Case
from fraud.monitoring_plan import Plan as MonitoringPlan
from fraud.retraining_plan import Plan as RetrainingPlan
from fraud.rollout_plan import Plan as RolloutPlan

PROJECTION_WRITES = 6
"""Of a decision: its mark, its terminal and its counter, 2 each in a transaction; fewer where a batch shares them."""
LABEL_WRITES = 5
"""Decision and terminal, 2 each in a transaction, and the entry in the index of reviews that is removed."""
_PROJECTION_READS = 2
"""The terminal, and a label that came first."""
_VCPU_MIB = 1_769
"""Memory at which a function has one whole vCPU."""
_MAPPING_METRICS = 6
"""Of the group EventCount, of a mapping of a stream."""
_REMINDER_STATES = 3
"""That a reminder visits when no alarm is on."""
_FREE_RETENTION_HOURS = 24
_FLOW_BYTES = 150
"""Of a flow log's record, of which every zone of an endpoint gives two a minute."""
_KIB, _MIB, _GIB, _TIB = 2**10, 2**20, 2**30, 2**40


def _dynamodb_writes(case: Case) -> float:
    """Scoring; the projection's mark, terminal and counter, 2 each; of a label its decision and terminal."""
    scored = case.measured.table_writes + case.measured.index_writes
    units = case.transactions * (scored + PROJECTION_WRITES) + case.labels * LABEL_WRITES
    return units * case.prices["dynamodb_write"]


def _dynamodb_reads(case: Case) -> float:
    """The routing item is read once a batch, whatever its size."""
    each = case.measured.reads - 1 / case.measured.batch + _PROJECTION_READS
    units = case.transactions * each + case.invocations + 2 * case.labels + _shadow_invocations(case)
    return units * case.prices["dynamodb_read"]


def _dynamodb_storage(case: Case) -> float:
    """Decisions and their index entries, once as many are removed as come; backups are of the table alone."""
    decisions = case.rate * DAY * case.counts.decision_days
    item = case.measured.decision_bytes + case.assumed.item_overhead
    entry = case.measured.index_bytes + case.assumed.item_overhead
    stored = (item + entry) * case.prices["dynamodb_storage"] + item * case.prices["dynamodb_backup"]
    return decisions * stored / _GIB


def _events(case: Case) -> float:
    return case.transactions * case.prices["eventbridge_event"]


def _firehose(case: Case) -> float:
    record = math.ceil(case.measured.document_bytes / (5 * _KIB)) * 5 * _KIB
    return (case.transactions + case.labels) * record / _GIB * case.prices["firehose_ingest"]


def _functions(case: Case) -> float:
    batch = case.batch
    called = [
        ("ScoreTransactionsFunction", case.invocations, _scoring_ms(case, batch)),
        ("ProjectDecisionsFunction", case.invocations, _projection_ms(case, batch)),
        ("ShadowScoreFunction", _shadow_invocations(case), 2 * case.assumed.call_ms),
        ("RecordLabelsFunction", case.labels, 4 * case.assumed.call_ms),
    ]
    seconds = sum(count * ms / 1_000 * case.counts.memory[name] / _KIB for name, count, ms in called)
    requests = sum(count for _, count, _ in called)
    return seconds * case.prices["lambda_duration"] + requests * case.prices["lambda_request"]


def _scoring_ms(case: Case, batch: float) -> float:
    """CPU, at one vCPU, and waits: the model, and reads and writes for every started fifty."""
    start, each = case.measured.scoring_ms
    return start + each * batch + case.assumed.call_ms * (1 + 2 * math.ceil(batch / 50))


def _projection_ms(case: Case, batch: float) -> float:
    """CPU, at its memory's share of a vCPU, and waits: archive, bus, terminals, early labels, a write a started 33."""
    start, each = case.measured.projection_ms
    share = case.counts.memory["ProjectDecisionsFunction"] / _VCPU_MIB
    return (start + each * batch) / share + case.assumed.call_ms * (4 + math.ceil(batch / 33))


def _shadow_invocations(case: Case) -> float:
    """It waits up to five seconds for a full batch, and is invoked without a rollout too."""
    return case.transactions / min(max(5 * case.rate, 1), case.counts.batch_size)


def _endpoint(case: Case) -> float:
    """The champion all month, and a second slot while rollouts take no longer than they must.

    A serverless slot is paid for by its calls, of which there is one for each invocation; the second slot answers the
    rows that are its own, and in the shadow those of the champion again.
    """
    slot, plan = case.counts.slot, RolloutPlan()
    stages = plan.shadow_seconds + len(plan.steps_bps) * plan.bake_seconds + plan.soak_seconds
    both = case.rollouts * (plan.deploy_seconds + stages) / 3_600
    if slot.memory:
        seconds = case.invocations * (1 + both / HOURS) * case.assumed.serverless_ms / 1_000
        return seconds * slot.memory * case.prices["serverless_duration"]
    return slot.instances * (HOURS + both) * case.prices[f"hosting_{slot.instance_type}"]


def _jobs(case: Case) -> float:
    """Looks, three jobs of a retraining at the price without spot, refreshes, and Model Monitor's hourly runs."""
    runs, hours = case.counts.runs, case.assumed.job_hours
    looks = (runs["DriftTimer"] + runs["MonitoringTimer"]) * case.prices[f"job_{MonitoringPlan().instance_type}"]
    learning = 3 * runs["RetrainingTimer"] * case.prices[f"job_{RetrainingPlan().instance_type}"]
    hourly = HOURS * case.prices["job_ml.m5.large"] if case.counts.slot.captured else 0
    return hours * (looks + learning + hourly)


def _kinesis(case: Case) -> float:
    counts, prices = case.counts, case.prices
    hourly = prices["kinesis_shard"] + (counts.retention_hours > _FREE_RETENTION_HOURS) * prices["kinesis_retention"]
    read = case.transactions * case.assumed.record_bytes / _GIB * prices["kinesis_fan_out_read"]
    fan_out = counts.shards * HOURS * prices["kinesis_fan_out_shard"] + read if counts.fan_out else 0
    return counts.shards * HOURS * hourly + fan_out + case.transactions * prices["kinesis_put"]


def _cloudwatch(case: Case) -> float:
    own = case.measured.own_metrics + case.counts.filter_metrics
    metrics = (own + _MAPPING_METRICS * case.counts.mappings) * case.prices["cloudwatch_metric"]
    metrics += case.counts.dashboards * case.prices["cloudwatch_dashboard"]
    alarms = case.counts.alarm_metrics * case.prices["cloudwatch_alarm"]
    start, each = case.measured.log_bytes
    scoring = case.invocations * (start + case.assumed.log_line_bytes) + case.transactions * each
    others = (case.invocations + _shadow_invocations(case) + case.labels) * 2 * case.assumed.log_line_bytes
    kept = case.assumed.log_compression * case.counts.log_days / (HOURS / 24)
    a_byte = (case.prices["logs_ingest"] + kept * case.prices["logs_storage"]) / _GIB
    return metrics + alarms + (scoring + others) * a_byte


def _s3(case: Case) -> float:
    """The archive, once as much is removed as comes; an object a minute, or for every 5 MiB."""
    counts, prices = case.counts, case.prices
    warm = counts.archive_standard_days * prices["s3_standard"]
    cool = (counts.archive_days - counts.archive_standard_days) * prices["s3_infrequent"]
    objects = SECONDS * max(1 / 60, case.rate * case.measured.document_bytes / (5 * _MIB))
    return case.archived_a_day * (warm + cool) / _GIB + objects * (prices["s3_put"] + prices["s3_transition"])


def _athena(case: Case) -> float:
    """Whole days of the archive: lines of JSON have no columns to skip."""
    runs = case.counts.runs
    queries = (
        (runs["DriftTimer"], MonitoringPlan().archive_days),
        (runs["MonitoringTimer"], MonitoringPlan().reference_days),
        (runs["RetrainingTimer"], RetrainingPlan().training_days),
    )
    scanned = sum(count * max(days * case.archived_a_day, 10 * _MIB) for count, days in queries)
    return scanned / _TIB * case.prices["athena_scan"]


def _kms(case: Case) -> float:
    """One key; a data key each way for every resource that names it, as often as services ask."""
    requests = 2 * case.counts.encrypted * HOURS * 60 / case.assumed.key_minutes
    return case.counts.keys * case.prices["kms_key"] + requests * case.prices["kms_request"]


def _control(case: Case) -> float:
    """The label queue, state machines that visit every state once, a rollout's looks, and schedules."""
    runs, states, plan = case.counts.runs, case.counts.states, RolloutPlan()
    stages = plan.shadow_seconds + len(plan.steps_bps) * plan.bake_seconds + plan.soak_seconds
    transitions = (
        runs["DriftTimer"] * states["DriftMachine"]
        + runs["MonitoringTimer"] * states["MonitoringMachine"]
        + runs["RetrainingTimer"] * states["RetrainingMachine"]
        + runs["RetrainingReminder"] * _REMINDER_STATES
        + case.rollouts * (states["RolloutMachine"] + 3 * stages / plan.look_seconds)
    )
    requests = 3 * case.labels + case.assumed.pollers * SECONDS / 20
    return (
        requests * case.prices["sqs_request"]
        + transitions * case.prices["states_transition"]
        + sum(runs.values()) * case.prices["scheduler_run"]
    )


def _network(case: Case) -> float:
    """Interface endpoints by the hour and zone, what goes through them, and flow logs; gateway endpoints are free."""
    zones, prices = case.counts.endpoint_zones, case.prices
    if not zones:
        return 0.0
    private = case.transactions * case.assumed.private_bytes / _GIB
    flows = 2 * zones * HOURS * 60 * _FLOW_BYTES / _GIB
    hours = zones * HOURS * prices["interface_endpoint_hour"]
    return hours + private * prices["interface_endpoint_data"] + flows * prices["logs_ingest"]


def _traces(case: Case) -> float:
    """The first invocation in a second of each function on the way of a transaction, and a share of the others."""
    if not case.counts.traced:
        return 0.0
    functions = (case.invocations, case.invocations, _shadow_invocations(case))
    traced = sum(min(each, SECONDS) + max(each - SECONDS, 0) * case.assumed.traced_share for each in functions)
    return traced * case.prices["xray_trace"]


def _trail(case: Case) -> float:
    """Data events; the first trail's management events are free, and its objects are few."""
    days = HOURS / 24
    return case.counts.trails * days * case.assumed.object_events * case.prices["trail_data_event"]


TERMS: Mapping[str, Callable[[Case], float]] = {
    "DynamoDB writes": _dynamodb_writes,
    "DynamoDB reads": _dynamodb_reads,
    "DynamoDB storage and backups": _dynamodb_storage,
    "EventBridge": _events,
    "Firehose": _firehose,
    "Lambda": _functions,
    "SageMaker endpoints": _endpoint,
    "SageMaker jobs": _jobs,
    "Kinesis": _kinesis,
    "CloudWatch": _cloudwatch,
    "Network": _network,
    "X-Ray": _traces,
    "CloudTrail": _trail,
    "S3": _s3,
    "Athena": _athena,
    "KMS": _kms,
    "SQS, Step Functions, Scheduler": _control,
}


def monthly(case: Case) -> dict[str, float]:
    """USD a month, by term."""
    return {name: term(case) for name, term in TERMS.items()}
