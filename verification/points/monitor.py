"""A run of Model Monitor: its metrics, and where its report lies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fraud.aws.schedule_items import INPUT, OUTPUT, UNDER_WAY, VOLUME_GB
from local.children import ROOT
from verification import template
from verification.errors import TookTooLong
from verification.hosting import HOSTED
from verification.points.captures import CAPTURED
from verification.probe import Answer, Place, Probe, Stage, Term, inconclusive, judged
from verification.sandbox import Sandbox
from verification.service_kinds import executions, job_of
from verification.stages import BUCKET, JOB_ROLE, PASS, put
from verification.stored_kinds import PROCESSING

NAMES, TYPE = ("f0", "f1"), "Fractional"
"""Of the features."""
MACHINE = "ml.m5.xlarge"
RUN_MINUTES, METRIC_MINUTES = 45, 15
NAMESPACE = "aws/sagemaker/Endpoints/data-metrics"
NAMESPACES = (
    NAMESPACE,
    "/aws/sagemaker/Endpoints/data-metrics",
    "/aws/sagemaker/Endpoints/data-metric",
    "/aws/sagemaker/Endpoint/data-metrics",
)
"""All that AWS's pages and samples call it."""
DIMENSIONS = ("Endpoint", "MonitoringSchedule")

HOURLY = {"ScheduleExpression": "cron(0 * ? * * *)"}
ONCE = {"ScheduleExpression": "NOW", "DataAnalysisStartTime": "-PT1H", "DataAnalysisEndTime": "-PT0H"}

Run = Mapping[str, Any]
Listed = set[tuple[str, tuple[str, ...]]]
"""Namespaces with the names of dimensions."""


# --- Definition and schedule ------------------------------------------------------------------------------------------


def _statistics() -> dict[str, Any]:
    """Of a hundred pairs of numbers, as Model Monitor has them."""
    buckets = [{"lower_bound": float(low), "upper_bound": low + 1.0, "count": 10.0} for low in range(10)]
    numbers = {
        "common": {"num_present": 100, "num_missing": 0},
        "mean": 5.0,
        "sum": 500.0,
        "std_dev": 2.9,
        "min": 0.0,
        "max": 10.0,
        "distribution": {"kll": {"buckets": buckets}},
    }
    features = [{"name": name, "inferred_type": TYPE, "numerical_statistics": numbers} for name in NAMES]
    return {"version": 0.0, "dataset": {"item_count": 100}, "features": features}


def _constraints() -> dict[str, Any]:
    """What is to hold of such numbers."""
    settings = {
        "evaluate_constraints": "Enabled",
        "emit_metrics": "Enabled",
        "datatype_check_threshold": 1.0,
        "domain_content_threshold": 1.0,
        "distribution_constraints": {
            "perform_comparison": "Enabled",
            "comparison_threshold": 0.1,
            "comparison_method": "Robust",
        },
    }
    features = [{"name": name, "inferred_type": TYPE, "completeness": 1.0} for name in NAMES]
    return {"version": 0.0, "features": features, "monitoring_config": settings}


def _put_json(sandbox: Sandbox, file: str, content: Mapping[str, Any]) -> dict[str, str]:
    return {"S3Uri": put(sandbox, f"baseline/{file}", json.dumps(content).encode())}


def _application(sandbox: Sandbox) -> dict[str, Any]:
    """What a run starts, with our script before it; other than the project's, it publishes metrics."""
    script = (ROOT / "model" / "capture_preprocessor.py").read_bytes()
    return {
        "ImageUri": template.monitor(sandbox.aws.region),
        "RecordPreprocessorSourceUri": put(sandbox, "baseline/capture_preprocessor.py", script),
        "Environment": {"publish_cloudwatch_metrics": "Enabled", "FEATURE_NAMES": ",".join(NAMES)},
    }


def _definition(sandbox: Sandbox) -> dict[str, Any]:
    """A job definition as the project has them."""
    endpoint = sandbox.uses(HOSTED).endpoint
    reports = {"S3Uri": f"s3://{sandbox.uses(BUCKET)}/reports", "LocalPath": OUTPUT, "S3UploadMode": "EndOfJob"}
    return {
        "DataQualityBaselineConfig": {
            "StatisticsResource": _put_json(sandbox, "statistics.json", _statistics()),
            "ConstraintsResource": _put_json(sandbox, "constraints.json", _constraints()),
        },
        "DataQualityAppSpecification": _application(sandbox),
        "DataQualityJobInput": {"EndpointInput": {"EndpointName": endpoint, "LocalPath": INPUT}},
        "DataQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": reports}]},
        "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": MACHINE, "VolumeSizeInGB": VOLUME_GB}},
        "RoleArn": sandbox.uses(JOB_ROLE),
        "StoppingCondition": {"MaxRuntimeInSeconds": 1_800},
    }


def _make_definition(sandbox: Sandbox) -> str:
    """Its name."""
    name, content = sandbox.name("definition"), _definition(sandbox)
    create = sandbox.client("sagemaker").create_data_quality_job_definition
    sandbox.make_with_new("definition", name, lambda: create(JobDefinitionName=name, Tags=sandbox.tags, **content))
    return name


DEFINITION = Stage(
    "a definition of a look at the data",
    _make_definition,
    ("s3.put_object", "sagemaker.create_data_quality_job_definition", *PASS),
    needs=(HOSTED, JOB_ROLE),
)


def make_schedule(sandbox: Sandbox, what: str, *, once: bool) -> str:
    """A schedule of the definition's, hourly, or for one run over the hour before now; its name."""
    name, create = sandbox.name(what), sandbox.client("sagemaker").create_monitoring_schedule
    config = {
        "ScheduleConfig": ONCE if once else HOURLY,
        "MonitoringJobDefinitionName": sandbox.uses(DEFINITION),
        "MonitoringType": "DataQuality",
    }
    sandbox.make_with_new(
        "schedule",
        name,
        lambda: create(MonitoringScheduleName=name, MonitoringScheduleConfig=config, Tags=sandbox.tags),
    )
    return name


def run_of(sandbox: Sandbox, schedule: str) -> Run | None:
    """The newest run of a schedule that has a job, whose log is to go with the rest."""
    run = next((each for each in executions(sandbox.aws, schedule) if "ProcessingJobArn" in each), None)
    if run is not None:
        sandbox.ledger_logs(f"{PROCESSING}|{job_of(run)}")
    return run


def _make_run(sandbox: Sandbox) -> Run:
    sandbox.uses(CAPTURED)
    schedule = make_schedule(sandbox, "once", once=True)

    def look() -> Run | None:
        run = next(iter(executions(sandbox.aws, schedule)), None)
        return run if run is not None and run["MonitoringExecutionStatus"] not in UNDER_WAY else None

    run = sandbox.until("the look at the data ends", look, RUN_MINUTES, every=60)
    run_of(sandbox, schedule)
    return run


RUN = Stage(
    "a run of Model Monitor",
    _make_run,
    ("sagemaker.create_monitoring_schedule", "sagemaker.list_monitoring_executions"),
    RUN_MINUTES + 1,
    (Term("job_ml.m5.xlarge", RUN_MINUTES / 60),),
    (CAPTURED, DEFINITION),
)

# --- Points -----------------------------------------------------------------------------------------------------------


def _failed(run: Run) -> Answer | None:
    if run["MonitoringExecutionStatus"] in ("Completed", "CompletedWithViolations"):
        return None
    return inconclusive(f"the run is {run['MonitoringExecutionStatus']}: {run.get('FailureReason', '')}")


def _listed(sandbox: Sandbox) -> Listed | None:
    """Metrics that name our endpoint, wherever they are; None as long as there are none."""
    cloudwatch, endpoint = sandbox.client("cloudwatch"), sandbox.uses(HOSTED).endpoint
    listed = [
        (namespace, metric["Dimensions"])
        for namespace in NAMESPACES
        for metric in cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    ]
    ours = [(name, each) for name, each in listed if endpoint in {every["Value"] for every in each}]
    return {(name, tuple(sorted(every["Name"] for every in each))) for name, each in ours} or None


def _ask_metrics(sandbox: Sandbox) -> Answer:
    run = sandbox.uses(RUN)
    if failed := _failed(run):
        return failed
    try:
        found = sandbox.until("metrics of the features are listed", lambda: _listed(sandbox), METRIC_MINUTES, every=60)
    except TookTooLong as error:
        return inconclusive(f"{error}; looked in {', '.join(NAMESPACES)}")
    seen = "; ".join(f"{namespace} by {', '.join(names)}" for namespace, names in sorted(found))
    return judged((NAMESPACE, DIMENSIONS) in found, seen)


def _ask_prefix(sandbox: Sandbox) -> Answer:
    run = sandbox.uses(RUN)
    if failed := _failed(run):
        return failed
    schedule, endpoint, bucket = sandbox.name("once"), sandbox.uses(HOSTED).endpoint, sandbox.uses(BUCKET)
    job = sandbox.client("sagemaker").describe_processing_job(ProcessingJobName=job_of(run))
    outputs = [each["S3Output"]["S3Uri"] for each in job["ProcessingOutputConfig"]["Outputs"]]
    listed = sandbox.client("s3").list_objects_v2(Bucket=bucket, Prefix="reports/").get("Contents", [])
    keys = sorted(each["Key"] for each in listed)
    if not keys:
        return inconclusive(f"no report below reports/; the job's outputs are {outputs}")
    wanted = f"reports/{endpoint}/{schedule}/"
    hours = [key.removeprefix(wanted).split("/")[:-1] for key in keys]
    holds = all(key.startswith(wanted) for key in keys) and all(len(hour) == 4 for hour in hours)
    return judged(holds, f"{keys[0]}; the job's outputs are {outputs}")


PROBES = (
    Probe(
        "a",
        "In which namespace and by which dimensions does Model Monitor publish its metrics?",
        f"{NAMESPACE} by Endpoint and MonitoringSchedule. The project switches them off, and no alarm reads them.",
        (Place("functions/fraud/aws/schedule_items.py", '"publish_cloudwatch_metrics": "Disabled"'),),
        _ask_metrics,
        ("cloudwatch.list_metrics",),
        minutes=METRIC_MINUTES + 1,
        terms=(Term("cloudwatch_metric", 10 / 730, hourly=True),),
        stages=(RUN, HOSTED),
    ),
    Probe(
        "i",
        "Below which prefix does a scheduled run put its report?",
        "ENDPOINT/SCHEDULE/yyyy/mm/dd/hh/ below the output that the definition names.",
        (Place("functions/fraud/aws/schedule_items.py", '"S3Uri": plan.output_uri'),),
        _ask_prefix,
        ("sagemaker.describe_processing_job", "s3.list_objects_v2"),
        minutes=1,
        stages=(RUN, HOSTED, BUCKET),
    ),
)
