"""What may not be removed or changed just now, and by which code one is told. Comes last: it may cost the endpoint."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fraud.aws.endpoints import TAKEN
from fraud.aws.model_monitor import REFUSALS
from verification.hosting import HOSTED, Hosted, make_config
from verification.points.monitor import DEFINITION, make_schedule, run_of
from verification.probe import Answer, Place, Probe, Term, inconclusive, judged
from verification.sandbox import Refusal, Sandbox

START_MINUTES, SCHEDULE_MINUTES = 30, 5


def _deleted_while_running(sandbox: Sandbox) -> Refusal | None:
    """What the deletion of a schedule is refused with while a run of it is under way."""
    schedule, sagemaker = make_schedule(sandbox, "running", once=True), sandbox.client("sagemaker")

    def look() -> Mapping[str, Any] | None:
        run = run_of(sandbox, schedule)
        return run if run is not None and run["MonitoringExecutionStatus"] == "InProgress" else None

    sandbox.until("a run begins", look, START_MINUTES, every=30)
    return sandbox.refused(lambda: sagemaker.delete_monitoring_schedule(MonitoringScheduleName=schedule))


def _deleted_while_watched(sandbox: Sandbox, endpoint: str) -> Refusal | None:
    """What the deletion of an endpoint is refused with while a schedule watches it."""
    schedule, sagemaker = make_schedule(sandbox, "hourly", once=False), sandbox.client("sagemaker")

    def look() -> str | None:
        about = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=schedule)
        status = str(about["MonitoringScheduleStatus"])
        return status if status != "Pending" else None

    sandbox.until("a schedule is in force", look, SCHEDULE_MINUTES)
    refusal = _deleted(sandbox, endpoint)
    sagemaker.delete_monitoring_schedule(MonitoringScheduleName=schedule)
    return refusal


def _deleted(sandbox: Sandbox, endpoint: str) -> Refusal | None:
    refusal = sandbox.refused(lambda: sandbox.client("sagemaker").delete_endpoint(EndpointName=endpoint))
    if refusal is None:
        sandbox.spoil(HOSTED, "it was deleted")
    return refusal


def _while_updating(sandbox: Sandbox, hosted: Hosted) -> tuple[Refusal | None, Refusal | None]:
    """What a second update, and the deletion, are refused with while an update is under way."""
    sagemaker = sandbox.client("sagemaker")
    second, third = (make_config(sandbox, f"config-{number}", hosted.config) for number in (2, 3))

    def update(config: str) -> Any:
        return sagemaker.update_endpoint(EndpointName=hosted.endpoint, EndpointConfigName=config)

    update(second)
    again = sandbox.refused(lambda: update(third))
    return again, _deleted(sandbox, hosted.endpoint)


def _ask_schedule(sandbox: Sandbox) -> Answer:
    hosted: Hosted = sandbox.uses(HOSTED)
    seen = {
        "schedule with a run": _deleted_while_running(sandbox),
        "endpoint with a schedule": _deleted_while_watched(sandbox, hosted.endpoint),
    }
    return _judged(seen, {"schedule with a run": REFUSALS, "endpoint with a schedule": TAKEN})


def _ask_update(sandbox: Sandbox) -> Answer:
    again, deleted = _while_updating(sandbox, sandbox.uses(HOSTED))
    seen = {"update during an update": again, "deletion during an update": deleted}
    return _judged(seen, dict.fromkeys(seen, TAKEN))


def _judged(seen: Mapping[str, Refusal | None], codes: Mapping[str, Collection[str]]) -> Answer:
    """Whether each was refused, and by a code that the project takes for a refusal."""
    told = "; ".join(f"{what}: {refusal.text if refusal else 'accepted'}" for what, refusal in seen.items())
    if any(each is not None and each.status >= 500 for each in seen.values()):
        return inconclusive(told)
    return judged(all(each is not None and each.code in codes[what] for what, each in seen.items()), told)


PROBES = (
    Probe(
        "d-schedule",
        "By which codes is one told that a schedule, or the endpoint that it watches, cannot be deleted just now?",
        "ValidationException or ResourceInUse; no text is relied upon. A schedule goes before its endpoint, after its "
        "run. Accounts to which Model Monitor is closed cannot tell.",
        (
            Place("functions/fraud/aws/model_monitor.py", "REFUSALS ="),
            Place("functions/fraud/aws/endpoints.py", "A schedule that watches it goes first"),
        ),
        _ask_schedule,
        (
            "sagemaker.create_monitoring_schedule",
            "sagemaker.describe_monitoring_schedule",
            "sagemaker.list_monitoring_executions",
            "sagemaker.delete_monitoring_schedule",
            "sagemaker.delete_endpoint",
        ),
        minutes=START_MINUTES + SCHEDULE_MINUTES + 2,
        # A run that is stopped soon.
        terms=(Term("job_ml.m5.xlarge", 0.5),),
        stages=(HOSTED, DEFINITION),
    ),
    Probe(
        "d",
        "By which codes is one told that an endpoint cannot be updated or deleted because an update is under way?",
        "ValidationException, ResourceInUse or ConflictException; no text is relied upon.",
        (Place("functions/fraud/aws/endpoints.py", "TAKEN ="),),
        _ask_update,
        ("sagemaker.create_endpoint_config", "sagemaker.update_endpoint", "sagemaker.delete_endpoint"),
        minutes=1,
        # A second fleet.
        terms=(Term("hosting_ml.m5.large", 1),),
        stages=(HOSTED,),
    ),
)
